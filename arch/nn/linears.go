package nn

import (
	"fmt"

	"workbench/kernels"
)

// Product is one linear layer of Linears, residual + σ(gate)·f(x·Wᵀ + bias):
// see Then. A layer with a nil W is absent.
type Product struct {
	W, X *Tensor
	Then Then
}

// MaxLinears is the most products of Linears.
const MaxLinears = kernels.MaxProducts

// Linears is LinearThen of several products that do not depend on each other:
// output i is that of p[i], nil where the layer is absent. All inputs have the
// same number of rows. In a decode step the threads share all products in one
// parallel region, which saves a fork and join for every matrix but one. With
// many rows, or when recording, the products run one by one. The values are
// those of LinearThen.
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

// matrix returns t in the form that kernels.MulMats takes.
func (t *Tensor) matrix() kernels.Matrix {
	if t.Stored != nil {
		return *t.Stored
	}
	return kernels.Floats(t.Data, t.Dim(0), t.Dim(1))
}
