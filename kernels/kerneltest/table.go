package kerneltest

import (
	"workbench/kernels"

	"math"
	"math/rand/v2"
	"slices"
)

func table() []*Op {
	return slices.Concat(elementwiseOps(), activationOps(), rowOps(), sequenceOps(), wkv6Ops(), normOps(), recurrentOps(), llamaOps(),
		rwkvOps())
}

// lengths are every length up to 70, and lengths of several chunks.
func lengths() (d [][]int) {
	for n := range 71 {
		d = append(d, []int{n})
	}
	return append(d, []int{1003}, []int{2*blockFloats + 5})
}

// matrices are R×C for every C up to 70, and shapes of several chunks.
func matrices() (d [][]int) {
	for c := 1; c <= 70; c++ {
		d = append(d, []int{1 + c%3, c})
	}
	return append(d, []int{0, 5}, []int{5, 257}, []int{129, 130}, []int{40, 300})
}

func uniform(lo, hi float64) func(r *rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return lo + (hi-lo)*r.Float64() }
}

// wide draws values of many magnitudes and both signs, some of them zero.
func wide(r *rand.Rand) float64 {
	if r.IntN(20) == 0 {
		return 0
	}
	return r.NormFloat64() * math.Exp(r.NormFloat64())
}

func vectors(k int, value func(r *rand.Rand) float64) func(d []int) []array {
	return func(d []int) (all []array) {
		for range k {
			all = append(all, array{n: d[0], value: value})
		}
		return all
	}
}

// over is one output vector that starts as the i-th input, counted from 1; with
// 0 it is poisoned.
func over(i int) func(d []int) []array {
	return func(d []int) []array { return []array{{n: d[0], from: i}} }
}

// each applies a function of the elements of k inputs to vectors; acc is the
// previous element of the output.
func each(f func(acc float64, x ...float64) float64) func(e *exact) {
	return func(e *exact) {
		args := make([]float64, len(e.in))
		for i := range e.out[0] {
			for k := range e.in {
				args[k] = e.in[k][i]
			}
			e.out[0][i] = f(e.out[0][i], args...)
		}
	}
}

func (o Op) vector() *Op {
	o.dims, o.speed = lengths(), [][]int{{65536}}
	if o.tol == 0 {
		o.tol = 3e-7
	}
	if o.gradTol == 0 {
		o.gradTol = 1e-6
	}
	return &o
}

func elementwiseOps() []*Op {
	return []*Op{
		Op{name: "accumulate", inputs: vectors(2, nil), outputs: over(1),
			run: func(c *call) { kernels.Accumulate(c.out[0], c.in[1]) },
			ref: each(func(y float64, x ...float64) float64 { return y + x[1] })}.vector(),
		Op{name: "axpy", inputs: vectors(2, nil), outputs: over(1),
			run: func(c *call) { kernels.Axpy(c.out[0], -0.75, c.in[1]) },
			ref: each(func(y float64, x ...float64) float64 { return y - 0.75*x[1] })}.vector(),
		Op{name: "scale", inputs: vectors(1, nil), outputs: over(1),
			run: func(c *call) { kernels.Scale(c.out[0], -1.25) },
			ref: each(func(y float64, x ...float64) float64 { return -1.25 * y })}.vector(),
		Op{name: "sum_squares", inputs: vectors(1, wide),
			outputs: func([]int) []array { return []array{{n: 1}} },
			run:     func(c *call) { c.out[0][0] = float32(kernels.SumSquares(c.in[0])) },
			ref: func(e *exact) {
				for _, v := range e.in[0] {
					e.out[0][0] += v * v
				}
			}}.vector(),
		adamWOp(),
	}
}

func adamWOp() *Op {
	const lr, beta1, beta2, eps, decay, step, gscale = 0.01, 0.875, 0.96875, 0.0625, 0.125, 3, 0.5
	return Op{name: "adamw",
		inputs: func(d []int) []array {
			return []array{{n: d[0]}, {n: d[0]}, {n: d[0]}, {n: d[0], value: uniform(0, 2)}}
		},
		outputs: func(d []int) []array { return []array{{n: d[0], from: 1}, {n: d[0], from: 3}, {n: d[0], from: 4}} },
		run: func(c *call) {
			kernels.AdamW(c.out[0], c.in[1], c.out[1], c.out[2], kernels.AdamWStep{Step: step, LR: lr, Beta1: beta1, Beta2: beta2, Eps: eps, Decay: decay, Scale: gscale})
		},
		ref: func(e *exact) {
			p, m, v := e.out[0], e.out[1], e.out[2]
			for i, g := range e.in[1] {
				g *= gscale
				p[i] *= 1 - lr*decay
				m[i] = beta1*m[i] + (1-beta1)*g
				v[i] = beta2*v[i] + (1-beta2)*g*g
				mHat := m[i] / (1 - math.Pow(beta1, step))
				vHat := v[i] / (1 - math.Pow(beta2, step))
				p[i] -= lr * mHat / (math.Sqrt(vHat) + eps)
			}
		}}.vector()
}

func unaryOp(name string, f func(y, x []float32), ref func(x float64) float64, grad func(c *call)) *Op {
	return Op{name: name, inputs: vectors(1, wide), outputs: over(0),
		run:  func(c *call) { f(c.out[0], c.in[0]) },
		ref:  each(func(_ float64, x ...float64) float64 { return ref(x[0]) }),
		grad: grad, wrt: []int{0}}.vector()
}

func refSigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
func refGELU(x float64) float64    { return x * math.Erfc(-x/math.Sqrt2) / 2 }
func refGELUTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}
func refReLUSq(x float64) float64 { return math.Max(x, 0) * math.Max(x, 0) }

func activationOps() []*Op {
	return []*Op{
		unaryOp("exp", kernels.Exp, math.Exp, nil),
		unaryOp("sigmoid", kernels.Sigmoid, refSigmoid, nil),
		unaryOp("tanh", kernels.Tanh, math.Tanh, func(c *call) { kernels.TanhGrad(c.din[0], c.dout[0], c.out[0]) }),
		unaryOp("neg_exp", kernels.NegExp, func(x float64) float64 { return -math.Exp(x) },
			func(c *call) { kernels.NegExpGrad(c.din[0], c.dout[0], c.out[0]) }),
		reluSqOp(),
		unaryOp("gelu", kernels.GELU, refGELU, func(c *call) { kernels.GELUGrad(c.din[0], c.dout[0], c.in[0]) }),
		unaryOp("gelu_tanh", kernels.GELUTanh, refGELUTanh, func(c *call) { kernels.GELUTanhGrad(c.din[0], c.dout[0], c.in[0]) }),
		Op{name: "sigmoid_mul", inputs: vectors(2, wide), outputs: over(0),
			run:  func(c *call) { kernels.SigmoidMul(c.out[0], c.in[0], c.in[1]) },
			ref:  each(func(_ float64, x ...float64) float64 { return refSigmoid(x[0]) * x[1] }),
			grad: func(c *call) { kernels.SigmoidMulGrad(c.din[0], c.din[1], c.dout[0], c.in[0], c.in[1]) },
			wrt:  []int{0, 1}}.vector(),
	}
}

func (o Op) matrix() *Op {
	if o.dims, o.speed = matrices(), [][]int{{256, 768}}; o.tol == 0 {
		o.tol = 1e-6
	}
	if o.gradTol == 0 {
		o.gradTol = 5e-6
	}
	return &o
}

// shaped lists arrays of R·C (m), R (r) or C (c) floats.
func shaped(kinds string) func(d []int) []array {
	return func(d []int) (all []array) {
		for _, k := range kinds {
			all = append(all, array{n: map[rune]int{'m': d[0] * d[1], 'r': d[0], 'c': d[1]}[k]})
		}
		return all
	}
}

func rowOps() []*Op {
	return []*Op{
		Op{name: "bias", inputs: shaped("mc"),
			outputs: func(d []int) []array { return []array{{n: d[0] * d[1], from: 1}} },
			run:     func(c *call) { kernels.Epilogue{Bias: c.in[1]}.Apply(c.out[0], c.d[0], c.d[1]) },
			ref: func(e *exact) {
				for i := range e.out[0] {
					e.out[0][i] += e.in[1][i%e.d[1]]
				}
			},
			grad: func(c *call) {
				kernels.Accumulate(c.din[0], c.dout[0])
				kernels.BiasGrad(c.din[1], c.dout[0], c.d[0], c.d[1])
			}, wrt: []int{0, 1}}.matrix(),
		layerNormOp(),
		Op{name: "softmax", inputs: shaped("m"), outputs: shaped("m"), tol: 2e-6,
			run: func(c *call) { kernels.Softmax(c.out[0], c.in[0], c.d[0], c.d[1]) },
			ref: func(e *exact) {
				refRows(e.d, func(i, k int) {
					lse := refLSE(e.in[0][i:k])
					for ; i < k; i++ {
						e.out[0][i] = math.Exp(e.in[0][i] - lse)
					}
				})
			}}.matrix(),
		crossEntropyOp(),
		Op{name: "l2wrap_grad", inputs: shaped("mm"),
			outputs: func(d []int) []array { return []array{{n: d[0] * d[1], from: 1}} },
			run:     func(c *call) { kernels.L2WrapGrad(c.out[0], c.in[1], 0.125, c.d[0], c.d[1]) },
			ref: func(e *exact) {
				refRows(e.d, func(i, k int) {
					top := i
					for j := i; j < k; j++ {
						if e.in[1][j] > e.in[1][top] {
							top = j
						}
					}
					e.out[0][top] += 0.125 * e.in[1][top]
				})
			}}.matrix(),
	}
}

func refRows(d []int, f func(i, k int)) {
	for r := range d[0] {
		f(r*d[1], (r+1)*d[1])
	}
}

func refLSE(x []float64) float64 {
	var sum float64
	top := slices.Max(x)
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

func layerNormOp() *Op {
	const eps = 0.01
	return Op{name: "layer_norm", inputs: shaped("mcc"), outputs: shaped("mrr"), tol: 2e-6, gradTol: 2e-5,
		run: func(c *call) {
			kernels.LayerNorm(c.out[0], norm(c, 0, eps))
		},
		ref: func(e *exact) {
			refRows(e.d, func(i, k int) {
				var mean, variance float64
				n := float64(e.d[1])
				for _, v := range e.in[0][i:k] {
					mean += v / n
				}
				for _, v := range e.in[0][i:k] {
					variance += (v - mean) * (v - mean) / n
				}
				rstd := 1 / math.Sqrt(variance+eps)
				e.out[1][i/e.d[1]], e.out[2][i/e.d[1]] = mean, rstd
				for c := range e.d[1] {
					e.out[0][i+c] = (e.in[0][i+c]-mean)*rstd*e.in[1][c] + e.in[2][c]
				}
			})
		},
		grad: func(c *call) {
			kernels.LayerNormGrad(c.din[0], c.din[1], c.din[2], c.dout[0], norm(c, 0, eps))
		}, wrt: []int{0, 1, 2}}.matrix()
}

// The loss of crossEntropyOp weighs every row by the scale of CrossEntropyGrad.
func crossEntropyOp() *Op {
	return Op{name: "cross_entropy", inputs: shaped("m"), tol: 2e-6, gradTol: 5e-6,
		outputs: func(d []int) []array { return []array{{n: 1}, {n: d[0]}, {n: d[0]}} },
		ints: func(d []int, r *rand.Rand) []int32 {
			t := make([]int32, d[0])
			for i := range t {
				t[i] = int32(r.IntN(d[1]+1)) - 1
			}
			return t
		},
		run: func(c *call) {
			kernels.CrossEntropy(c.out[1], c.out[2], c.in[0], c.ints, c.d[0], c.d[1])
			c.out[0][0] = 0
			for _, nll := range c.out[1] {
				c.out[0][0] += nll
			}
		},
		ref: func(e *exact) {
			refRows(e.d, func(i, k int) {
				r := i / e.d[1]
				e.out[2][r] = refLSE(e.in[0][i:k])
				if t := e.ints[r]; t >= 0 {
					e.out[1][r] = e.out[2][r] - e.in[0][i+int(t)]
				}
				e.out[0][0] += e.out[1][r]
			})
		},
		grad: func(c *call) {
			kernels.CrossEntropyGrad(c.din[0], c.in[0], c.out[2], c.ints, c.dout[0][0], c.d[0], c.d[1])
		}, wrt: []int{0}}.matrix()
}

// The derivative of reluSqOp has a kink at 0, where a central difference of ±h
// is off by h/2.
func reluSqOp() *Op {
	o := unaryOp("relu_sq", kernels.ReLUSq, refReLUSq, func(c *call) { kernels.ReLUSqGrad(c.din[0], c.dout[0], c.in[0]) })
	o.gradTol = 3e-5
	return o
}
