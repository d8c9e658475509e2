package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFormIsFound: with noise of half a percent, the form that made the points
// is chosen, with its parameters.
func TestFormIsFound(t *testing.T) {
	x := []float64{16, 64, 256, 1024, 4096, 8192, 16384}
	for _, want := range []Curve{
		{Form: Constant, P: []float64{3}}, {Form: Affine, P: []float64{242, 0.365}}, {Form: Power, P: []float64{7, 0.64}}, {Form: Quadratic, P: []float64{100, 0.1, 1e-5}},
	} {
		right := 0
		for seed := range uint64(50) {
			rng := rand.New(rand.NewPCG(seed, 30))
			var y []float64
			for _, v := range x {
				y = append(y, want.At(v)*math.Exp(0.005*rng.NormFloat64()))
			}
			c := must(Fit(x, y))
			if c.Form != want.Form {
				continue
			}
			if right++; c.Residual > 0.03 {
				t.Errorf("%s: residual %g", c.Form, c.Residual)
			}
			for i := range c.P {
				near(t, c.Form, c.P[i]/want.P[i], 1, 0.1)
			}
		}
		if right < 45 {
			t.Errorf("%s: found %d of 50 times", want.Form, right)
		}
	}
	if c := must(Fit([]float64{0, 1, 2, 3, 4, 5}, []float64{2, 2.5, 3, 3.5, 4, 4.5})); c.Form != Affine || c.Residual > 1e-12 {
		t.Errorf("without noise: %+v", c)
	}
	if second(Fit(x[:4], x[:4])) == nil || second(Fit(x, slices.Repeat([]float64{-1}, len(x)))) == nil {
		t.Error("too few points, or negative ones, are taken")
	}
}

func TestCrossing(t *testing.T) {
	flat, line := Curve{Form: Constant, P: []float64{10}}, Curve{Form: Affine, P: []float64{2, 0.5}}
	near(t, "crossing", Crossing(line, flat, 0, 100), 16, 1e-6)
	near(t, "the other way round", Crossing(flat, line, 0, 100), 16, 1e-6)
	if x := Crossing(line, flat, 0, 15); !math.IsInf(x, 1) {
		t.Errorf("beyond the range: %g", x)
	}
}
