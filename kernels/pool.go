package kernels

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// job is work in chunks that may run in any order and at the same time. Who
// does a chunk varies, its borders must not: then results do not depend on the
// number of threads.
type job interface{ chunk(i int) }

// workers is the pool. Chunks are claimed one by one by compare-and-swap, the
// caller taking part, so that a thread the operating system has put aside
// delays one chunk and not half of the work.
var workers pool

type pool struct {
	busy sync.Mutex // held by the caller whose job is running
	size atomic.Int32
	all  []*worker // grown under busy

	// claim is the running job's serial number, its chunks and how many of
	// them are taken. A claim that succeeds proves that job is current: the
	// caller replaces it only when every chunk is done.
	claim atomic.Uint64
	job   job
	done  atomic.Int32
}

type worker struct {
	parked atomic.Bool
	wake   chan struct{}
}

const (
	chunkBits = 20
	maxChunks = 1<<chunkBits - 1
	// spinFor is how long a worker looks for work before it sleeps: longer
	// than the usual gap between two operations of a layer, since waking
	// costs some 30 µs.
	spinFor = 100 * time.Microsecond
)

func init() { workers.size.Store(int32(runtime.GOMAXPROCS(0))) }

// Threads is the number of threads that kernels use.
func Threads() int { return int(workers.size.Load()) }

// SetThreads sets the number of threads that kernels use, at least 1. Results
// do not depend on it.
func SetThreads(n int) { workers.size.Store(int32(max(1, n))) }

// For calls f(0) … f(n-1), several at a time.
func For(n int, f func(i int)) { runChunks(n, forJob(f)) }

type forJob func(i int)

func (f forJob) chunk(i int) { f(i) }

// runChunks does the n chunks of j. Called while the pool is busy, as from
// within a chunk, it does them alone.
func runChunks(n int, j job) {
	p := &workers
	threads := min(int(p.size.Load()), n)
	if threads <= 1 || n > maxChunks || !p.busy.TryLock() {
		for i := range n {
			j.chunk(i)
		}
		return
	}
	p.grow(threads - 1)
	p.job = j
	p.done.Store(0)
	serial := p.claim.Load() >> (2 * chunkBits)
	p.claim.Store((serial+1)<<(2*chunkBits) | uint64(n)<<chunkBits)
	for _, w := range p.all[:threads-1] {
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	for p.step() {
	}
	for spins := 1; p.done.Load() < int32(n); spins++ {
		if spins%64 == 0 {
			runtime.Gosched()
		}
	}
	p.job = nil
	p.busy.Unlock()
}

// step does one chunk of the current job, if there is one left.
func (p *pool) step() bool {
	for {
		c := p.claim.Load()
		i, n := c&maxChunks, c>>chunkBits&maxChunks
		if i >= n {
			return false
		}
		if p.claim.CompareAndSwap(c, c+1) {
			p.job.chunk(int(i))
			p.done.Add(1)
			return true
		}
	}
}

func (p *pool) grow(n int) {
	for i := len(p.all); i < n; i++ {
		w := &worker{wake: make(chan struct{}, 1)}
		p.all = append(p.all, w)
		go p.work(w, int32(i+1))
	}
}

// work is a worker's life; rank is the least number of threads less one that
// makes it take part.
func (p *pool) work(w *worker, rank int32) {
	for {
		start := time.Now()
		for spins := 1; time.Since(start) < spinFor; spins++ {
			for p.size.Load() > rank && p.step() {
				start = time.Now()
			}
			if spins%64 == 0 {
				runtime.Gosched()
			}
		}
		w.parked.Store(true)
		if c := p.claim.Load(); p.size.Load() > rank && c&maxChunks < c>>chunkBits&maxChunks && w.parked.CompareAndSwap(true, false) {
			continue
		}
		<-w.wake
	}
}
