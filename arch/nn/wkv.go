package nn

import (
	"fmt"

	"workbench/kernels"
)

// WKV5 is the recurrence of RWKV-5 over r, k, v [B,T,C] with log-decay w and
// bonus u of C values, nil for ones, in that many heads, continuing from
// s [B,heads,N,N] and updating it; see kernels.WKV5. A nil s starts from zeros
// and keeps nothing.
func WKV5(g *Graph, w, u, r, k, v *Tensor, heads int, s *Tensor) *Tensor {
	return wkv6(g, w, u, r, k, v, heads, s, false)
}

// WKV6 is WKV5 with a log-decay for each step: w is [B,T,C].
func WKV6(g *Graph, w, u, r, k, v *Tensor, heads int, s *Tensor) *Tensor {
	return wkv6(g, w, u, r, k, v, heads, s, true)
}

func wkv6(g *Graph, w, u, r, k, v *Tensor, heads int, s *Tensor, perStep bool) *Tensor {
	B, T, C := r.Dim(0), r.Dim(1), r.Dim(2)
	if C%heads != 0 {
		panic(fmt.Sprintf("nn: WKV: %d channels do not split into %d heads", C, heads))
	}
	N := C / heads
	y := g.like(r)
	o := wkv6Op{w: w, u: u, r: r, k: k, v: v, y: y, heads: heads, perStep: perStep}
	state := o.start(g, s, B*C*N)
	forward := kernels.WKV5
	if perStep {
		forward = kernels.WKV6
	}
	forward(y.Data, state, o.inputs(), B, T, heads, N)
	if g.record {
		record(g, y, o)
	}
	return y
}

type wkv6Op struct {
	w, u, r, k, v, y *Tensor
	s                []float32 // the state before, nil: zeros
	heads            int
	perStep          bool
}

// start returns the state to run in; when recording, it stores a copy for the
// gradient.
func (o *wkv6Op) start(g *Graph, s *Tensor, n int) []float32 {
	if s == nil {
		zeros := g.floats(n)
		clear(zeros)
		return zeros
	}
	if g.record {
		o.s = g.copyOf(s.Data)
	}
	return s.Data
}

func (o *wkv6Op) back(g *Graph) {
	B, T, C := o.r.Dim(0), o.r.Dim(1), o.r.Dim(2)
	backward := kernels.WKV5Grad
	if o.perStep {
		backward = kernels.WKV6Grad
	}
	d := kernels.WKV6Inputs{W: g.grad(o.w), U: g.grad(o.u), R: g.grad(o.r), K: g.grad(o.k), V: g.grad(o.v)}
	backward(d, o.y.Grad, o.s, o.inputs(), B, T, o.heads, C/o.heads)
}

func (o *wkv6Op) inputs() kernels.WKV6Inputs {
	return kernels.WKV6Inputs{W: o.w.Data, U: data(o.u), R: o.r.Data, K: o.k.Data, V: o.v.Data}
}
