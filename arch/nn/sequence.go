package nn

import "workbench/kernels"

// MaxMixes is the most outputs of ShiftMix: RWKV-7's.
const MaxMixes = 6

// ShiftMix is RWKV's token shift: output i is mu[i]⊙x + (1-mu[i])⊙prev, where
// prev is the position before, x [B,T,C], mu[i] [C]. What came before the first
// position is last [B,C], which then holds the last position; a nil last is
// zeros and keeps nothing. Where mu[i] is nil there is no shift: output i is x.
func ShiftMix(g *Graph, x, last *Tensor, mu ...*Tensor) (out [MaxMixes]*Tensor) {
	return shiftMix(g, false, x, last, mu)
}

// ShiftMixPrev is ShiftMix with the weights of the token before, as RWKV-6 and
// 7 store them: output i is x + mu[i]⊙(prev - x).
func ShiftMixPrev(g *Graph, x, last *Tensor, mu ...*Tensor) (out [MaxMixes]*Tensor) {
	return shiftMix(g, true, x, last, mu)
}

func shiftMix(g *Graph, ofPrev bool, x, last *Tensor, mu []*Tensor) (out [MaxMixes]*Tensor) {
	B, T, C := x.Dim(0), x.Dim(1), x.Dim(2)
	var m, y [MaxMixes][]float32
	n := 0
	for i, w := range mu {
		if out[i] = x; w == nil {
			continue
		}
		out[i] = g.like(x)
		m[n], y[n] = w.Data, out[i].Data
		n++
	}
	if n == 0 {
		return out
	}
	var first []float32
	if last != nil {
		first = last.Data
	}
	if ofPrev {
		kernels.ShiftMixPrev(y[:n], x.Data, first, m[:n], B, T, C)
	} else {
		kernels.ShiftMix(y[:n], x.Data, first, m[:n], B, T, C)
	}
	if g.record {
		if last != nil {
			first = g.copyOf(first)
		}
		o := shiftMixOp{ofPrev: ofPrev, x: x, first: first, out: out}
		copy(o.mu[:], mu)
		record(g, nil, o)
	}
	keepLast(last, x)
	return out
}

// keepLast makes last [B,C] the last position of x [B,T,C].
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
	var m, dm, dy [MaxMixes][]float32
	n := 0
	for i, w := range o.mu {
		if w != nil {
			m[n], dm[n], dy[n] = w.Data, g.grad(w), g.grad(o.out[i])
			n++
		}
	}
	// Note: called through a variable, the arrays above would be allocated.
	x := o.x
	if o.ofPrev {
		kernels.ShiftMixPrevGrad(g.grad(x), dm[:n], dy[:n], x.Data, o.first, m[:n], x.Dim(0), x.Dim(1), x.Dim(2))
	} else {
		kernels.ShiftMixGrad(g.grad(x), dm[:n], dy[:n], x.Data, o.first, m[:n], x.Dim(0), x.Dim(1), x.Dim(2))
	}
}

// WKV4State is the memory of one RWKV-4 time mixing: the true state is
// (A·eᴾ, B·eᴾ), each [B,C].
type WKV4State struct {
	A *Tensor `s:"aa"`
	B *Tensor `s:"bb"`
	P *Tensor `s:"pp"`
}

// NewWKV4State returns the memory of B sequences that have seen nothing.
func NewWKV4State(B, C int) *WKV4State {
	return &WKV4State{A: New(B, C), B: New(B, C), P: New(B, C).Fill(kernels.WKV4Start)}
}

// WKV4 is the recurrence of RWKV-4 over k, v [B,T,C] with log-decay w [C] and
// bonus u [C], continuing from s and updating it; see kernels.WKV4.
func WKV4(g *Graph, w, u, k, v *Tensor, s *WKV4State) *Tensor {
	B, T, C := k.Dim(0), k.Dim(1), k.Dim(2)
	y := g.like(k)
	var a, b, p []float32
	if s != nil {
		a, b, p = s.A.Data, s.B.Data, s.P.Data
	} else {
		a, b, p = g.floats(B*C), g.floats(B*C), g.floats(B*C)
		clear(a)
		clear(b)
		for i := range p {
			p[i] = kernels.WKV4Start
		}
	}
	if !g.record {
		kernels.WKV4(y.Data, a, b, p, w.Data, u.Data, k.Data, v.Data, B, T, C)
		return y
	}
	var a0, b0, p0 []float32
	if s != nil {
		a0, b0, p0 = g.copyOf(a), g.copyOf(b), g.copyOf(p)
	}
	kernels.WKV4(y.Data, a, b, p, w.Data, u.Data, k.Data, v.Data, B, T, C)
	record(g, y, wkv4Op{w, u, k, v, y, a0, b0, p0})
	return y
}

type wkv4Op struct {
	w, u, k, v, y *Tensor
	a, b, p       []float32 // the state before, nil: nothing
}

func (o *wkv4Op) back(g *Graph) {
	kernels.WKV4Grad(g.grad(o.w), g.grad(o.u), g.grad(o.k), g.grad(o.v), o.y.Grad,
		o.a, o.b, o.p, o.w.Data, o.u.Data, o.k.Data, o.v.Data, o.k.Dim(0), o.k.Dim(1), o.k.Dim(2))
}

func (g *Graph) copyOf(x []float32) []float32 {
	c := g.floats(len(x))
	copy(c, x)
	return c
}
