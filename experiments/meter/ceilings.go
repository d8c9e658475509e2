package meter

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"workbench/experiments/record"
	"workbench/experiments/stats"
	"workbench/kernels"
)

// measureCeilings fills in the best arithmetic rate and read bandwidth of one
// thread and of all, and the noise floor of the clock.
func measureCeilings(h *record.Host, quick bool) {
	fma, read, aa := 200*time.Millisecond, 250*time.Millisecond, time.Second
	if quick {
		fma, read, aa = 50*time.Millisecond, 75*time.Millisecond, 250*time.Millisecond
	}
	buf := make([]float32, bandwidthFloats(h.Caches))
	for i := range buf {
		buf[i] = 1 // every page must exist: an untouched one is the same zero page
	}
	h.FMAPeak, h.ReadGBs = make(map[string]float64), make(map[string]float64)
	for _, threads := range slices.Compact([]int{1, runtime.GOMAXPROCS(0)}) {
		key := strconv.Itoa(threads)
		h.FMAPeak[key] = kernels.FMAPeak(threads, fma)
		h.ReadGBs[key] = readBandwidth(buf, threads, read)
	}
	buf = nil
	debug.FreeOSMemory() // the buffer would count in this process's later resident sets
	floor, err := stats.NoiseFloor(identicalArms(aa))
	if err != nil {
		h.Warnings = append(h.Warnings, fmt.Sprintf("no noise floor: %v", err))
		return
	}
	h.NoiseFloor = &floor
}

// bandwidthFloats is the length of a buffer four times the largest cache, from
// 64 to 256 MiB and at most a quarter of the memory there is.
func bandwidthFloats(caches map[string]int64) int {
	var largest int64
	for _, size := range caches {
		largest = max(largest, size)
	}
	size := min(max(4*largest, 64<<20), 256<<20)
	if free, err := MemAvailable(); err == nil {
		size = min(size, free/4)
	}
	return max(int(size/4), 1<<16)
}

// readBandwidth returns the rate in GB/s of the fastest pass over buf in d.
func readBandwidth(buf []float32, threads int, d time.Duration) float64 {
	best := 0.0
	for end := time.Now().Add(d); best == 0 || time.Now().Before(end); {
		start := time.Now()
		kernels.ReadBandwidth(buf, threads)
		best = max(best, float64(4*len(buf))/float64(time.Since(start)))
	}
	return best
}

// identicalArms times one small matrix product as if it were two competitors:
// 20 rounds, both arms in each in random order, for about d altogether. It
// returns seconds by arm and round.
func identicalArms(d time.Duration) [][]float64 {
	const rounds, m, n = 20, 16, 256
	c, a, b := make([]float32, m*n), make([]float32, m*n), make([]float32, n*n)
	sample := func(times int) float64 {
		start := time.Now()
		for range times {
			kernels.MatMulNT(c, a, b, m, n, n, false)
		}
		return time.Since(start).Seconds()
	}
	sample(4) // warm up
	once := max(sample(4)/4, 1e-7)
	times := max(1, int(d.Seconds()/(2*rounds)/once))
	rng := rand.New(rand.NewPCG(1, 0))
	arms := [][]float64{make([]float64, rounds), make([]float64, rounds)}
	for r := range rounds {
		first := rng.IntN(2)
		for _, arm := range []int{first, 1 - first} {
			arms[arm][r] = sample(times)
		}
	}
	return arms
}
