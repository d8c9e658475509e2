package nn

import (
	"slices"
	"testing"

	"workbench/kernels"
)

var linearsCases = []opCase{
	{"Linears", [][]int{{5, 4}, {5, 3}, {2, 3, 4}, {2, 3, 3}, {5}}, func(g *Graph, x []*Tensor) *Tensor {
		y := Linears(g, Product{W: x[0], X: x[2], Then: Then{Bias: x[4], F: kernels.ActReLUSq}}, Product{W: x[1], X: x[3]})
		return SigmoidMul(g, y[0], y[1])
	}},
}

// TestLinears checks that Linears gives the bytes of LinearThen in inference,
// with stored weights too.
func TestLinears(t *testing.T) {
	for _, as := range []kernels.DType{kernels.F32, kernels.BF16, kernels.Q8_0} {
		for _, M := range []int{1, 2, 9} {
			var p []Product
			for i, N := range []int{64, 33, 8} {
				w := Uniform(New(N, 32), Rand(uint64(i), "w"), 1)
				if as != kernels.F32 {
					m, err := kernels.NewMatrix(as, w.Data, N, 32)
					if err != nil {
						t.Fatal(err)
					}
					w.Stored, w.Data = m, nil
				}
				p = append(p, Product{W: w, X: Uniform(New(1, M, 32), Rand(uint64(i), "x"), 1),
					Then: Then{Residual: Uniform(New(1, M, N), Rand(uint64(i), "r"), 1)}})
			}
			g := Inference()
			got := Linears(g, p...)
			work := g.Work
			g.Work = Work{}
			for i := range p {
				if want := LinearThen(g, p[i].W, p[i].X, p[i].Then); !slices.Equal(got[i].Data, want.Data) || !slices.Equal(got[i].Shape, want.Shape) {
					t.Errorf("%s, %d rows: product %d differs", as, M, i)
				}
			}
			if work != g.Work {
				t.Errorf("%s, %d rows: counted %v, want %v", as, M, work, g.Work)
			}
		}
	}
}
