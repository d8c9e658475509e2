package kernels

import (
	"math"
	"sync"
)

// RoPE turns pairs of channels by an angle that grows with the position:
//
//	φ = (pos0+t)·theta^(-2i/D);  y[i] = x[i]·cos φ - x[i+D/2]·sin φ
//	                             y[i+D/2] = x[i+D/2]·cos φ + x[i]·sin φ
//
// for i < D/2 in each of H heads of D channels (D even). Row (b,t) of x and y
// starts at (b·T+t)·stride; floats between rows are not touched. y may be x.
// Source: RoFormer (2104.09864), in the rotate-half order of GPT-NeoX.
func RoPE(y, x []float32, B, T, H, D, stride, pos0 int, theta float64) {
	ropeRun("RoPE", y, x, B, T, H, D, stride, pos0, theta, false, rotate)
}

// RoPEGrad is dx += dy turned by the negative angle, laid out as in RoPE.
func RoPEGrad(dx, dy []float32, B, T, H, D, stride, pos0 int, theta float64) {
	ropeRun("RoPEGrad", dx, dy, B, T, H, D, stride, pos0, theta, false, rotateBackAdd)
}

// RoPEPairs is RoPE with neighbours as pairs: i and i+D/2 there are 2i and
// 2i+1 here. Source: RoFormer's own order, that of Meta's Llama and llama2.c.
func RoPEPairs(y, x []float32, B, T, H, D, stride, pos0 int, theta float64) {
	ropeRun("RoPEPairs", y, x, B, T, H, D, stride, pos0, theta, true, rotatePairs)
}

// RoPEPairsGrad is dx += dy turned by the negative angle, as in RoPEPairs.
func RoPEPairsGrad(dx, dy []float32, B, T, H, D, stride, pos0 int, theta float64) {
	ropeRun("RoPEPairsGrad", dx, dy, B, T, H, D, stride, pos0, theta, true, rotatePairsBackAdd)
}

func ropeRun(op string, y, x []float32, B, T, H, D, stride, pos0 int, theta float64, pairs bool, f func(y, x, cos, sin []float32)) {
	needDims(op, B, T, H, D, pos0)
	if D%2 != 0 || stride < H*D {
		panic("kernels: " + op + ": D must be even and stride at least H·D")
	}
	if B*T == 0 || H*D == 0 {
		return
	}
	needReach(op, "y", y, (B*T-1)*stride, H*D)
	needReach(op, "x", x, (B*T-1)*stride, H*D)
	a := angles{D, theta, pairs}
	j := ropeJob{y: y, x: x, T: T, H: H, D: D, stride: stride, half: a.row() / 2, f: f}
	if pos0+T <= ropeKept {
		j.table = a.table(pos0 + T)[pos0*a.row():]
		ropeJobs.run(B*T, rowGrain(H*D), j)
		return
	}
	owner, table := borrow(T * a.row())
	a.fill(table, pos0)
	j.table = table
	ropeJobs.run(B*T, rowGrain(H*D), j)
	floatBuffers.Put(owner)
}

// ropeJob's table has a row for each of T positions: half cosines, half sines.
type ropeJob struct {
	y, x, table           []float32
	T, H, D, stride, half int
	f                     func(y, x, cos, sin []float32)
}

var ropeJobs jobs[ropeJob, *ropeJob]

func (j *ropeJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		angles := j.table[r%j.T*2*j.half:]
		for h := range j.H {
			at := r*j.stride + h*j.D
			j.f(j.y[at:at+j.D], j.x[at:at+j.D], angles[:j.half], angles[j.half:2*j.half])
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
