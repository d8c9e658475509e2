package nn

import (
	"fmt"

	"workbench/kernels"
)

// Then is what a linear layer applies to its product z in the same pass; nil
// parts are left out:
//
//	z = x·Wᵀ + bias;  y = residual + σ(gate)·f(z)
//
// Bias is [N]; Gate and Residual have the shape of y. F and Gate exclude each
// other, as do Residual and an F that is ByValue.
type Then struct {
	Bias           *Tensor
	F              kernels.Activation
	Gate, Residual *Tensor
}

// Linear is y = x·Wᵀ, x [...,K], W [N,K], y [...,N].
func Linear(g *Graph, w, x *Tensor) *Tensor { return LinearThen(g, w, x, Then{}) }

// LinearThen is Linear with the operations of then. In training, dropout
// applies to what is added to the residual.
func LinearThen(g *Graph, w, x *Tensor, then Then) *Tensor {
	N, K, M := w.Dim(0), w.Dim(1), rows(x)
	y := g.linearOutput(w, x, &then)
	e := then.epilogue()
	var mask []float32
	if then.Residual != nil && g.dropping() {
		mask, e.Residual = g.dropMask(M*N), nil
	}
	if g.record && (then.F != kernels.Identity && !then.F.ByValue() || then.Gate != nil) {
		e.Raw = g.floats(M * N)
	}
	switch {
	case w.Stored != nil:
		kernels.MulMatThen(y.Data, x.Data, w.Stored, M, e)
	case M == 1:
		kernels.MatVec(y.Data, w.Data, x.Data, N, K)
		e.Apply(y.Data, M, N)
	default:
		kernels.MatMulNTThen(y.Data, x.Data, w.Data, M, N, K, e)
	}
	if mask != nil {
		mulBy(y.Data, mask)
		kernels.Accumulate(y.Data, then.Residual.Data)
	}
	if g.record {
		record(g, y, linearOp{w, x, y, then, e.Raw, mask})
	}
	return y
}

// linearOutput allocates the output of x·Wᵀ and counts the product.
func (g *Graph) linearOutput(w, x *Tensor, then *Then) *Tensor {
	N, K := w.Dim(0), w.Dim(1)
	if x.Dim(-1) != K {
		panic(fmt.Sprintf("nn: Linear: input %v does not fit weight %v", x.Shape, w.Shape))
	}
	if then.F != kernels.Identity && then.Gate != nil {
		panic("nn: Linear: an activation and a gate exclude each other")
	}
	if then.F.ByValue() && then.Residual != nil {
		panic("nn: Linear: the residual would overwrite the value that the gradient of the activation needs")
	}
	var shape [4]int
	n := copy(shape[:], x.Shape)
	shape[n-1] = N
	g.untrained("Linear", w)
	g.product(w, rows(x))
	return g.Tensor(shape[:n]...)
}

func (t *Then) epilogue() kernels.Epilogue {
	return kernels.Epilogue{Bias: data(t.Bias), F: t.F, Gate: data(t.Gate), Residual: data(t.Residual)}
}

// linearOp is a LinearThen on the tape.
type linearOp struct {
	w, x, y *Tensor
	then    Then
	raw     []float32 // z, where the gradient needs it
	mask    []float32 // dropout's factors, nil without dropout
}

func (o *linearOp) back(g *Graph) {
	w, x, y, then := o.w, o.x, o.y, &o.then
	N, K, M := w.Dim(0), w.Dim(1), rows(x)
	// Note: gradients are allocated before the mark, since memory allocated after
	// it is reclaimed at the end.
	var dgate, dbias []float32
	if then.Gate != nil {
		dgate = g.grad(then.Gate)
	}
	if then.Bias != nil {
		dbias = g.grad(then.Bias)
	}
	dw := g.grad(w)
	dx, fresh := g.fresh(x)
	mark := g.Mark()
	dz := o.productGrad(g, dgate)
	if dbias != nil {
		kernels.BiasGrad(dbias, dz, M, N)
	}
	if dx != nil {
		kernels.MatMulNN(dx, dz, w.Data, M, K, N, !fresh)
		g.Work.Operations += 2 * int64(M*N*K)
	}
	if dw != nil {
		kernels.MatMulTN(dw, dz, x.Data, N, K, M, true)
		g.Work.Operations += 2 * int64(M*N*K)
	}
	g.arena.rewind(mark)
	if then.Residual != nil {
		g.pass(then.Residual, y.Grad)
	}
}

// productGrad returns the gradient of z, and adds to dgate the gradient of the
// gate.
func (o *linearOp) productGrad(g *Graph, dgate []float32) []float32 {
	dy := o.y.Grad
	if o.mask != nil {
		dy = g.copyOf(dy)
		mulBy(dy, o.mask)
	}
	f := o.then.F
	if o.raw == nil && f == kernels.Identity {
		return dy
	}
	dz := g.floats(len(dy))
	clear(dz)
	switch {
	case o.then.Gate != nil:
		kernels.SigmoidMulGrad(dgate, dz, dy, o.then.Gate.Data, o.raw)
	case f.ByValue():
		f.Grad(dz, dy, o.y.Data)
	default:
		f.Grad(dz, dy, o.raw)
	}
	return dz
}

// pass adds dy to the gradient of t. Where t has no gradient yet, dy itself
// becomes the gradient, so the caller must not use dy again.
func (g *Graph) pass(t *Tensor, dy []float32) {
	if t.Grad == nil && t.temp && !t.Const {
		t.Grad = dy
	} else if d := g.grad(t); d != nil {
		kernels.Accumulate(d, dy)
	}
}

// fresh returns the gradient of t, and whether it is new: its contents are then
// undefined, and a kernel must overwrite and not add.
func (g *Graph) fresh(t *Tensor) (d []float32, fresh bool) {
	if t.Grad == nil && t.temp && !t.Const {
		t.Grad = g.floats(t.Len())
		return t.Grad, true
	}
	return g.grad(t), false
}

// data is the elements of t, nil where t is nil.
func data(t *Tensor) []float32 {
	if t == nil {
		return nil
	}
	return t.Data
}
