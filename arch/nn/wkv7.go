package nn

import "workbench/kernels"

// WKV7 is the recurrence of RWKV-7 over w, r, k, v, a, b [B,T,C] in heads of
// C/heads channels, continuing from s [B,heads,N,N] and updating it; see
// kernels.WKV7. A nil s starts from zeros and keeps nothing.
func WKV7(g *Graph, w, r, k, v, a, b *Tensor, heads int, s *Tensor) *Tensor {
	B, T, C := k.Dim(0), k.Dim(1), k.Dim(2)
	N := C / heads
	y := g.like(k)
	var state, s0, sa []float32
	if s != nil {
		state = s.Data
	} else {
		state = g.floats(B * C * N)
		clear(state)
	}
	if g.record {
		if sa = g.floats(B * T * C); s != nil {
			s0 = g.copyOf(state)
		}
	}
	kernels.WKV7(y.Data, state, sa, w.Data, r.Data, k.Data, v.Data, a.Data, b.Data, B, T, heads, N)
	if g.record {
		record(g, y, wkv7Op{w, r, k, v, a, b, y, heads, s0, sa})
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
	kernels.WKV7Grad(g.grad(o.w), g.grad(o.r), g.grad(o.k), g.grad(o.v), g.grad(o.a), g.grad(o.b), o.y.Grad, o.s0, o.sa,
		o.w.Data, o.r.Data, o.k.Data, o.v.Data, o.a.Data, o.b.Data, o.k.Dim(0), o.k.Dim(1), o.heads, o.k.Dim(2)/o.heads)
}
