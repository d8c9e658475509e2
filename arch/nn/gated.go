package nn

import "workbench/kernels"

// RMSNorm divides the rows of x [...,C] by their root mean square and applies
// weight w [C].
func RMSNorm(g *Graph, w, x *Tensor, eps float32) *Tensor {
	R, C := rows(x), w.Len()
	y := g.like(x)
	if !g.record {
		kernels.RMSNorm(y.Data, nil, x.Data, w.Data, R, C, eps)
		return y
	}
	rstd := g.floats(R)
	kernels.RMSNorm(y.Data, rstd, x.Data, w.Data, R, C, eps)
	record(g, y, rmsNormOp{w, x, y, rstd})
	return y
}

type rmsNormOp struct {
	w, x, y *Tensor
	rstd    []float32
}

func (o *rmsNormOp) back(g *Graph) {
	kernels.RMSNormGrad(g.grad(o.x), g.grad(o.w), o.y.Grad, o.x.Data, o.w.Data, o.rstd, len(o.rstd), o.w.Len())
}

// SwiGLU is silu(gate)⊙up for two tensors, or up where gate is nil.
func SwiGLU(g *Graph, gate, up *Tensor) *Tensor {
	if gate == nil {
		return up
	}
	sameLen("SwiGLU", gate, up)
	y := g.like(up)
	kernels.SwiGLU(y.Data, gate.Data, up.Data)
	if g.record {
		record(g, y, swiGLUOp{gate, up, y})
	}
	return y
}

type swiGLUOp struct{ gate, up, y *Tensor }

func (o *swiGLUOp) back(g *Graph) {
	kernels.SwiGLUGrad(columns{o.gate, 0}.grad(g), columns{o.up, 0}.grad(g), o.y.Grad, o.gate.Data, o.up.Data)
}
