package nn

import (
	"fmt"

	"workbench/kernels"
)

// Product is one of Linears: residual + σ(gate)·f(x·Wᵀ + bias), see Then.
type Product struct {
	W, X *Tensor
	Then Then
}

// MaxLinears is the most products of Linears.
const MaxLinears = kernels.MaxProducts

// Linears is LinearThen for each product, output i that of p[i], each with an
// x of its own; none reads what another makes, and all x have the same number
// of rows. In a decode step the threads share all the matrices in one parallel
// region, which saves a fork and join for every matrix but one; with many rows
// or when recording they go one by one. The values are those of LinearThen.
func Linears(g *Graph, p ...Product) (y [MaxLinears]*Tensor) {
	if g.record {
		for i := range p {
			y[i] = LinearThen(g, p[i].W, p[i].X, p[i].Then)
		}
		return y
	}
	var list [MaxLinears]kernels.Product
	M := rows(p[0].X)
	for i := range p {
		w, x := p[i].W, p[i].X
		if rows(x) != M {
			panic(fmt.Sprintf("nn: Linears: inputs %v and %v", p[0].X.Shape, x.Shape))
		}
		y[i] = g.linearOutput(w, x, &p[i].Then)
		list[i] = kernels.Product{Y: y[i].Data, X: x.Data, W: w.matrix(), Then: p[i].Then.epilogue()}
	}
	kernels.MulMats(list[:len(p)], M)
	return y
}

// matrix is w as the kernels' products take it.
func (t *Tensor) matrix() kernels.Matrix {
	if t.Stored != nil {
		return *t.Stored
	}
	return kernels.Floats(t.Data, t.Dim(0), t.Dim(1))
}
