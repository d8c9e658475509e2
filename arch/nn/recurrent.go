package nn

import "workbench/kernels"

// Elman is the recurrence h = tanh(x + W·h') over x [B,T,H], W [H,H], where h'
// is the previous h. last [B,H] is the h before the first step and receives the
// last h; a nil last stands for zeros.
func Elman(g *Graph, w, x, last *Tensor) *Tensor {
	B, T, H := x.Dim(0), x.Dim(1), x.Dim(2)
	g.steps("Elman", w, B, T)
	h := g.like(x)
	if w.Stored != nil {
		kernels.ElmanStored(h.Data, x.Data, w.Stored, data(last), B, T, H)
		return h
	}
	start := g.start(last)
	kernels.Elman(h.Data, x.Data, w.Data, data(last), B, T, H)
	if g.record {
		record(g, h, elmanOp{w, x, h, start})
	}
	return h
}

type elmanOp struct {
	w, x, h *Tensor
	start   []float32 // h before the first step, nil: zeros
}

func (o *elmanOp) back(g *Graph) {
	B, T, H := o.x.Dim(0), o.x.Dim(1), o.x.Dim(2)
	dw := g.grad(o.w)
	g.overwrite(o.x, func(dx []float32) {
		kernels.ElmanGrad(dx, dw, o.h.Grad, o.h.Data, o.w.Data, o.start, B, T, H)
	})
	g.stepsBack(o.w, B, T)
}

// LSTM is kernels.LSTM over x [B,T,4H] (parts i, f, g, o) and W [4H,H]. It
// returns h [B,T,H]. The states h, c [B,H] are those before the first step and
// receive the last; nil stands for zeros. LSTM overwrites x, which nothing else
// may read.
func LSTM(g *Graph, w, x, h, c *Tensor) *Tensor {
	B, T, H := x.Dim(0), x.Dim(1), w.Dim(1)
	g.steps("LSTM", w, B, T)
	y := g.Tensor(B, T, H)
	cells := kernels.LSTMCells{H: y.Data, C: g.floats(B * T * H), Z: x.Data, H0: data(h), C0: data(c)}
	if w.Stored != nil {
		kernels.LSTMStored(cells, w.Stored, B, T, H)
		return y
	}
	before := cells
	before.H0, before.C0 = g.start(h), g.start(c)
	kernels.LSTM(cells, w.Data, B, T, H)
	if g.record {
		record(g, y, lstmOp{w, x, y, before})
	}
	return y
}

type lstmOp struct {
	w, x, y *Tensor
	cells   kernels.LSTMCells // with the state before the first step
}

func (o *lstmOp) back(g *Graph) {
	B, T, H := o.y.Dim(0), o.y.Dim(1), o.y.Dim(2)
	dw := g.grad(o.w)
	g.overwrite(o.x, func(dx []float32) {
		kernels.LSTMGrad(dx, dw, o.y.Grad, o.cells, o.w.Data, B, T, H)
	})
	g.stepsBack(o.w, B, T)
}

// GRU is kernels.GRU over x [B,T,3H] (parts r, z, n) with W [3H,H] and b [3H].
// It returns h [B,T,H]. last [B,H] is the h before the first step and receives
// the last h; nil stands for zeros. GRU overwrites x, which nothing else may
// read.
func GRU(g *Graph, w, b, x, last *Tensor) *Tensor {
	B, T, H := x.Dim(0), x.Dim(1), w.Dim(1)
	g.steps("GRU", w, B, T)
	y := g.Tensor(B, T, H)
	cells := kernels.GRUCells{H: y.Data, Q: g.floats(B * T * H), G: x.Data, Bias: b.Data, H0: data(last)}
	if w.Stored != nil {
		kernels.GRUStored(cells, w.Stored, B, T, H)
		return y
	}
	before := cells
	before.H0 = g.start(last)
	kernels.GRU(cells, w.Data, B, T, H)
	if g.record {
		record(g, y, gruOp{w, b, x, y, before})
	}
	return y
}

type gruOp struct {
	w, b, x, y *Tensor
	cells      kernels.GRUCells // with the state before the first step
}

func (o *gruOp) back(g *Graph) {
	B, T, H := o.y.Dim(0), o.y.Dim(1), o.y.Dim(2)
	dw, db := g.grad(o.w), g.grad(o.b)
	g.overwrite(o.x, func(dx []float32) {
		kernels.GRUGrad(dx, dw, db, o.y.Grad, o.cells, o.w.Data, B, T, H)
	})
	g.stepsBack(o.w, B, T)
}

// steps counts the T products of B rows with w.
func (g *Graph) steps(op string, w *Tensor, B, T int) {
	g.untrained(op, w)
	for range T {
		g.product(w, B)
	}
}

// stepsBack counts the two products in the gradient of every step: for the
// state and for the matrix.
func (g *Graph) stepsBack(w *Tensor, B, T int) {
	g.Work.Operations += 4 * int64(B*T) * int64(w.Len())
}

// start returns a copy of a state as it is now, for the gradient.
func (g *Graph) start(s *Tensor) []float32 {
	if s == nil || !g.record {
		return nil
	}
	return g.copyOf(s.Data)
}

// overwrite adds to the gradient of t what f writes to the slice that it gets.
func (g *Graph) overwrite(t *Tensor, f func(d []float32)) {
	d, fresh := g.fresh(t)
	if fresh {
		f(d)
		return
	}
	mark := g.Mark()
	room := g.floats(t.Len())
	f(room)
	if d != nil {
		kernels.Accumulate(d, room)
	}
	g.arena.rewind(mark)
}
