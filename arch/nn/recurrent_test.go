package nn

import (
	"math"
	"slices"
	"testing"
)

// TestRecurrentAdds checks that a gradient is added to an input that already
// has one.
func TestRecurrentAdds(t *testing.T) {
	const B, T, H = 2, 3, 5
	random := func(name string, shape ...int) *Tensor { return Normal(New(shape...), Rand(1, name), 0.5) }
	for name, run := range map[string]func(g *Graph, x *Tensor) *Tensor{
		"elman": func(g *Graph, x *Tensor) *Tensor { return Elman(g, random("w", H, H), x, nil) },
		"lstm":  func(g *Graph, x *Tensor) *Tensor { return LSTM(g, random("w", 4*H, H), x, nil, nil) },
		"gru":   func(g *Graph, x *Tensor) *Tensor { return GRU(g, random("w", 3*H, H), random("b", 3*H), x, nil) },
	} {
		parts := map[string]int{"elman": 1, "lstm": 4, "gru": 3}[name]
		grad := func(before float32) []float32 {
			g, x := NewGraph(), random("x", B, T, parts*H)
			x.Grad = New(x.Len()).Fill(before).Data
			g.Poison = true
			y := run(g, x)
			g.BackwardFrom(y, random("dy", y.Len()).Data)
			return x.Grad
		}
		alone, added := grad(0), grad(2)
		if !slices.ContainsFunc(alone, func(d float32) bool { return d != 0 }) {
			t.Errorf("%s: no gradient", name)
		}
		for i, d := range alone {
			if got := added[i]; math.Abs(float64(got-d-2)) > 1e-6 {
				t.Fatalf("%s: [%d] 2 grew to %v, 0 to %v", name, i, got, d)
			}
		}
	}
}
