package nn

import (
	"fmt"

	"workbench/kernels"
)

// ShiftMixBy is RWKV-6's data-dependent token shift: output i is x + (mu[i] +
// mᵢ)⊙(prev - x), with x, last, mu and prev as in ShiftMix and mᵢ of the shape
// of x. Where mu[i] is nil, output i is absent and there is no mᵢ: m holds the
// mᵢ of the other outputs in sequence.
func ShiftMixBy(g *Graph, x, last *Tensor, m [MaxMixes]*Tensor, mu ...*Tensor) (out [MaxMixes]*Tensor) {
	B, T, C := x.Dim(0), x.Dim(1), x.Dim(2)
	o := shiftMixByOp{x: x}
	in := kernels.MixInputs{X: x.Data, Last: data(last)}
	var y [MaxMixes][]float32
	for i, t := range mu {
		if t == nil {
			continue
		}
		n := o.n
		out[i] = g.like(x)
		o.mu[n], o.m[n], o.out[n] = t, m[n], out[i]
		in.Mu[n], in.M[n], y[n] = t.Data, m[n].Data, out[i].Data
		o.n++
	}
	kernels.ShiftMixBy(y[:o.n], in, B, T, C)
	if g.record {
		if last != nil {
			o.first = g.copyOf(last.Data)
		}
		record(g, nil, o)
	}
	keepLast(last, x)
	return out
}

type shiftMixByOp struct {
	x          *Tensor
	first      []float32 // [B,C], before the first position
	n          int
	mu, m, out [MaxMixes]*Tensor
}

func (o *shiftMixByOp) back(g *Graph) {
	x := o.x
	in, d := kernels.MixInputs{X: x.Data, Last: o.first}, kernels.MixInputs{X: g.grad(x)}
	var dy [MaxMixes][]float32
	for i := range o.n {
		in.Mu[i], in.M[i] = o.mu[i].Data, o.m[i].Data
		d.Mu[i], d.M[i], dy[i] = g.grad(o.mu[i]), g.grad(o.m[i]), g.grad(o.out[i])
	}
	kernels.ShiftMixByGrad(d, dy[:o.n], in, x.Dim(0), x.Dim(1), x.Dim(2))
}

// Snapshot returns a copy of the state slot t as it is now, nil for nil. No
// gradient flows into it.
func Snapshot(g *Graph, t *Tensor) *Tensor {
	if t == nil {
		return nil
	}
	c := g.like(t)
	c.Const = true
	copy(c.Data, t.Data)
	return c
}

// LinearBlocks is a block-diagonal linear layer: output i [...,N] is W[i]·x[i],
// where W is [n,N,K] and x[i] are channels i·K … (i+1)·K-1 of x.
func LinearBlocks(g *Graph, w, x *Tensor) (out [MaxMixes]*Tensor) {
	n, N, K, M := w.Dim(0), w.Dim(1), w.Dim(2), rows(x)
	if x.Dim(-1) != n*K || n > MaxMixes {
		panic(fmt.Sprintf("nn: LinearBlocks: input %v does not fit weight %v", x.Shape, w.Shape))
	}
	var shape [4]int
	axes := copy(shape[:], x.Shape)
	shape[axes-1] = N
	for i := range n {
		out[i] = g.Tensor(shape[:axes]...)
	}
	g.product(w, M)
	if M == 1 {
		blocksOfOne(out[:n], x, w)
	} else {
		part := g.floats(M * K)
		for i := range n {
			gather(part, x.Data[i*K:], M, n*K)
			kernels.MatMulNT(out[i].Data, part, w.Data[i*N*K:(i+1)*N*K], M, N, K, false)
		}
	}
	if g.record {
		record(g, nil, linearBlocksOp{w, x, out})
	}
	return out
}

// blocksOfOne computes the blocks of one position in one parallel region.
func blocksOfOne(out []*Tensor, x, w *Tensor) {
	var list [MaxMixes]kernels.Product
	N, K := w.Dim(1), w.Dim(2)
	for i, y := range out {
		list[i] = kernels.Product{Y: y.Data, X: x.Data[i*K : (i+1)*K], W: kernels.Floats(w.Data[i*N*K:(i+1)*N*K], N, K)}
	}
	kernels.MulMats(list[:len(out)], 1)
}

type linearBlocksOp struct {
	w, x *Tensor
	out  [MaxMixes]*Tensor
}

func (o *linearBlocksOp) back(g *Graph) {
	n, N, K, M := o.w.Dim(0), o.w.Dim(1), o.w.Dim(2), rows(o.x)
	dw, dx := g.grad(o.w), g.grad(o.x)
	mark := g.Mark()
	part, dpart := g.floats(M*K), g.floats(M*K)
	for i := range n {
		dy := o.out[i].Grad
		if dy == nil {
			continue
		}
		w := o.w.Data[i*N*K : (i+1)*N*K]
		kernels.MatMulNN(dpart, dy, w, M, K, N, false)
		for r := range M {
			kernels.Accumulate(dx[r*n*K+i*K:][:K], dpart[r*K:(r+1)*K])
		}
		if dw != nil {
			gather(part, o.x.Data[i*K:], M, n*K)
			kernels.MatMulTN(dw[i*N*K:(i+1)*N*K], dy, part, N, K, M, true)
		}
		g.Work.Operations += 4 * int64(M*N*K)
	}
	g.arena.rewind(mark)
}

// gather copies M rows of x, which lie stride floats apart, to y.
func gather(y, x []float32, M, stride int) {
	K := len(y) / M
	for r := range M {
		copy(y[r*K:(r+1)*K], x[r*stride:])
	}
}

// GroupNorm normalises each of the heads of x [...,C] with weight w and bias b
// [C]; see kernels.GroupNorm.
func GroupNorm(g *Graph, w, b, x *Tensor, heads int, eps float32) *Tensor {
	y := g.like(x)
	n := kernels.Norm{X: x.Data, W: w.Data, B: b.Data, R: rows(x), C: w.Len(), H: heads, Eps: eps}
	if g.record {
		n.Mean, n.RStd = g.floats(n.R*heads), g.floats(n.R*heads)
		record(g, y, groupNormOp{w, b, x, y, n})
	}
	kernels.GroupNorm(y.Data, n)
	return y
}

type groupNormOp struct {
	w, b, x, y *Tensor
	n          kernels.Norm
}

func (o *groupNormOp) back(g *Graph) {
	kernels.GroupNormGrad(g.grad(o.x), g.grad(o.w), g.grad(o.b), o.y.Grad, o.n)
}

// Lerp is a + s⊙(b - a); s nil: a.
func Lerp(g *Graph, a, b, s *Tensor) *Tensor {
	if s == nil {
		return a
	}
	sameLen("Lerp", a, b)
	sameLen("Lerp", a, s)
	y := g.like(a)
	kernels.Lerp(y.Data, a.Data, b.Data, s.Data)
	if g.record {
		record(g, y, lerpOp{a, b, s, y})
	}
	return y
}

type lerpOp struct{ a, b, s, y *Tensor }

func (o *lerpOp) back(g *Graph) {
	kernels.LerpGrad(g.grad(o.a), g.grad(o.b), g.grad(o.s), o.y.Grad, o.a.Data, o.b.Data, o.s.Data)
}

// Exp is eˣ.
func Exp(g *Graph, x *Tensor) *Tensor {
	y := g.like(x)
	kernels.Exp(y.Data, x.Data)
	if y.Const = x.Const; g.record && !y.Const {
		record(g, y, expOp{x, y})
	}
	return y
}

type expOp struct{ x, y *Tensor }

func (o *expOp) back(g *Graph) {
	if d := g.grad(o.x); d != nil {
		kernels.NegExpGrad(d, o.y.Grad, o.y.Data) // dy·y, as for -eˣ
	}
}

// Repeat repeats every element of x n times: one value for all channels of a
// head.
func Repeat(g *Graph, x *Tensor, n int) *Tensor {
	y := g.Tensor(x.Len() * n)
	for i := range y.Data {
		y.Data[i] = x.Data[i/n]
	}
	if y.Const = x.Const; g.record && !y.Const {
		record(g, y, repeatOp{x, y, n})
	}
	return y
}

type repeatOp struct {
	x, y *Tensor
	n    int
}

func (o *repeatOp) back(g *Graph) {
	d := g.grad(o.x)
	for i, v := range o.y.Grad {
		d[i/o.n] += v
	}
}

// Rows repeats the vector x [C] at every position, in the shape [B,T,C] of
// like.
func Rows(g *Graph, x, like *Tensor) *Tensor {
	y, C := g.like(like), x.Len()
	for at := 0; at < len(y.Data); at += C {
		copy(y.Data[at:at+C], x.Data)
	}
	if y.Const = x.Const; g.record && !y.Const {
		record(g, y, rowsOp{x, y})
	}
	return y
}

type rowsOp struct{ x, y *Tensor }

func (o *rowsOp) back(g *Graph) {
	kernels.BiasGrad(g.grad(o.x), o.y.Grad, rows(o.y), o.x.Len())
}

// Stack returns a and b, of the same shape, as one tensor [2,...], which a
// layer can pass to the next.
func Stack(g *Graph, a, b *Tensor) *Tensor {
	sameLen("Stack", a, b)
	var shape [4]int
	shape[0] = 2
	n := 1 + copy(shape[1:], a.Shape)
	y := g.Tensor(shape[:n]...)
	copy(y.Data, a.Data)
	copy(y.Data[a.Len():], b.Data)
	if g.record {
		record(g, y, stackOp{a, b, y})
	}
	return y
}

type stackOp struct{ a, b, y *Tensor }

func (o *stackOp) back(g *Graph) {
	n := o.a.Len()
	g.pass(o.a, o.y.Grad[:n:n])
	g.pass(o.b, o.y.Grad[n:])
}

// Unstack splits a stack [2,...]. a and b are views of s, and their gradients
// are views of its gradient.
func Unstack(g *Graph, s *Tensor) (a, b *Tensor) {
	n := s.Len() / 2
	a, b = g.arena.header(s.Shape[1:]), g.arena.header(s.Shape[1:])
	a.Data, b.Data = s.Data[:n:n], s.Data[n:]
	if g.record {
		d, fresh := g.fresh(s)
		if fresh {
			clear(d)
		}
		a.Grad, b.Grad = d[:n:n], d[n:]
	}
	return a, b
}
