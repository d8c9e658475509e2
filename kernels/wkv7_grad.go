package kernels

import "sync"

// Vectors of a step in wkv7Tape: indexed by key, but v, sa, dy and dv by value.
// w is the decay e^w.
const (
	stepW = iota
	stepR
	stepK
	stepA
	stepB
	stepV
	stepSA
	stepDY
	stepDW
	stepDR
	stepDK
	stepDA
	stepDB
	stepDV
	stepVectors
)

// wkv7Side is the number of keys or values that are computed at once.
const wkv7Side = 16

type (
	// wkv7Block holds the vectors of a step for wkv7Side channels.
	wkv7Block [stepVectors][wkv7Side]float32
	// wkv7Tile is a square of a transposed state: a row for each value, so that
	// five of seven sums run down columns and only two along rows.
	wkv7Tile [wkv7Side][wkv7Side]float32
)

type wkv7GradJob struct {
	d       [stepVectors][]float32
	in      [stepDW][]float32
	s0      []float32
	T, H, N int
}

var wkv7GradJobs jobs[wkv7GradJob, *wkv7GradJob]

// wkv7Tape is the scratch of one head of n blocks of channels, zero beyond the
// N channels.
type wkv7Tape struct {
	n      int
	steps  []wkv7Block // [wkv7Chunk][n]
	starts []wkv7Tile  // [chunks][n values][n keys], the state before each chunk
	states []wkv7Tile  // [wkv7Chunk+1][n keys], of one block of values, a gap and rows
	g      []wkv7Tile  // [n values][n keys], the gradient of the state
}

var wkv7Tapes = sync.Pool{New: func() any { return new(wkv7Tape) }}

func (j *wkv7GradJob) span(lo, hi int) {
	tape := wkv7Tapes.Get().(*wkv7Tape)
	n := (j.N + wkv7Side - 1) / wkv7Side
	tape.n = n
	tape.steps = grown(tape.steps, wkv7Chunk*n)
	tape.starts = grown(tape.starts, (j.T+wkv7Chunk-1)/wkv7Chunk*n*n)
	tape.states = grown(tape.states, (wkv7Chunk+1)*n+2)
	tape.g = grown(tape.g, n*n)
	clear(tape.steps)
	for i := lo; i < hi; i++ {
		j.head(tape, i)
	}
	wkv7Tapes.Put(tape)
}

// head computes one head: it keeps the state at the start of each chunk and
// recomputes the states within a chunk going backwards. Undoing a step instead
// would divide by the decay.
func (j *wkv7GradJob) head(tape *wkv7Tape, h int) {
	n, chunks := tape.n, (j.T+wkv7Chunk-1)/wkv7Chunk
	j.start(tape, h)
	for c := range chunks - 1 {
		T := j.pack(tape, h, c, 1, stepW, stepK, stepB, stepV, stepSA)
		next := tape.starts[(c+1)*n*n : (c+2)*n*n]
		copy(next, tape.starts[c*n*n:])
		for i := range n {
			wkv7Carry(next[i*n:(i+1)*n], tape.steps, i, T)
		}
	}
	clear(tape.g)
	for c := chunks - 1; c >= 0; c-- {
		T := j.pack(tape, h, c, -1, stepW, stepR, stepK, stepA, stepB, stepV, stepSA, stepDY)
		for i := range n {
			copy(tape.states[:n], tape.starts[(c*n+i)*n:])
			wkv7Advance(tape.states, tape.steps, n, i, T)
			wkv7Reverse(tape, i, T)
		}
		j.unpack(tape, h, c)
	}
}

// start sets the tape's first state to the one before the first step.
func (j *wkv7GradJob) start(tape *wkv7Tape, h int) {
	n, N := tape.n, j.N
	x := tape.starts[:n*n]
	clear(x)
	if j.s0 == nil {
		return
	}
	for key := range N {
		for value, v := range j.s0[(h*N+key)*N : (h*N+key+1)*N] {
			x[value/wkv7Side*n+key/wkv7Side][value%wkv7Side][key%wkv7Side] = v
		}
	}
}

// chunk returns where chunk c of head h begins, and its number of steps.
func (j *wkv7GradJob) chunk(h, c int) (at, T int) {
	t0 := c * wkv7Chunk
	return (h/j.H*j.T+t0)*j.H*j.N + h%j.H*j.N, min(wkv7Chunk, j.T-t0)
}

// pack copies inputs of a chunk to the tape, the decays as e^w, and returns the
// chunk's number of steps. It prefetches the chunk that follows (next = 1) or
// precedes it (next = -1).
func (j *wkv7GradJob) pack(tape *wkv7Tape, h, c, next int, vectors ...int) (T int) {
	at, T := j.chunk(h, c)
	for _, v := range vectors {
		wkv7Pack(tape.steps, tape.n, v, j.in[v][at:], j.N, T, j.H*j.N, next*wkv7Chunk*j.H*j.N)
	}
	return T
}

// unpack adds the gradients of a chunk from the tape to d, and clears them.
func (j *wkv7GradJob) unpack(tape *wkv7Tape, h, c int) {
	at, T := j.chunk(h, c)
	for v := stepDW; v < stepVectors; v++ {
		if j.d[v] != nil {
			wkv7Unpack(j.d[v][at:], tape.steps, tape.n, v, j.N, T, j.H*j.N, -wkv7Chunk*j.H*j.N)
		}
	}
}
