package nn

import "workbench/kernels"

// MaxMixes is the most outputs of ShiftMix: RWKV-7's.
const MaxMixes = kernels.MaxMixes

// ShiftMix is RWKV's token shift over x [B,T,C]: output i is mu[i]⊙x +
// (1-mu[i])⊙prev, where prev is the position before and mu[i] is [C]. last
// [B,C] is the position before the first and receives the last position; a nil
// last stands for zeros. Where mu[i] is nil there is no shift: output i is x.
func ShiftMix(g *Graph, x, last *Tensor, mu ...*Tensor) (out [MaxMixes]*Tensor) {
	return shiftMix(g, false, x, last, mu)
}

// ShiftMixPrev is ShiftMix with the weights applied to the previous token, as
// RWKV-6 and 7 store them: output i is x + mu[i]⊙(prev - x).
func ShiftMixPrev(g *Graph, x, last *Tensor, mu ...*Tensor) (out [MaxMixes]*Tensor) {
	return shiftMix(g, true, x, last, mu)
}

func shiftMix(g *Graph, ofPrev bool, x, last *Tensor, mu []*Tensor) (out [MaxMixes]*Tensor) {
	B, T, C := x.Dim(0), x.Dim(1), x.Dim(2)
	in := kernels.MixInputs{X: x.Data, Last: data(last)}
	var y [MaxMixes][]float32
	n := 0
	for i, w := range mu {
		if out[i] = x; w == nil {
			continue
		}
		out[i] = g.like(x)
		in.Mu[n], y[n] = w.Data, out[i].Data
		n++
	}
	if n == 0 {
		return out
	}
	if ofPrev {
		kernels.ShiftMixPrev(y[:n], in, B, T, C)
	} else {
		kernels.ShiftMix(y[:n], in, B, T, C)
	}
	if g.record {
		o := shiftMixOp{ofPrev: ofPrev, x: x, out: out}
		if last != nil {
			o.first = g.copyOf(last.Data)
		}
		copy(o.mu[:], mu)
		record(g, nil, o)
	}
	keepLast(last, x)
	return out
}

// Last is the last T positions of x [B,S,C].
func Last(g *Graph, x *Tensor, T int) *Tensor {
	B, S, C := x.Dim(0), x.Dim(1), x.Dim(2)
	if T == S {
		return x
	}
	y := g.Tensor(B, T, C)
	for b := range B {
		copy(y.Data[b*T*C:(b+1)*T*C], x.Data[(b*S+S-T)*C:])
	}
	if g.record {
		record(g, y, lastOp{x, y})
	}
	return y
}

type lastOp struct{ x, y *Tensor }

func (o *lastOp) back(g *Graph) {
	dx, n, all := g.grad(o.x), o.y.Dim(1)*o.y.Dim(2), o.x.Dim(1)*o.x.Dim(2)
	for b := range o.x.Dim(0) {
		kernels.Accumulate(dx[(b+1)*all-n:(b+1)*all], o.y.Grad[b*n:(b+1)*n])
	}
}

// keepLast copies the last position of x [B,T,C] to last [B,C].
func keepLast(last, x *Tensor) {
	if last == nil {
		return
	}
	B, T, C := x.Dim(0), x.Dim(1), x.Dim(2)
	for b := range B {
		copy(last.Data[b*C:(b+1)*C], x.Data[((b+1)*T-1)*C:])
	}
}

type shiftMixOp struct {
	ofPrev  bool
	x       *Tensor
	first   []float32 // [B,C], before the first position
	mu, out [MaxMixes]*Tensor
}

func (o *shiftMixOp) back(g *Graph) {
	x := o.x
	in, d := kernels.MixInputs{X: x.Data, Last: o.first}, kernels.MixInputs{X: g.grad(x)}
	var dy [MaxMixes][]float32
	n := 0
	for i, w := range o.mu {
		if w != nil {
			in.Mu[n], d.Mu[n], dy[n] = w.Data, g.grad(w), g.grad(o.out[i])
			n++
		}
	}
	// Note: called through a function variable, the arrays above would be
	// allocated on the heap.
	if o.ofPrev {
		kernels.ShiftMixPrevGrad(d, dy[:n], in, x.Dim(0), x.Dim(1), x.Dim(2))
	} else {
		kernels.ShiftMixGrad(d, dy[:n], in, x.Dim(0), x.Dim(1), x.Dim(2))
	}
}

// WKV4State is the state of one RWKV-4 time mixing: the true state is (A·eᴾ,
// B·eᴾ), each [B,C].
type WKV4State struct {
	A *Tensor `s:"aa"`
	B *Tensor `s:"bb"`
	P *Tensor `s:"pp"`
}

// NewWKV4State returns the state of B fresh sequences.
func NewWKV4State(B, C int) *WKV4State {
	return &WKV4State{A: New(B, C), B: New(B, C), P: New(B, C).Fill(kernels.WKV4Start)}
}

// WKV4 is the recurrence of RWKV-4 over k, v [B,T,C] with log-decay w [C] and
// bonus u [C], continuing from s and updating it; see kernels.WKV4.
func WKV4(g *Graph, w, u, k, v *Tensor, s *WKV4State) *Tensor {
	B, T, C := k.Dim(0), k.Dim(1), k.Dim(2)
	y := g.like(k)
	o := wkv4Op{w: w, u: u, k: k, v: v, y: y}
	var state kernels.WKV4State
	if s != nil {
		state = kernels.WKV4State{A: s.A.Data, B: s.B.Data, P: s.P.Data}
	} else {
		state = kernels.WKV4State{A: g.floats(B * C), B: g.floats(B * C), P: g.floats(B * C)}
		clear(state.A)
		clear(state.B)
		for i := range state.P {
			state.P[i] = kernels.WKV4Start
		}
	}
	if g.record && s != nil {
		o.s0 = kernels.WKV4State{A: g.copyOf(state.A), B: g.copyOf(state.B), P: g.copyOf(state.P)}
	}
	kernels.WKV4(y.Data, state, o.inputs(), B, T, C)
	if g.record {
		record(g, y, o)
	}
	return y
}

type wkv4Op struct {
	w, u, k, v, y *Tensor
	s0            kernels.WKV4State // before, the zero value: nothing
}

func (o *wkv4Op) back(g *Graph) {
	d := kernels.WKV4Inputs{W: g.grad(o.w), U: g.grad(o.u), K: g.grad(o.k), V: g.grad(o.v)}
	kernels.WKV4Grad(d, o.y.Grad, o.s0, o.inputs(), o.k.Dim(0), o.k.Dim(1), o.k.Dim(2))
}

func (o *wkv4Op) inputs() kernels.WKV4Inputs {
	return kernels.WKV4Inputs{W: o.w.Data, U: o.u.Data, K: o.k.Data, V: o.v.Data}
}

func (g *Graph) copyOf(x []float32) []float32 {
	c := g.floats(len(x))
	copy(c, x)
	return c
}
