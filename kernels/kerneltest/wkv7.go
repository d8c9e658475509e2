package kerneltest

import (
	"math"
	"math/rand/v2"

	"workbench/kernels"
)

// wkv7Op has dims B, T, H, N; its inputs are w, r, k, v, a, b and the state;
// its outputs are y, the state and sa.
func wkv7Op(name string, state bool) *Op {
	o := &Op{name: name, tol: 4e-6, gradTol: 2e-5,
		dims:  [][]int{{1, 1, 1, 1}, {2, 3, 2, 3}, {1, 40, 2, 5}, {2, 2, 1, 64}},
		speed: [][]int{{1, 1, 12, 64}, {4, 64, 12, 64}},
		inputs: func(d []int) []array {
			n := d[0] * d[1] * d[2] * d[3]
			unit := func(r *rand.Rand) float64 { return r.NormFloat64() / math.Sqrt(float64(d[3])) }
			a := []array{{n: n, value: uniform(-2, 0)}, {n: n}, {n: n}, {n: n}, {n: n, value: unit}, {n: n, value: unit}, {n: d[0] * d[2] * d[3] * d[3]}}
			if !state {
				a[6].value = zero
			}
			return a
		},
		outputs: func(d []int) []array {
			n := d[0] * d[1] * d[2] * d[3]
			return []array{{n: n}, {n: d[0] * d[2] * d[3] * d[3], from: 7}, {n: n}}
		},
		run: func(c *call) {
			kernels.WKV7(c.out[0], c.out[1], c.out[2], wkv7Inputs(c.in), c.d[0], c.d[1], c.d[2], c.d[3])
		},
		ref: refWKV7,
		grad: func(c *call) {
			s0 := c.in[6]
			if !state {
				s0 = nil
			}
			kernels.WKV7Grad(wkv7Inputs(c.din), c.dout[0], s0, c.out[2], wkv7Inputs(c.in), c.d[0], c.d[1], c.d[2], c.d[3])
		},
		wrt: []int{0, 1, 2, 3, 4, 5},
		operations: func(d []int) (forward, gradient float64) {
			n := float64(d[0] * d[1] * d[2] * d[3] * d[3])
			return 9 * n, 24 * n
		},
	}
	if state {
		for n := 2; n <= 40; n++ {
			o.dims = append(o.dims, []int{1 + n%2, 1 + n%5, 1 + n%3, n})
		}
		o.dims = append(o.dims, []int{1, 17, 1, 48}, []int{2, 33, 2, 64}, []int{1, 35, 1, 128}, []int{1, 19, 2, 67})
		o.long = [][]int{{1, 512, 12, 64}, {4, 512, 12, 64}}
	}
	return o
}

// refWKV7 is the definition, one head after the other.
func refWKV7(e *exact) {
	B, T, H, N := e.d[0], e.d[1], e.d[2], e.d[3]
	w, r, k, v, a, b := e.in[0], e.in[1], e.in[2], e.in[3], e.in[4], e.in[5]
	for head := range B * H {
		s := e.out[1][head*N*N : (head+1)*N*N]
		for t := range T {
			at := ((head/H*T+t)*H + head%H) * N
			for i := range N {
				var sa, y float64
				for j := range N {
					sa += s[j*N+i] * a[at+j]
				}
				for j := range N {
					x := math.Exp(w[at+j])*s[j*N+i] + sa*b[at+j] + v[at+i]*k[at+j]
					s[j*N+i] = x
					y += x * r[at+j]
				}
				e.out[0][at+i], e.out[2][at+i] = y, sa
			}
		}
	}
}

func wkv7Inputs(x [][]float32) kernels.WKV7Inputs {
	return kernels.WKV7Inputs{W: x[0], R: x[1], K: x[2], V: x[3], A: x[4], B: x[5]}
}
