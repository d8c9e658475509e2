package nn

// Recompute is f(x) without keeping intermediate results: Backward computes
// them again. f must not read or change a state.
// Source: Chen et al., arXiv 1604.06174.
func Recompute(g *Graph, x *Tensor, f func(x *Tensor) *Tensor) *Tensor {
	if !g.record {
		return f(x)
	}
	drops, mark := g.Drop.n, g.Mark()
	g.record = false
	g.dry = true
	y := g.Release(mark, f(x))
	g.record, g.dry = true, false
	record(g, y, recomputeOp{x, y, f, drops})
	return y
}

type recomputeOp struct {
	x, y  *Tensor
	f     func(x *Tensor) *Tensor
	drops uint64 // Drop.n before f, so that the same elements are dropped again
}

func (o *recomputeOp) back(g *Graph) {
	dx, fresh := g.fresh(o.x)
	if fresh {
		clear(dx)
	}
	work, mark, from, drops := g.Work, g.Mark(), len(g.tape), g.Drop.n
	x := g.header(o.x)
	x.Grad = dx
	g.Drop.n = o.drops
	y := o.f(x)
	g.Drop.n = drops
	g.Work = work // f is counted once
	y.Grad = o.y.Grad
	g.unwind(from)
	g.arena.rewind(mark)
}

// header returns another tensor over the elements of x.
func (g *Graph) header(x *Tensor) *Tensor {
	t := g.arena.header(x.Shape)
	t.Data = x.Data
	return t
}
