package nn

import "workbench/kernels"

// WKV7 is the recurrence of RWKV-7 over w, r, k, v, a, b [B,T,C] in heads of
// C/heads channels, continuing from s [B,heads,N,N] and updating it; see
// kernels.WKV7. A nil s starts from zeros and keeps nothing.
func WKV7(g *Graph, w, r, k, v, a, b *Tensor, heads int, s *Tensor) *Tensor {
	B, T, C := k.Dim(0), k.Dim(1), k.Dim(2)
	N := C / heads
	y := g.like(k)
	o := wkv7Op{w: w, r: r, k: k, v: v, a: a, b: b, y: y, heads: heads}
	var state []float32
	if s != nil {
		state = s.Data
	} else {
		state = g.floats(B * C * N)
		clear(state)
	}
	if g.record {
		if o.sa = g.floats(B * T * C); s != nil {
			o.s0 = g.copyOf(state)
		}
	}
	kernels.WKV7(y.Data, state, o.sa, o.inputs(), B, T, heads, N)
	if g.record {
		record(g, y, o)
	}
	return y
}

type wkv7Op struct {
	w, r, k, v, a, b, y *Tensor
	heads               int
	s0                  []float32 // the state before, nil: zeros
	sa                  []float32
}

func (o *wkv7Op) back(g *Graph) {
	d := kernels.WKV7Inputs{W: g.grad(o.w), R: g.grad(o.r), K: g.grad(o.k), V: g.grad(o.v), A: g.grad(o.a), B: g.grad(o.b)}
	kernels.WKV7Grad(d, o.y.Grad, o.s0, o.sa, o.inputs(), o.k.Dim(0), o.k.Dim(1), o.heads, o.k.Dim(2)/o.heads)
}

func (o *wkv7Op) inputs() kernels.WKV7Inputs {
	return kernels.WKV7Inputs{W: o.w.Data, R: o.r.Data, K: o.k.Data, V: o.v.Data, A: o.a.Data, B: o.b.Data}
}
