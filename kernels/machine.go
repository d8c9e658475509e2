package kernels

import (
	"sync"
	"time"
)

// FMAPeak is what this machine's multiply-adds reach in registers alone on
// that many threads, in GFLOP/s: the best of the rounds that fit in d.
func FMAPeak(threads int, d time.Duration) float64 {
	const n = 100_000 // about 0.2 ms
	best := 0.0
	for end := time.Now().Add(d); time.Now().Before(end); {
		start := time.Now()
		var wg sync.WaitGroup
		for range threads {
			wg.Go(func() {
				for range 10 {
					fmaRounds(n)
				}
			})
		}
		wg.Wait()
		best = max(best, float64(threads)*10*n*192/float64(time.Since(start)))
	}
	return best
}

// ReadBandwidth reads buf once on that many threads and returns the sum of its
// floats, which only keeps the reading alive; the caller takes the time. The
// length should be a multiple of 64 floats a thread.
func ReadBandwidth(buf []float32, threads int) (sum float32) {
	sums := make([]float32, threads)
	var wg sync.WaitGroup
	part := len(buf) / threads &^ 63
	for i := range threads {
		wg.Go(func() { sums[i] = readFloats(buf[i*part : (i+1)*part]) })
	}
	wg.Wait()
	for _, s := range sums {
		sum += s
	}
	return sum
}

// fmaRoundsGeneric does n rounds of 12 chains of 8 multiply-adds.
func fmaRoundsGeneric(n int) float32 {
	var s [12]float32
	x := float32(0.5)
	for range 8 * n {
		for i := range s {
			s[i] += s[i]*x + x
		}
	}
	return s[0] + s[11]
}

func readFloatsGeneric(x []float32) float32 {
	var s [8]float32
	for ; len(x) >= 8; x = x[8:] {
		for i := range s {
			s[i] += x[i]
		}
	}
	return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]
}
