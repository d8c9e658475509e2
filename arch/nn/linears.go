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
// of rows; one without W is an absent part, and its output nil. In a decode
// step the threads share all the matrices in one parallel region, which saves a
// fork and join for every matrix but one; with many rows or when recording they
// go one by one. The values are those of LinearThen.
func Linears(g *Graph, p ...Product) (y [MaxLinears]*Tensor) {
	var list [MaxLinears]kernels.Product
	n, M := 0, 0
	for i := range p {
		w, x := p[i].W, p[i].X
		if w == nil {
			continue
		}
		if g.record || g.dropping() {
			y[i] = LinearThen(g, w, x, p[i].Then)
			continue
		}
		if M == 0 {
			M = rows(x)
		} else if rows(x) != M {
			panic(fmt.Sprintf("nn: Linears: %d rows and input %v", M, x.Shape))
		}
		y[i] = g.linearOutput(w, x, &p[i].Then)
		list[n] = kernels.Product{Y: y[i].Data, X: x.Data, W: w.matrix(), Then: p[i].Then.epilogue()}
		n++
	}
	kernels.MulMats(list[:n], M)
	return y
}

// matrix is w as the kernels' products take it.
func (t *Tensor) matrix() kernels.Matrix {
	if t.Stored != nil {
		return *t.Stored
	}
	return kernels.Floats(t.Data, t.Dim(0), t.Dim(1))
}
