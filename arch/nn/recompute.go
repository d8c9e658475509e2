package nn

// Recompute is f(x) without the memory of what f computes on the way: that is
// computed again when the gradient comes. f must not read or change a state.
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
	after := g.Drop.n
	g.back(y, func() {
		dx, fresh := g.fresh(x)
		if fresh {
			clear(dx)
		}
		work, mark, from := g.Work, g.Mark(), len(g.tape)
		again := g.header(x)
		again.Grad = dx
		g.Drop.n = drops
		z := f(again)
		g.Drop.n = after
		g.Work = work // the model asked for it once
		z.Grad = y.Grad
		g.unwind(from)
		g.arena.rewind(mark)
	})
	return y
}

// header is another tensor over x's numbers.
func (g *Graph) header(x *Tensor) *Tensor {
	t := g.arena.header(x.Shape)
	t.Data = x.Data
	return t
}
