package nn

import (
	"fmt"
	"unsafe"

	"workbench/kernels"
)

// Embedding looks up the rows of table [V,C]: tokens [B,T] to [B,T,C].
func Embedding(g *Graph, table *Tensor, tok Tokens) *Tensor {
	C := table.Dim(1)
	if len(tok.IDs) != tok.B*tok.T {
		panic(fmt.Sprintf("nn: Embedding: %d tokens are not [%d,%d]", len(tok.IDs), tok.B, tok.T))
	}
	g.untrained("Embedding", table)
	y := g.Tensor(tok.B, tok.T, C)
	for i, id := range tok.IDs {
		table.row(y.Data[i*C:(i+1)*C], int(id))
	}
	g.Work.WeightBytes += int64(len(tok.IDs)) * int64(table.Bytes()/table.Dim(0))
	if g.record {
		record(g, y, embeddingOp{table, y, g.keep(tok.IDs)})
	}
	return y
}

type embeddingOp struct {
	table, y *Tensor
	ids      []int32
}

func (o *embeddingOp) back(g *Graph) {
	C := o.table.Dim(1)
	if d := g.grad(o.table); d != nil {
		for i, id := range o.ids {
			kernels.Accumulate(d[int(id)*C:(int(id)+1)*C], o.y.Grad[i*C:(i+1)*C])
		}
	}
}

// keep copies ids, because the caller may overwrite them before Backward.
func (g *Graph) keep(ids []int32) []int32 {
	if len(ids) == 0 {
		return nil
	}
	kept := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(g.floats(len(ids))))), len(ids))
	copy(kept, ids)
	return kept
}

// Positions adds rows pos, pos+1, … of table [P,C] to x [B,T,C], in place.
func Positions(g *Graph, table, x *Tensor, pos int) *Tensor {
	B, T, C := x.Dim(0), x.Dim(1), x.Dim(2)
	if pos+T > table.Dim(0) {
		panic(fmt.Sprintf("nn: Positions: %d is beyond the table's %d", pos+T, table.Dim(0)))
	}
	g.untrained("Positions", table)
	row := g.floats(C)
	for t := range T {
		table.row(row, pos+t)
		g.Work.WeightBytes += int64(table.Bytes() / table.Dim(0))
		for b := range B {
			kernels.Accumulate(x.Data[(b*T+t)*C:(b*T+t+1)*C], row)
		}
	}
	if g.record {
		record(g, x, positionsOp{table, x, pos})
	}
	return x
}

type positionsOp struct {
	table, x *Tensor
	pos      int
}

func (o *positionsOp) back(g *Graph) {
	B, T, C := o.x.Dim(0), o.x.Dim(1), o.x.Dim(2)
	if d := g.grad(o.table); d != nil {
		for b := range B {
			kernels.Accumulate(d[o.pos*C:(o.pos+T)*C], o.x.Grad[b*T*C:(b+1)*T*C])
		}
	}
}

// Sum is a + b.
func Sum(g *Graph, a, b *Tensor) *Tensor {
	sameLen("Sum", a, b)
	y := g.like(a)
	copy(y.Data, a.Data)
	kernels.Accumulate(y.Data, b.Data)
	if g.record {
		record(g, y, sumOp{a, b, y})
	}
	return y
}

type sumOp struct{ a, b, y *Tensor }

func (o *sumOp) back(g *Graph) {
	if d := g.grad(o.b); d != nil {
		kernels.Accumulate(d, o.y.Grad)
	}
	g.pass(o.a, o.y.Grad)
}

// LayerNorm normalises the rows of x [...,C] (biased variance, eps 1e-5) and
// applies weight w [C] and bias b [C] (b nil: none).
func LayerNorm(g *Graph, w, b, x *Tensor) *Tensor { return LayerNormEps(g, w, b, x, 1e-5) }

// LayerNormEps is LayerNorm with another eps.
func LayerNormEps(g *Graph, w, b, x *Tensor, eps float32) *Tensor {
	y := g.like(x)
	n := kernels.Norm{X: x.Data, W: w.Data, B: data(b), R: rows(x), C: w.Len(), Eps: eps}
	if b == nil {
		n.B = g.floats(n.C)
		clear(n.B)
	}
	if g.record {
		n.Mean, n.RStd = g.floats(n.R), g.floats(n.R)
		record(g, y, layerNormOp{w, b, x, y, n})
	}
	kernels.LayerNorm(y.Data, n)
	return y
}

type layerNormOp struct {
	w, b, x, y *Tensor
	n          kernels.Norm
}

func (o *layerNormOp) back(g *Graph) {
	kernels.LayerNormGrad(g.grad(o.x), g.grad(o.w), g.grad(o.b), o.y.Grad, o.n)
}

// SigmoidMul is σ(r)⊙x for two tensors, or x where the gate r is nil.
func SigmoidMul(g *Graph, r, x *Tensor) *Tensor {
	if r == nil {
		return x
	}
	sameLen("SigmoidMul", r, x)
	y := g.like(x)
	kernels.SigmoidMul(y.Data, r.Data, x.Data)
	if g.record {
		record(g, y, sigmoidMulOp{r, x, y})
	}
	return y
}

type sigmoidMulOp struct{ r, x, y *Tensor }

func (o *sigmoidMulOp) back(g *Graph) {
	kernels.SigmoidMulGrad(g.grad(o.r), g.grad(o.x), o.y.Grad, o.r.Data, o.x.Data)
}

// Activate is f(x), meant for small tensors: after a linear layer, Then.F is
// cheaper.
func Activate(g *Graph, f kernels.Activation, x *Tensor) *Tensor {
	y := g.like(x)
	copy(y.Data, x.Data)
	kernels.Epilogue{F: f}.Apply(y.Data, 1, y.Len())
	if y.Const = x.Const; g.record && !y.Const {
		record(g, y, activateOp{f, x, y})
	}
	return y
}

type activateOp struct {
	f    kernels.Activation
	x, y *Tensor
}

func (o *activateOp) back(g *Graph) {
	from := o.x.Data
	if o.f.ByValue() {
		from = o.y.Data
	}
	o.f.Grad(g.grad(o.x), o.y.Grad, from)
}
