package kernels

import "time"

// FMAPeak measures the peak rate of multiply-adds in registers on all threads,
// in GFLOP/s: the best of the rounds that fit in d.
func FMAPeak(d time.Duration) float64 {
	const n = 100_000 // about 0.2 ms
	chunks := 2 * perThread * Threads()
	return best(d, float64(chunks)*n*192, func() { For(chunks, func(int) { fmaRounds(n) }) })
}

// best returns the highest rate of the calls of f that fit in d, in units of
// amount a nanosecond.
func best(d time.Duration, amount float64, f func()) (rate float64) {
	for end := time.Now().Add(d); rate == 0 || time.Now().Before(end); {
		start := time.Now()
		f()
		rate = max(rate, amount/float64(max(time.Since(start), 1)))
	}
	return rate
}

// ReadBandwidth measures the rate in GB/s at which all threads read buf: the
// best of the rounds that fit in d.
func ReadBandwidth(buf []float32, d time.Duration) float64 {
	return best(d, 4*float64(len(buf)), func() { readChunks(buf) })
}

// readChunks returns the sum of buf, which keeps the compiler from dropping the
// reads. A remainder of fewer than 64 floats of each chunk is left out.
func readChunks(buf []float32) (sum float32) {
	const chunk = 1 << 19 // floats: long enough to stream, short enough to share evenly
	sums := make([]float32, (len(buf)+chunk-1)/chunk)
	For(len(sums), func(i int) { sums[i] = readFloats(buf[i*chunk : min((i+1)*chunk, len(buf))]) })
	for _, s := range sums {
		sum += s
	}
	return sum
}

// ReadCached measures the rate in GB/s at which each thread reads n floats of
// its own over and over, from the cache that holds them: the best of the rounds
// that fit in d.
func ReadCached(n int, d time.Duration) float64 {
	n = max(n&^63, 64)
	threads, passes := Threads(), max(1, 1<<22/n) // at least about 0.1 ms a round
	bufs, sums := make([][]float32, threads), make([]float32, threads)
	for i := range bufs {
		bufs[i] = make([]float32, n)
		for k := range bufs[i] {
			bufs[i][k] = 1
		}
	}
	return best(d, float64(threads*passes)*float64(4*n), func() {
		For(threads, func(i int) {
			var sum float32 // sums is one cache line
			for range passes {
				sum += readFloats(bufs[i])
			}
			sums[i] = sum
		})
	})
}

// fmaRoundsGeneric runs rounds of 12 independent chains of 8 multiply-adds.
func fmaRoundsGeneric(rounds int) float32 {
	var s [12]float32
	x := float32(0.5)
	for range 8 * rounds {
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
