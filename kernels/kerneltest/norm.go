package kerneltest

import (
	"workbench/kernels"

	"math"
)

func normOps() []*Op {
	ops := []*Op{siluOp(), groupNormOp(), inPlaceOp()}
	for n := 1; n <= 6; n++ {
		ops = append(ops, shiftMixOp(n, n%2 == 0))
	}
	return ops
}

func siluOp() *Op {
	return unaryOp("silu", kernels.SiLU, func(x float64) float64 { return x * refSigmoid(x) },
		func(c *call) { kernels.SiLUGrad(c.din[0], c.dout[0], c.in[0]) })
}

// norm builds the arguments from in (x, w, b) and out (y, mean, rstd).
func norm(c *call, H int, eps float32) kernels.Norm {
	return kernels.Norm{X: c.in[0], W: c.in[1], B: c.in[2], Mean: c.out[1], RStd: c.out[2], R: c.d[0], C: c.d[1], H: H, Eps: eps}
}

// groupNormOp has dims R, C, H.
func groupNormOp() *Op {
	const eps = 0.01
	o := &Op{name: "group_norm", tol: 2e-6, gradTol: 2e-5, speed: [][]int{{256, 768, 12}, {512, 768, 12}}}
	for n := 1; n <= 70; n++ {
		o.dims = append(o.dims, []int{1 + n%3, n * (1 + n%4), 1 + n%4})
	}
	o.dims = append(o.dims, []int{0, 6, 2}, []int{129, 128, 2}, []int{300, 10, 5})
	o.inputs = func(d []int) []array { return shaped("mcc")(d) }
	o.outputs = func(d []int) []array { return []array{{n: d[0] * d[1]}, {n: d[0] * d[2]}, {n: d[0] * d[2]}} }
	o.run = func(c *call) {
		kernels.GroupNorm(c.out[0], norm(c, c.d[2], eps))
	}
	o.ref = func(e *exact) {
		C, H := e.d[1], e.d[2]
		N := C / H
		for g := range e.d[0] * H {
			x := e.in[0][g*N : (g+1)*N]
			var mean, variance float64
			for _, v := range x {
				mean += v / float64(N)
			}
			for _, v := range x {
				variance += (v - mean) * (v - mean) / float64(N)
			}
			rstd := 1 / math.Sqrt(variance+eps)
			e.out[1][g], e.out[2][g] = mean, rstd
			for i, v := range x {
				c := (g*N + i) % C
				e.out[0][g*N+i] = (v-mean)*rstd*e.in[1][c] + e.in[2][c]
			}
		}
	}
	o.grad = func(c *call) {
		kernels.GroupNormGrad(c.din[0], c.din[1], c.din[2], c.dout[0], norm(c, c.d[2], eps))
	}
	o.wrt = []int{0, 1, 2}
	return o
}

func mixes(x [][]float32) (all [kernels.MaxMixes][]float32) {
	copy(all[:], x)
	return all
}

// shiftMixOp has dims B, T, C; its inputs are x, last and n weights. Its one
// output holds the outputs of the kernel one after the other.
func shiftMixOp(n int, last bool) *Op {
	cut := func(x []float32, size int) (all [][]float32) {
		for i := range n {
			all = append(all, x[i*size:(i+1)*size])
		}
		return all
	}
	inputs := func(c *call) kernels.MixInputs {
		return kernels.MixInputs{X: c.in[0], Last: given(last, c.in[1]), Mu: mixes(c.in[2:])}
	}
	o := &Op{name: "shift_mix" + string(rune('0'+n)), tol: 1e-6, gradTol: 1e-5, allocates: true,
		dims: [][]int{{0, 3, 4}, {2, 0, 4}, {2, 3, 5}, {3, 40, 24}, {1, 300, 17}}, speed: [][]int{{4, 256, 768}}, wrt: []int{0}}
	for c := 1; c <= 40; c++ {
		o.dims = append(o.dims, []int{1 + c%3, 1 + c%4, c})
	}
	o.inputs = func(d []int) []array {
		a := []array{{n: d[0] * d[1] * d[2]}, {n: d[0] * d[2]}}
		for range n {
			a = append(a, array{n: d[2]})
		}
		return a
	}
	for i := range n {
		o.wrt = append(o.wrt, 2+i)
	}
	o.outputs = func(d []int) []array { return []array{{n: n * d[0] * d[1] * d[2]}} }
	o.run = func(c *call) {
		kernels.ShiftMix(cut(c.out[0], len(c.in[0])), inputs(c), c.d[0], c.d[1], c.d[2])
	}
	o.ref = func(e *exact) {
		T, C := e.d[1], e.d[2]
		x := e.in[0]
		for i := range x {
			prev := 0.0
			if r := i / C; r%T != 0 {
				prev = x[i-C]
			} else if last {
				prev = e.in[1][r/T*C+i%C]
			}
			for k := range n {
				mu := e.in[2+k][i%C]
				e.out[0][k*len(x)+i] = mu*x[i] + (1-mu)*prev
			}
		}
	}
	o.grad = func(c *call) {
		kernels.ShiftMixGrad(kernels.MixInputs{X: c.din[0], Mu: mixes(c.din[2:])}, cut(c.dout[0], len(c.in[0])), inputs(c), c.d[0], c.d[1], c.d[2])
	}
	return o
}

// inPlaceOp has dims R, V; a third of the rows have no target.
func inPlaceOp() *Op {
	const scale, wrap = 0.375, 0.25
	o := Op{name: "cross_entropy_in_place", inputs: shaped("m"), tol: 3e-6,
		outputs: func(d []int) []array { return []array{{n: d[0] * d[1], from: 1}, {n: d[0]}, {n: d[0]}} },
		ints:    crossEntropyOp().ints,
		run: func(c *call) {
			kernels.CrossEntropyInPlace(c.out[1], c.out[2], c.out[0], c.ints, scale, wrap, c.d[0], c.d[1])
		},
		ref: func(e *exact) {
			refRows(e.d, func(i, k int) {
				r, x, d := i/e.d[1], e.in[0][i:k], e.out[0][i:k]
				top, lse := 0, refLSE(x)
				for v := range x {
					if d[v] = 0; x[v] > x[top] {
						top = v
					}
				}
				e.out[2][r] = lse
				if t := int(e.ints[r]); t >= 0 {
					e.out[1][r] = lse - x[t]
					for v := range x {
						d[v] = scale * math.Exp(x[v]-lse)
					}
					d[t] -= scale
				}
				d[top] += wrap * x[top]
			})
		}}.matrix()
	o.speed = [][]int{{64, 5027}}
	return o
}
