package kernels

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// TestPoolShares checks that every chunk runs exactly once when some are slow,
// so that other threads finish their shares.
func TestPoolShares(t *testing.T) {
	defer SetThreads(Threads())
	for _, threads := range []int{1, 2, 3, 8} {
		SetThreads(threads)
		for round := range 400 {
			counts := make([]atomic.Int32, round%67)
			For(len(counts), func(i int) {
				counts[i].Add(1)
				if (i+round)%13 == 0 {
					time.Sleep(time.Duration(i%3) * 20 * time.Microsecond)
				}
			})
			for i := range counts {
				if n := counts[i].Load(); n != 1 {
					t.Fatalf("%d threads: chunk %d of %d ran %d times", threads, i, len(counts), n)
				}
			}
		}
	}
}

// TestPoolSleeps checks that a warm but idle pool uses no processor.
func TestPoolSleeps(t *testing.T) {
	defer SetThreads(Threads())
	SetThreads(4)
	For(64, func(int) {})
	const patience = time.Second // a busy machine may not let a worker run at once
	last := time.Now()
	for i := 1; i < 4; i++ {
		for !workers.shares[i].parked.Load() {
			if time.Since(last) > patience {
				t.Fatalf("worker %d is awake %v after the last job", i, patience)
			}
			time.Sleep(spinFor)
		}
	}
}

// TestPoolLetsTheCollectorRun checks that a worker that polls for work does not
// delay garbage collection.
func TestPoolLetsTheCollectorRun(t *testing.T) {
	defer SetThreads(Threads())
	SetThreads(2)
	var took [2][]time.Duration
	for range 31 {
		for awake := range took {
			time.Sleep(10 * spinFor)
			if awake == 1 {
				For(2, func(int) {})
			}
			start := time.Now()
			runtime.GC()
			took[awake] = append(took[awake], time.Since(start))
		}
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	asleep, awake := took[0][0], took[1][0] // the fastest of each
	t.Logf("a collection takes %v, %v with a worker awake", asleep, awake)
	// A loop that cannot be preempted costs 10 to 20 ms; the slack is for
	// machines where other processes run.
	if awake > asleep+5*time.Millisecond {
		t.Errorf("a collection takes %v with a worker awake, %v without", awake, asleep)
	}
}

// spinning is a job of chunks of equal work in registers.
type spinning struct{ rounds int }

func (s spinning) chunk(int) { fmaRounds(s.rounds) }

// BenchmarkForkJoin compares jobs of 8 chunks on two threads, with 20 µs of
// serial work in between, with half the time of one thread.
func BenchmarkForkJoin(b *testing.B) {
	defer SetThreads(Threads())
	var times [3][]float64
	j := &spinning{3000} // 8 chunks of some 5 µs
	for _, threads := range []int{1, 2} {
		SetThreads(threads)
		for range 4000 {
			fmaRounds(12000)
			start := time.Now()
			runChunks(8, j)
			times[threads] = append(times[threads], float64(time.Since(start).Nanoseconds()))
		}
		slices.Sort(times[threads])
	}
	for b.Loop() {
	}
	half := times[1][2000] / 2
	b.ReportMetric(half, "ns/half")
	b.ReportMetric(times[2][2000]-half, "ns/excess-median")
	b.ReportMetric(times[2][400]-half, "ns/excess-p10")
	b.ReportMetric(times[2][3960]-half, "ns/excess-p99")
}
