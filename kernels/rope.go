package kernels

import (
	"math"
	"sync"
)

// RoPEShape is the layout of rows of H heads of D channels, for T positions of
// B sequences: row (b,t) starts at (b·T+t)·Stride; floats between rows are not
// touched.
type RoPEShape struct {
	B, T, H, D, Stride int     // D is even, Stride at least H·D
	Pos                int     // position of the first row of a sequence
	Theta              float64 // base of the angles
}

// RoPE rotates pairs of channels by an angle that grows with the position:
//
//	φ = (pos+t)·theta^(-2i/D);  y[i] = x[i]·cos φ - x[i+D/2]·sin φ
//	                             y[i+D/2] = x[i+D/2]·cos φ + x[i]·sin φ
//
// for i < D/2 in each head. y may be x.
// Source: RoFormer (2104.09864), in the rotate-half order of GPT-NeoX.
func RoPE(y, x []float32, s RoPEShape) { s.run("RoPE", y, x, false, rotate) }

// RoPEGrad is dx += dy rotated by the negative angle, in the layout of RoPE.
func RoPEGrad(dx, dy []float32, s RoPEShape) { s.run("RoPEGrad", dx, dy, false, rotateBackAdd) }

// RoPEPairs is RoPE over pairs of neighbouring channels: channels 2i and 2i+1
// take the place of i and i+D/2.
// Source: RoFormer's own order, that of Meta's Llama and llama2.c.
func RoPEPairs(y, x []float32, s RoPEShape) { s.run("RoPEPairs", y, x, true, rotatePairs) }

// RoPEPairsGrad is dx += dy rotated by the negative angle, in the layout of
// RoPEPairs.
func RoPEPairsGrad(dx, dy []float32, s RoPEShape) {
	s.run("RoPEPairsGrad", dx, dy, true, rotatePairsBackAdd)
}

func (s RoPEShape) run(op string, y, x []float32, pairs bool, f func(y, x, cos, sin []float32)) {
	needDims(op, s.B, s.T, s.H, s.D, s.Pos)
	row := s.H * s.D
	if s.D%2 != 0 || s.Stride < row {
		panic("kernels: " + op + ": D must be even and the stride at least H·D")
	}
	if s.B*s.T == 0 || row == 0 {
		return
	}
	needReach(op, "y", y, (s.B*s.T-1)*s.Stride, row)
	needReach(op, "x", x, (s.B*s.T-1)*s.Stride, row)
	a := angles{s.D, s.Theta, pairs}
	j := ropeJob{y: y, x: x, s: s, half: a.row() / 2, f: f}
	if s.Pos+s.T <= ropeKept {
		j.table = a.table(s.Pos + s.T)[s.Pos*a.row():]
		ropeJobs.run(s.B*s.T, rowGrain(row), j)
		return
	}
	owner, table := borrow(s.T * a.row())
	a.fill(table, s.Pos)
	j.table = table
	ropeJobs.run(s.B*s.T, rowGrain(row), j)
	floatBuffers.Put(owner)
}

// The table of ropeJob has a row for each of T positions: half cosines, half
// sines.
type ropeJob struct {
	y, x, table []float32
	s           RoPEShape
	half        int
	f           func(y, x, cos, sin []float32)
}

var ropeJobs jobs[ropeJob, *ropeJob]

func (j *ropeJob) span(lo, hi int) {
	D := j.s.D
	for r := lo; r < hi; r++ {
		angles := j.table[r%j.s.T*2*j.half:]
		for h := range j.s.H {
			at := r*j.s.Stride + h*D
			j.f(j.y[at:at+D], j.x[at:at+D], angles[:j.half], angles[j.half:2*j.half])
		}
	}
}

// angles is one kind of rotation, over pairs of neighbours or over halves.
type angles struct {
	D     int
	theta float64
	pairs bool
}

// ropeKept is the number of positions whose angles are cached. Those of later
// positions are computed in every call, which bounds the memory.
const ropeKept = 1 << 16

var ropeTables = struct {
	sync.Mutex
	rows map[angles][]float32
}{rows: map[angles][]float32{}}

// row is the length of the cosines and sines of a position: D/2 of each or, for
// pairs, D of each, with every angle twice and the sines as -sin φ, sin φ.
func (a angles) row() int {
	if a.pairs {
		return 2 * a.D
	}
	return a.D
}

// table returns a table of at least n positions.
func (a angles) table(n int) []float32 {
	ropeTables.Lock()
	defer ropeTables.Unlock()
	old, row := ropeTables.rows[a], a.row()
	if len(old) >= n*row {
		return old
	}
	table := make([]float32, max(n, 2*len(old)/row)*row)
	a.fill(table[copy(table, old):], len(old)/row)
	ropeTables.rows[a] = table
	return table
}

// fill writes the rows of the positions from pos on.
func (a angles) fill(rows []float32, pos int) {
	row := a.row()
	for at := 0; at < len(rows); at += row {
		r := rows[at : at+row]
		for i := range a.D / 2 {
			s, c := math.Sincos(float64(pos) * math.Pow(a.theta, -2*float64(i)/float64(a.D)))
			sin, cos := float32(s), float32(c)
			if a.pairs {
				r[2*i], r[2*i+1] = cos, cos
				r[a.D+2*i], r[a.D+2*i+1] = -sin, sin
			} else {
				r[i], r[a.D/2+i] = cos, sin
			}
		}
		pos++
	}
}
