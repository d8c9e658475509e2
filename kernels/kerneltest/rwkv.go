package kerneltest

import (
	"math"
	"slices"

	"workbench/kernels"
)

func rwkvOps() []*Op {
	return []*Op{
		shiftMixPrevOp(), shiftMixByOp(), lerpOp(), expMulOp(), keys7Op("keys7", true, true), gate7Op("gate7", true, true),
		activationOp("act_relu", kernels.ActReLU, func(x float64) float64 { return math.Max(x, 0) }),
		activationOp("act_sigmoid", kernels.ActSigmoid, refSigmoid),
		activationOp("act_decay7", kernels.ActDecay7, func(x float64) float64 { return -math.Exp(-0.5) * refSigmoid(x) }),
	}
}

// activationOp is an activation applied in place by an Epilogue.
func activationOp(name string, f kernels.Activation, ref func(x float64) float64) *Op {
	o := unaryOp(name, nil, ref, func(c *call) {
		x := c.in[0]
		if f.ByValue() {
			x = c.out[0]
		}
		f.Grad(c.din[0], c.dout[0], x)
	})
	o.inputs, o.outputs = vectors(1, nil), over(1)
	o.run = func(c *call) { kernels.Epilogue{F: f}.Apply(c.out[0], 1, len(c.out[0])) }
	return o
}

// cut splits x into n equal parts.
func cut(x []float32, n int) (all [][]float32) {
	for i := range n {
		all = append(all, x[i*len(x)/n:(i+1)*len(x)/n])
	}
	return all
}

// sequences are B×T×C for every C up to 40, and shapes of several chunks.
func sequences() (d [][]int) {
	for c := 1; c <= 40; c++ {
		d = append(d, []int{1 + c%3, 1 + c%4, c})
	}
	return append(d, []int{0, 3, 4}, []int{2, 0, 4}, []int{2, 3, 5}, []int{3, 40, 24}, []int{1, 300, 17})
}

// shiftMixPrevOp is shiftMixOp with the weights applied to the previous token.
func shiftMixPrevOp() *Op {
	const n = 6
	o := shiftMixOp(n, true)
	o.name = "shift_mix_prev6"
	ref := o.ref
	o.run = func(c *call) {
		kernels.ShiftMixPrev(cut(c.out[0], n), kernels.MixInputs{X: c.in[0], Last: c.in[1], Mu: mixes(c.in[2:])}, c.d[0], c.d[1], c.d[2])
	}
	o.ref = func(e *exact) {
		in := e.in
		e.in = slices.Clone(in)
		for i, mu := range in[2:] {
			e.in[2+i] = make([]float64, len(mu))
			for c, v := range mu {
				e.in[2+i][c] = 1 - v
			}
		}
		ref(e)
		e.in = in
	}
	o.grad = func(c *call) {
		kernels.ShiftMixPrevGrad(kernels.MixInputs{X: c.din[0], Mu: mixes(c.din[2:])}, cut(c.dout[0], n),
			kernels.MixInputs{X: c.in[0], Last: c.in[1], Mu: mixes(c.in[2:])}, c.d[0], c.d[1], c.d[2])
	}
	return o
}

// shiftMixByOp has dims B, T, C; its inputs are x, last, five weights and what
// is added to each. Its one output holds the outputs of the kernel one after
// the other.
func shiftMixByOp() *Op {
	const n = 5
	o := &Op{name: "shift_mix_by5", tol: 1e-6, gradTol: 1e-5, allocates: true, dims: sequences(), speed: [][]int{{4, 128, 768}},
		wrt: []int{0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}
	o.inputs = func(d []int) []array {
		a := []array{{n: d[0] * d[1] * d[2]}, {n: d[0] * d[2]}}
		for i := range 2 * n {
			a = append(a, array{n: []int{d[2], d[0] * d[1] * d[2]}[i/n]})
		}
		return a
	}
	o.outputs = func(d []int) []array { return []array{{n: n * d[0] * d[1] * d[2]}} }
	inputs := func(x [][]float32) kernels.MixInputs {
		return kernels.MixInputs{X: x[0], Last: x[1], Mu: mixes(x[2 : 2+n]), M: mixes(x[2+n:])}
	}
	o.run = func(c *call) {
		kernels.ShiftMixBy(cut(c.out[0], n), inputs(c.in), c.d[0], c.d[1], c.d[2])
	}
	o.ref = func(e *exact) {
		T, C := e.d[1], e.d[2]
		x := e.in[0]
		for i := range x {
			prev := e.in[1][i/C/T*C+i%C]
			if i/C%T != 0 {
				prev = x[i-C]
			}
			for k := range n {
				e.out[0][k*len(x)+i] = x[i] + (e.in[2+k][i%C]+e.in[2+n+k][i])*(prev-x[i])
			}
		}
	}
	o.grad = func(c *call) {
		kernels.ShiftMixByGrad(inputs(c.din), cut(c.dout[0], n), inputs(c.in), c.d[0], c.d[1], c.d[2])
	}
	return o
}

func lerpOp() *Op {
	return Op{name: "lerp", inputs: vectors(3, nil), outputs: over(0),
		run: func(c *call) { kernels.Lerp(c.out[0], c.in[0], c.in[1], c.in[2]) },
		ref: each(func(_ float64, x ...float64) float64 { return x[0] + x[2]*(x[1]-x[0]) }),
		grad: func(c *call) {
			kernels.LerpGrad(c.din[0], c.din[1], c.din[2], c.dout[0], c.in[0], c.in[1], c.in[2])
		}, wrt: []int{0, 1, 2}}.vector()
}

func expMulOp() *Op {
	return Op{name: "exp_mul", inputs: vectors(2, nil), outputs: over(0),
		run: func(c *call) { kernels.ExpMul(c.out[0], c.in[0], c.in[1]) },
		ref: each(func(_ float64, x ...float64) float64 { return math.Exp(x[0]) * x[1] }),
		grad: func(c *call) {
			kernels.ExpMulGrad(c.din[0], c.din[1], c.dout[0], c.out[0], c.in[0])
		}, wrt: []int{0, 1}}.vector()
}

// heads are R×H×N for every N up to 70, and shapes of several chunks.
func heads() (d [][]int) {
	for n := 1; n <= 70; n++ {
		d = append(d, []int{1 + n%3, 1 + n%4, n})
	}
	return append(d, []int{0, 2, 3}, []int{129, 2, 64}, []int{300, 5, 2})
}

// given returns x where a part is present, else nil.
func given(part bool, x []float32) []float32 {
	if part {
		return x
	}
	return nil
}

// keys7Op has dims R, H, N; its inputs are k, a, kk, ka. Its first output is
// remove, replace and key one after the other; the outputs of an absent part
// are k.
func keys7Op(name string, rate, removal bool) *Op {
	o := &Op{name: name, tol: 1e-6, gradTol: 1e-5, allocates: true, dims: heads(), speed: [][]int{{256, 12, 64}}, wrt: []int{0}}
	if rate {
		o.wrt = append(o.wrt, 1, 3)
	}
	if removal {
		o.wrt = append(o.wrt, 2)
	}
	o.inputs = func(d []int) []array {
		C := d[1] * d[2]
		return []array{{n: d[0] * C}, {n: d[0] * C, value: uniform(0, 1)}, {n: C}, {n: C}}
	}
	o.outputs = func(d []int) []array { return []array{{n: 3 * d[0] * d[1] * d[2]}, {n: d[0] * d[1]}} }
	inputs := func(x [][]float32) kernels.Keys7Inputs {
		return kernels.Keys7Inputs{K: x[0], A: given(rate, x[1]), KK: given(removal, x[2]), KA: given(rate, x[3])}
	}
	outputs := func(x []float32) kernels.Keys7Outputs {
		y := cut(x, 3)
		return kernels.Keys7Outputs{Remove: given(removal, y[0]), Replace: given(removal, y[1]), Key: given(rate, y[2])}
	}
	o.run = func(c *call) {
		y := cut(c.out[0], 3)
		clear(c.out[1])
		for i, part := range []bool{removal, removal, rate} {
			if !part {
				clear(y[i])
			}
		}
		kernels.Keys7(outputs(c.out[0]), given(removal, c.out[1]), inputs(c.in), c.d[0], c.d[1], c.d[2])
	}
	o.ref = func(e *exact) { refKeys7(e, rate, removal) }
	o.grad = func(c *call) {
		kernels.Keys7Grad(inputs(c.din), outputs(c.dout[0]), outputs(c.out[0]).Remove, given(removal, c.out[1]), inputs(c.in), c.d[0], c.d[1], c.d[2])
	}
	return o
}

func refKeys7(e *exact, rate, removal bool) {
	C, N := e.d[1]*e.d[2], e.d[2]
	k, a, kk, ka := e.in[0], e.in[1], e.in[2], e.in[3]
	n := len(k)
	for g := range e.out[1] {
		at := g * N
		sum := 0.0
		for i := at; i < at+N; i++ {
			sum += k[i] * kk[i%C] * k[i] * kk[i%C]
		}
		scale := 1 / math.Max(math.Sqrt(sum), 1e-12)
		for i := at; i < at+N; i++ {
			if removal {
				e.out[1][g] = scale
				e.out[0][i], e.out[0][n+i] = -k[i]*kk[i%C]*scale, k[i]*kk[i%C]*scale
			}
			if removal && rate {
				e.out[0][n+i] *= a[i]
			}
			if rate {
				e.out[0][2*n+i] = k[i] * (1 + (a[i]-1)*ka[i%C])
			}
		}
	}
}

// gate7Op has dims R, H, N; its inputs are x, r, key, rk, v, g.
func gate7Op(name string, bonus, gate bool) *Op {
	o := &Op{name: name, tol: 2e-6, gradTol: 1e-5, dims: heads(), speed: [][]int{{256, 12, 64}}, wrt: []int{0}}
	if bonus {
		o.wrt = append(o.wrt, 1, 2, 3, 4)
	}
	if gate {
		o.wrt = append(o.wrt, 5)
	}
	o.inputs = func(d []int) []array {
		C := d[1] * d[2]
		m := array{n: d[0] * C}
		return []array{m, m, m, {n: C}, m, m}
	}
	o.outputs = func(d []int) []array { return []array{{n: d[0] * d[1] * d[2]}, {n: d[0] * d[1]}} }
	inputs := func(x [][]float32) kernels.Gate7Inputs {
		return kernels.Gate7Inputs{X: x[0], R: given(bonus, x[1]), Key: given(bonus, x[2]), RK: given(bonus, x[3]), V: given(bonus, x[4]), G: given(gate, x[5])}
	}
	o.run = func(c *call) {
		clear(c.out[1])
		kernels.Gate7(c.out[0], given(bonus, c.out[1]), inputs(c.in), c.d[0], c.d[1], c.d[2])
	}
	o.ref = func(e *exact) {
		C, N := e.d[1]*e.d[2], e.d[2]
		for h := range e.out[1] {
			if bonus {
				for i := h * N; i < (h+1)*N; i++ {
					e.out[1][h] += e.in[1][i] * e.in[2][i] * e.in[3][i%C]
				}
			}
			for i := h * N; i < (h+1)*N; i++ {
				e.out[0][i] = e.in[0][i] + e.out[1][h]*e.in[4][i]
				if gate {
					e.out[0][i] *= e.in[5][i]
				}
			}
		}
	}
	o.grad = func(c *call) {
		kernels.Gate7Grad(inputs(c.din), c.dout[0], given(bonus, c.out[1]), inputs(c.in), c.d[0], c.d[1], c.d[2])
	}
	return o
}
