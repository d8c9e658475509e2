package kernels

import "sync"

// Vectors of a step in WKV7Grad's tape, each P floats: those of keys, then
// those of values. w is the decay e^w.
const (
	keyW = iota
	keyR
	keyK
	keyA
	keyB
	valV
	valSA
	valDY
	keyDW
	keyDR
	keyDK
	keyDA
	keyDB
	valDV
	stepVectors
)

// wkv7Vectors is a step of the tape.
type wkv7Vectors struct {
	x []float32
	P int
}

func (s wkv7Vectors) key(i int) []float32 { return s.x[i*s.P : (i+1)*s.P] }

func wkv7Step(steps []float32, P, t int) wkv7Vectors {
	return wkv7Vectors{steps[t*stepVectors*P : (t+1)*stepVectors*P], P}
}

// wkv7Rows is the rows of the transposed state that go through a chunk at
// once: their states, 64 KiB at N = 64, stay in the second-level cache.
const wkv7Rows = 16

type wkv7GradJob struct {
	d       [valDV + 1][]float32
	in      [valDY + 1][]float32
	s0      []float32
	T, H, N int
}

var wkv7GradJobs jobs[wkv7GradJob, *wkv7GradJob]

// wkv7Tape is the scratch of one head. Its states are transposed, a row a
// value, so that five of seven sums are over rows, and padded to P, N rounded
// up to wkv7Rows.
type wkv7Tape struct {
	steps  []float32 // [wkv7Chunk][stepVectors][P]
	starts []float32 // [chunks][P,P], the state before each chunk
	states []float32 // [wkv7Chunk+1][wkv7Rows,P]
	g      []float32 // [P,P], the gradient of the state
}

var wkv7Tapes = sync.Pool{New: func() any { return new(wkv7Tape) }}

func (j *wkv7GradJob) span(lo, hi int) {
	tape := wkv7Tapes.Get().(*wkv7Tape)
	for i := lo; i < hi; i++ {
		j.head(tape, i)
	}
	wkv7Tapes.Put(tape)
}

// head keeps the state at the borders of chunks, and going back finds those
// within a chunk again: undoing a step would divide by the decay.
func (j *wkv7GradJob) head(tape *wkv7Tape, h int) {
	P := (j.N + wkv7Rows - 1) / wkv7Rows * wkv7Rows
	chunks := (j.T + wkv7Chunk - 1) / wkv7Chunk
	tape.steps = grown(tape.steps, wkv7Chunk*stepVectors*P)
	tape.starts = grown(tape.starts, chunks*P*P)
	tape.states = grown(tape.states, (wkv7Chunk+1)*wkv7Rows*P)
	tape.g = grown(tape.g, P*P)
	steps, starts, states, g := tape.steps, tape.starts, tape.states, tape.g
	clear(steps)
	j.start(starts[:P*P], h, P)
	for c := range chunks - 1 {
		j.pack(steps, h, c, P, keyW, keyK, keyB, valV, valSA)
		next := starts[(c+1)*P*P : (c+2)*P*P]
		copy(next, starts[c*P*P:])
		wkv7Carry(next, steps, P, P, wkv7Chunk)
	}
	clear(g)
	for c := chunks - 1; c >= 0; c-- {
		T := j.pack(steps, h, c, P, keyW, keyR, keyK, keyA, keyB, valV, valSA, valDY)
		for i := 0; i < P; i += wkv7Rows {
			at := i * P
			copy(states[:wkv7Rows*P], starts[c*P*P+at:])
			wkv7Advance(states, steps, P, i, wkv7Rows, T)
			wkv7Reverse(g[at:at+wkv7Rows*P], states, steps, P, i, wkv7Rows, T)
		}
		j.unpack(steps, h, c, P)
	}
}

// start sets x to the transposed state before the first step.
func (j *wkv7GradJob) start(x []float32, h, P int) {
	clear(x)
	if j.s0 == nil {
		return
	}
	N := j.N
	for key := range N {
		for value, v := range j.s0[(h*N+key)*N : (h*N+key+1)*N] {
			x[value*P+key] = v
		}
	}
}

// rows returns where chunk c of a head begins and its steps.
func (j *wkv7GradJob) rows(h, c int) (at, T int) {
	t0 := c * wkv7Chunk
	return (h/j.H*j.T+t0)*j.H*j.N + h%j.H*j.N, min(wkv7Chunk, j.T-t0)
}

// pack copies inputs of a chunk to the tape's steps and clears the gradients;
// it returns how many steps there are. What lies beyond N stays zero.
func (j *wkv7GradJob) pack(steps []float32, h, c, P int, vectors ...int) (T int) {
	at, T := j.rows(h, c)
	for t := range T {
		s := wkv7Step(steps, P, t)
		for _, i := range vectors {
			row := j.in[i][at : at+j.N]
			if i == keyW {
				exp(s.key(i)[:j.N], row)
			} else {
				copy(s.key(i), row)
			}
		}
		clear(s.x[keyDW*P:])
		at += j.H * j.N
	}
	return T
}

// unpack adds the gradients of a chunk to where they belong.
func (j *wkv7GradJob) unpack(steps []float32, h, c, P int) {
	at, T := j.rows(h, c)
	for t := range T {
		s := wkv7Step(steps, P, t)
		for i, w := range s.key(keyW) {
			s.key(keyDW)[i] *= w
		}
		for i := keyDW; i < stepVectors; i++ {
			if j.d[i] != nil {
				accumulate(j.d[i][at:at+j.N], s.key(i)[:j.N])
			}
		}
		at += j.H * j.N
	}
}
