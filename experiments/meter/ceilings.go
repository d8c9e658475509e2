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

// Ceilings are the highest rates that this machine reached.
type Ceilings struct {
	FMA map[int]float64 // GFLOP/s by threads
	// Read is GB/s by level ("L1d", "L2", "L3", "memory") and threads. For a
	// cache, every thread reads a part of its own.
	Read map[string]map[int]float64
	// Caches are the sizes of the levels in bytes.
	Caches map[string]int64
	// Now holds the rates of the last measurement, even where lower: the FMA rate
	// under "FMA", read rates under their levels.
	Now map[string]map[int]float64

	buf []float32 // read to measure memory, kept between measurements
}

// NewCeilings returns ceilings without a measurement, for the machine of this
// process.
func NewCeilings() *Ceilings {
	return newCeilings(here().caches())
}

func newCeilings(caches map[string]int64) *Ceilings {
	c := &Ceilings{FMA: map[int]float64{}, Read: map[string]map[int]float64{}, Caches: map[string]int64{},
		Now: map[string]map[int]float64{fma: {}, memory: {}}}
	for _, level := range []string{"L1d", "L2", "L3"} {
		if size, ok := caches[level]; ok {
			c.Caches[level], c.Read[level], c.Now[level] = size, map[int]float64{}, map[int]float64{}
		}
	}
	c.Read[memory] = map[int]float64{}
	c.buf = make([]float32, bandwidthFloats(caches))
	kernels.HugePages(c.buf)
	for i := range c.buf {
		c.buf[i] = 1 // touches every page: untouched pages all map to one zero page
	}
	return c
}

// Keys of Now and Read.
const (
	fma    = "FMA"
	memory = "memory"
)

// Measure measures each ceiling for about d, and keeps the higher of the new
// and the earlier rate.
func (c *Ceilings) Measure(threads []int, d time.Duration) {
	defer kernels.SetThreads(kernels.Threads())
	for _, t := range threads {
		kernels.SetThreads(t)
		c.note(fma, c.FMA, t, kernels.FMAPeak(d))
		c.note(memory, c.Read[memory], t, kernels.ReadBandwidth(c.buf, d))
		for level, size := range c.Caches {
			n := size / 2 / 4
			if level == "L3" { // shared by all threads
				n = max(size/4, 2*c.Caches["L2"]) / 4 / int64(t)
			}
			c.note(level, c.Read[level], t, kernels.ReadCached(int(n), d/2))
		}
	}
}

// note records a rate of that many threads.
func (c *Ceilings) note(key string, best map[int]float64, threads int, rate float64) {
	c.Now[key][threads] = rate
	best[threads] = max(best[threads], rate)
}

// Level returns the smallest cache that can hold that many bytes, which so many
// threads read in parts, or memory.
func (c *Ceilings) Level(bytes float64, threads int) string {
	for _, level := range []string{"L1d", "L2", "L3"} {
		room := float64(c.Caches[level])
		if level != "L3" {
			room *= float64(threads)
		}
		if bytes <= room {
			return level
		}
	}
	return memory
}

// measureCeilings sets the highest arithmetic rate and read bandwidth of one
// thread and of all, and the noise floor of the clock.
func measureCeilings(h *record.Host, quick bool) {
	d, aa := 200*time.Millisecond, time.Second
	if quick {
		d, aa = 50*time.Millisecond, 250*time.Millisecond
	}
	c := newCeilings(h.Caches)
	c.Measure(slices.Compact([]int{1, runtime.GOMAXPROCS(0)}), d)
	h.FMAPeak, h.ReadGBs = byThreads(c.FMA), byThreads(c.Read[memory])
	h.ReadLevels = make(map[string]map[string]float64)
	for level := range c.Caches {
		h.ReadLevels[level] = byThreads(c.Read[level])
	}
	c = nil
	debug.FreeOSMemory() // the buffer would count in later readings of resident memory
	floor, err := stats.NoiseFloor(identicalArms(aa))
	if err != nil {
		h.Warnings = append(h.Warnings, fmt.Sprintf("no noise floor: %v", err))
		return
	}
	h.NoiseFloor = &floor
}

// byThreads converts rates to a map whose keys, the threads, are JSON strings.
func byThreads(rates map[int]float64) map[string]float64 {
	m := make(map[string]float64)
	for t, v := range rates {
		m[strconv.Itoa(t)] = v
	}
	return m
}

// bandwidthFloats is the length of a buffer of eight times the largest cache,
// since caches keep a part of a buffer that is read repeatedly: from 64 to 512
// MiB and at most a quarter of the memory.
func bandwidthFloats(caches map[string]int64) int {
	var largest int64
	for _, size := range caches {
		largest = max(largest, size)
	}
	size := min(max(8*largest, 64<<20), 512<<20)
	for _, r := range AtHand() {
		size = min(size, r.Free/4)
	}
	return max(int(size/4), 1<<16)
}

// identicalArms times one small matrix product as if it were two arms: 20
// rounds, both arms in each round in random order, for about d in total. It
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
	sample(4) // warm-up
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
