package nn

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"workbench/kernels"
)

// Blank is the seed of a model whose weights come from a file: Rand returns
// nil, and the initialisers then do nothing.
const Blank = ^uint64(0)

// Rand is the random stream of the weight of that name. Every weight has its
// own stream, so that adding a weight changes no other. It is nil for Blank.
func Rand(seed uint64, name string) *rand.Rand {
	if seed == Blank {
		return nil
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Uniform fills t from U(-a, a).
func Uniform(t *Tensor, r *rand.Rand, a float64) *Tensor {
	if r == nil {
		return t
	}
	for i := range t.Data {
		t.Data[i] = float32(a * (2*r.Float64() - 1))
	}
	return t
}

// Normal fills t from N(0, std²).
func Normal(t *Tensor, r *rand.Rand, std float64) *Tensor {
	if r == nil {
		return t
	}
	for i := range t.Data {
		t.Data[i] = float32(std * r.NormFloat64())
	}
	return t
}

// Orthogonal fills t [rows,cols] with orthonormal rows (or columns, where
// there are more rows) times gain: the Q of a random normal matrix, whose R
// has a positive diagonal.
// Source: Saxe et al., arXiv 1312.6120; torch.nn.init.orthogonal_.
func Orthogonal(t *Tensor, r *rand.Rand, gain float64) *Tensor {
	if r == nil {
		return t
	}
	R, C := t.Dim(0), t.Dim(1)
	n, m := min(R, C), max(R, C)
	q := make([][]float64, n) // n orthonormal vectors of length m
	for i := range q {
		q[i] = make([]float64, m)
		for j := range q[i] {
			q[i][j] = r.NormFloat64()
		}
	}
	for i := range q {
		scale64(q[i], 1/math.Sqrt(dot64(q[i], q[i])))
		rest := q[i+1:]
		kernels.For(len(rest), func(k int) { axpy64(rest[k], -dot64(q[i], rest[k]), q[i]) })
	}
	for i := range q {
		for j := range q[i] {
			at := i*C + j
			if R > C {
				at = j*C + i
			}
			t.Data[at] = float32(gain * q[i][j])
		}
	}
	return t
}

func dot64(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}

func axpy64(y []float64, a float64, x []float64) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}

func scale64(x []float64, a float64) {
	for i := range x {
		x[i] *= a
	}
}
