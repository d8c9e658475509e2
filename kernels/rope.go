package kernels

import (
	"math"
	"sync"
)

// RoPEShape lays out rows of H heads of D channels, for T positions of B
// sequences: row (b,t) starts at (b·T+t)·Stride; floats between rows are not
// touched.
type RoPEShape struct {
	B, T, H, D, Stride int     // D is even, Stride at least H·D
	Pos                int     // position of the first row of a sequence
	Theta              float64 // base of the angles
}

// RoPE turns pairs of channels by an angle that grows with the position:
//
//	φ = (pos+t)·theta^(-2i/D);  y[i] = x[i]·cos φ - x[i+D/2]·sin φ
//	                             y[i+D/2] = x[i+D/2]·cos φ + x[i]·sin φ
//
// for i < D/2 in each head. y may be x.
// Source: RoFormer (2104.09864), in the rotate-half order of GPT-NeoX.
func RoPE(y, x []float32, s RoPEShape) { s.run("RoPE", y, x, false, rotate) }

// RoPEGrad is dx += dy turned by the negative angle, laid out as in RoPE.
func RoPEGrad(dx, dy []float32, s RoPEShape) { s.run("RoPEGrad", dx, dy, false, rotateBackAdd) }

// RoPEPairs is RoPE with neighbours as pairs: i and i+D/2 there are 2i and
// 2i+1 here. Source: RoFormer's own order, that of Meta's Llama and llama2.c.
func RoPEPairs(y, x []float32, s RoPEShape) { s.run("RoPEPairs", y, x, true, rotatePairs) }

// RoPEPairsGrad is dx += dy turned by the negative angle, as in RoPEPairs.
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

// ropeJob's table has a row for each of T positions: half cosines, half sines.
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

// angles is one kind of rotation, with neighbours as pairs or halves.
type angles struct {
	D     int
	theta float64
	pairs bool
}

// ropeKept is how many positions' angles are kept; those beyond are computed
// in every call, so that a text without end needs no memory without end.
const ropeKept = 1 << 16

var ropeTables = struct {
	sync.Mutex
	rows map[angles][]float32
}{rows: map[angles][]float32{}}

// row is the length of a position's cosines and sines: D/2 of each, or for
// pairs D of each, every angle twice, the sines as -sin φ, sin φ.
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

// fill writes rows for the positions from pos on.
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
