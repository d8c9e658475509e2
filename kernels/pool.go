package kernels

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// job is work in chunks that may run in any order and at the same time. Which
// thread runs a chunk varies, the borders of chunks must not: then results do
// not depend on the number of threads.
type job interface{ chunk(i int) }

// workers is the worker pool. Every thread owns a share of the chunks of a job,
// the same share in every job, so that its data is still in its cache. A thread
// that has finished its own share takes chunks of the others: a thread that the
// operating system has suspended delays one chunk and not half of the work.
var workers pool

type pool struct {
	busy  sync.Mutex // held by the caller whose job is running
	size  atomic.Int32
	start int // number of workers started; guarded by busy
	// serial numbers the jobs and is part of every claim: a claim that succeeds
	// proves that job is current, because the caller replaces job only when every
	// chunk is done.
	serial uint64
	job    job
	_      [cacheLine]byte
	used   atomic.Int32 // threads of the current job; changes rarely
	_      [cacheLine]byte
	done   atomic.Int32
	_      [cacheLine]byte
	shares [maxThreads]share
}

// share is the part of the current job that a thread owns: serial, the next
// chunk and the end. The owner takes the next chunk, other threads take the
// last. Each share has cache lines of its own.
type share struct {
	claim  atomic.Uint64
	parked atomic.Bool
	wake   chan struct{}
	_      [cacheLine - 24]byte
}

const (
	cacheLine  = 128 // two lines, as processors prefetch them in pairs
	maxThreads = 256
	chunkBits  = 20
	maxChunks  = 1<<chunkBits - 1
	// spinFor is how long a worker polls for work before it sleeps: longer than
	// the usual gap between two operations of a layer, since waking a thread
	// costs some 30 µs.
	spinFor = 100 * time.Microsecond
	// perThread is the number of chunks for each thread where it may be chosen:
	// other threads can take those not begun.
	perThread = 4
)

func init() { workers.size.Store(int32(min(runtime.GOMAXPROCS(0), maxThreads))) }

// Threads is the number of threads that kernels use.
func Threads() int { return int(workers.size.Load()) }

// SetThreads sets the number of threads that kernels use, from 1 to 256.
// Results do not depend on it.
func SetThreads(n int) { workers.size.Store(int32(min(max(1, n), maxThreads))) }

// For calls f(0) … f(n-1), several of them concurrently.
func For(n int, f func(i int)) { runChunks(n, forJob(f)) }

type forJob func(i int)

func (f forJob) chunk(i int) { f(i) }

// runChunks runs the n chunks of j. Called while the pool is busy, such as from
// within a chunk, it runs them on the calling thread alone.
func runChunks(n int, j job) {
	p := &workers
	threads := min(int(p.size.Load()), n)
	if threads <= 1 || n > maxChunks || !p.busy.TryLock() {
		for i := range n {
			j.chunk(i)
		}
		return
	}
	p.fork(n, threads, j)
	p.work(0)
	for spins := 1; p.done.Load() < int32(n); spins++ {
		if spins%yieldAfter == 0 {
			runtime.Gosched()
		}
	}
	p.job = nil
	p.busy.Unlock()
}

// fork gives every thread its share of j and wakes the sleeping ones.
func (p *pool) fork(n, threads int, j job) {
	for ; p.start < threads-1; p.start++ {
		p.shares[p.start+1].wake = make(chan struct{}, 1)
		go p.workLoop(p.start + 1)
	}
	p.job = j
	p.serial++
	p.done.Store(0)
	if p.used.Load() != int32(threads) {
		p.used.Store(int32(threads))
	}
	for t := threads - 1; t >= 0; t-- {
		s := &p.shares[t]
		s.claim.Store(p.serial<<(2*chunkBits) | uint64(n*t/threads)<<chunkBits | uint64(n*(t+1)/threads))
		if t > 0 && s.parked.Load() && s.parked.CompareAndSwap(true, false) {
			s.wake <- struct{}{}
		}
	}
}

// work runs chunks of the current job until none is left to claim.
func (p *pool) work(t int) {
	var did int32
	for i, ok := p.claim(t); ok; i, ok = p.claim(t) {
		p.job.chunk(i)
		did++
	}
	if did > 0 {
		p.done.Add(did)
	}
}

// claim takes a chunk: the next of thread t's own share, else the last of
// another's.
func (p *pool) claim(t int) (chunk int, ok bool) {
	own := &p.shares[t].claim
	for {
		c := own.Load()
		if next := c >> chunkBits & maxChunks; next >= c&maxChunks {
			break
		} else if own.CompareAndSwap(c, c+1<<chunkBits) {
			return int(next), true
		}
	}
	threads := int(p.used.Load())
	for i := 1; i < threads; i++ {
		other := &p.shares[(t+i)%threads].claim
		for {
			c := other.Load()
			if end := c & maxChunks; c>>chunkBits&maxChunks >= end {
				break
			} else if other.CompareAndSwap(c, c-1) {
				return int(end - 1), true
			}
		}
	}
	return 0, false
}

// yieldAfter is the number of polls after which a spinning loop lets other
// goroutines run: a few microseconds.
const yieldAfter = 1024

// workLoop is the loop of worker t: it works when its share changes, and sleeps
// after polling for spinFor without work.
func (p *pool) workLoop(t int) {
	s := &p.shares[t]
	var seen uint64
	for {
		start := time.Now()
		for spins := 1; ; spins++ {
			if serial := s.claim.Load() >> (2 * chunkBits); serial != seen {
				seen = serial
				p.work(t)
				start, spins = time.Now(), 1
			}
			if spins%yieldAfter == 0 {
				if time.Since(start) > spinFor {
					break
				}
				runtime.Gosched()
			}
		}
		s.parked.Store(true)
		if s.claim.Load()>>(2*chunkBits) != seen && s.parked.CompareAndSwap(true, false) {
			continue
		}
		<-s.wake
	}
}
