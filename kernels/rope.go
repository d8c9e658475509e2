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
	ropeRun("RoPE", y, x, B, T, H, D, stride, pos0, theta, rotate)
}

// RoPEGrad is dx += dy turned by the negative angle, laid out as in RoPE.
func RoPEGrad(dx, dy []float32, B, T, H, D, stride, pos0 int, theta float64) {
	ropeRun("RoPEGrad", dx, dy, B, T, H, D, stride, pos0, theta, rotateBackAdd)
}

func ropeRun(op string, y, x []float32, B, T, H, D, stride, pos0 int, theta float64, f func(y, x, cos, sin []float32)) {
	needDims(op, B, T, H, D, pos0)
	if D%2 != 0 || stride < H*D {
		panic("kernels: " + op + ": D must be even and stride at least H·D")
	}
	if B*T == 0 || H*D == 0 {
		return
	}
	needReach(op, "y", y, (B*T-1)*stride, H*D)
	needReach(op, "x", x, (B*T-1)*stride, H*D)
	ropeJobs.run(B*T, rowGrain(H*D), ropeJob{y, x, ropeTableFor(D, theta, pos0+T), T, H, D, stride, pos0, f})
}

type ropeJob struct {
	y, x                  []float32
	table                 []float32
	T, H, D, stride, pos0 int
	f                     func(y, x, cos, sin []float32)
}

var ropeJobs jobs[ropeJob, *ropeJob]

func (j *ropeJob) span(lo, hi int) {
	half := j.D / 2
	for r := lo; r < hi; r++ {
		angles := j.table[(j.pos0+r%j.T)*j.D:]
		for h := range j.H {
			at := r*j.stride + h*j.D
			j.f(j.y[at:at+j.D], j.x[at:at+j.D], angles[:half], angles[half:j.D])
		}
	}
}

// ropeTables keeps the cosines and sines of each (D, theta) met so far: row
// pos holds D/2 cosines and D/2 sines.
var ropeTables = struct {
	sync.Mutex
	rows map[ropeKey][]float32
}{rows: map[ropeKey][]float32{}}

type ropeKey struct {
	D     int
	theta float64
}

// ropeTableFor returns a table of at least n positions.
func ropeTableFor(D int, theta float64, n int) []float32 {
	ropeTables.Lock()
	defer ropeTables.Unlock()
	old := ropeTables.rows[ropeKey{D, theta}]
	if len(old) >= n*D {
		return old
	}
	table := make([]float32, max(n, 2*len(old)/D)*D)
	copy(table, old)
	for at := len(old); at < len(table); at += D {
		pos := float64(at / D)
		for i := range D / 2 {
			sin, cos := math.Sincos(pos * math.Pow(theta, -2*float64(i)/float64(D)))
			table[at+i], table[at+D/2+i] = float32(cos), float32(sin)
		}
	}
	ropeTables.rows[ropeKey{D, theta}] = table
	return table
}
