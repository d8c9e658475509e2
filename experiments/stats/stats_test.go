package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestMedian(t *testing.T) {
	s := must(Median([]float64{9, 1, 8, 2, 7, 3}))
	if s.Center != 5 || s.Lo != 1 || s.Hi != 9 || s.N != 6 || len(s.Warnings) != 0 {
		t.Errorf("%+v", s)
	}
	near(t, "confidence of 6", s.Confidence, 1-2/64., 1e-12)
	s = must(Median([]float64{1, 2, 3, 4, 5}))
	if !math.IsInf(s.Lo, -1) || !math.IsInf(s.Hi, 1) || len(s.Warnings) != 1 {
		t.Errorf("5 samples must warn: %+v", s)
	}
	s = must(Median([]float64{4}))
	if s.Center != 4 || len(s.Warnings) != 1 {
		t.Errorf("1 sample: %+v", s)
	}
	s = must(Median(slices.Repeat([]float64{2}, 8)))
	if s.Center != 2 || s.Lo != 2 || s.Hi != 2 {
		t.Errorf("all equal: %+v", s)
	}
}

func TestMean(t *testing.T) {
	// t(0.975, 2) = 4.302653; sd of 1, 2, 3 is 1.
	s := must(Mean([]float64{3, 1, 2}))
	near(t, "mean", s.Center, 2, 1e-12)
	near(t, "hi", s.Hi, 2+4.302653/math.Sqrt(3), 1e-5)
	near(t, "lo", s.Lo, 2-4.302653/math.Sqrt(3), 1e-5)
	s = must(Mean([]float64{3}))
	if s.Center != 3 || !math.IsInf(s.Hi, 1) || !math.IsInf(s.Lo, -1) || len(s.Warnings) != 1 {
		t.Errorf("1 sample: %+v", s)
	}
	s = must(Mean([]float64{2, 2, 2}))
	if s.Lo != 2 || s.Hi != 2 {
		t.Errorf("all equal: %+v", s)
	}
}

func TestRefusals(t *testing.T) {
	ok, nan, inf := []float64{1, 2}, []float64{1, math.NaN()}, []float64{math.Inf(1), 1}
	for name, f := range map[string]func(xs []float64) error{
		"Median":      func(xs []float64) error { _, err := Median(xs); return err },
		"Mean":        func(xs []float64) error { _, err := Mean(xs); return err },
		"Percentiles": func(xs []float64) error { _, err := Percentiles(xs, 50); return err },
	} {
		for _, xs := range [][]float64{nil, nan, inf} {
			if f(xs) == nil {
				t.Errorf("%s accepted %v", name, xs)
			}
		}
		if err := f(ok); err != nil {
			t.Errorf("%s refused %v: %v", name, ok, err)
		}
	}
	for name, err := range map[string]error{
		"percentile 101":  second(Percentiles(ok, 101)),
		"percentile NaN":  second(Percentiles(ok, math.NaN())),
		"ratio of zero":   second(NoiseFloor([][]float64{{0, 1}, ok})),
		"unequal lengths": second(NoiseFloor([][]float64{ok, {1}})),
		"one arm":         second(NoiseFloor([][]float64{ok})),
		"two rounds":      second(NoiseFloor([][]float64{ok, ok})),
	} {
		if err == nil {
			t.Errorf("%s accepted", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestPercentiles(t *testing.T) {
	xs := []float64{5, 1, 4, 2, 3}
	got := must(Percentiles(xs, 0, 50, 90, 95, 99, 100))
	for i, want := range []float64{1, 3, 4.6, 4.8, 4.96, 5} {
		near(t, "percentile", got[i], want, 1e-12)
	}
	if !slices.Equal(xs, []float64{5, 1, 4, 2, 3}) {
		t.Error("the input was reordered")
	}
	if got := must(Percentiles([]float64{7}, 99)); got[0] != 7 {
		t.Errorf("one sample: %v", got)
	}
}

func TestHolm(t *testing.T) {
	got := Holm([]float64{0.04, 0.01, 0.03, 0.005})
	for i, want := range []float64{0.06, 0.03, 0.06, 0.02} {
		near(t, "corrected p", got[i], want, 1e-12)
	}
	if got := Holm([]float64{0.7, 0.6}); got[0] != 1 || got[1] != 1 {
		t.Errorf("%v", got)
	}
	if len(Holm(nil)) != 0 {
		t.Error("an empty family")
	}
}

func TestTQuantile(t *testing.T) {
	for df, want := range map[int]float64{1: 12.7062, 2: 4.30265, 3: 3.18245, 7: 2.36462, 10: 2.22814, 30: 2.04227, 5000: 1.96044} {
		near(t, "t quantile", tQuantile(0.975, df), want, 1e-4)
	}
}

func normals(rng *rand.Rand, n int, mean, sd float64) []float64 {
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = mean + sd*rng.NormFloat64()
	}
	return xs
}

// drifting simulates n rounds of two arms on a machine that slows down by half
// over the run and is sometimes interrupted; a takes ratio times as long as b.
func drifting(rng *rand.Rand, n int, ratio float64) (a, b []float64) {
	a, b = make([]float64, n), make([]float64, n)
	walk := 0.0
	for i := range n {
		walk += 0.03 * rng.NormFloat64()
		base := math.Exp(0.5*float64(i)/float64(n) + walk)
		jitter := func() float64 { return math.Exp(0.02*rng.NormFloat64() + 0.02*rng.ExpFloat64()) }
		a[i], b[i] = ratio*base*jitter(), base*jitter()
	}
	return a, b
}

func TestNoiseFloor(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 0))
	a, b := drifting(rng, 20, 1)
	floor := must(NoiseFloor([][]float64{a, b}))
	if !(floor > 0.003 && floor < 0.06) {
		t.Errorf("floor %v of jitter around 0.03", floor)
	}
	if swapped := must(NoiseFloor([][]float64{b, a})); math.Abs(swapped-floor) > 2e-3 {
		t.Errorf("%v one way, %v the other", floor, swapped)
	}
	if quiet := must(NoiseFloor([][]float64{a, a})); quiet != 0 {
		t.Errorf("no noise: %v", quiet)
	}
}

func TestManySamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 0))
	s := must(Median(normals(rng, 20000, 10, 1)))
	if s.Hi-s.Lo > 0.1 || s.Lo > 10 || s.Hi < 10 {
		t.Errorf("%+v", s)
	}
}
