package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
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
		"Paired a":    func(xs []float64) error { _, err := Paired(xs, ok); return err },
		"Paired b":    func(xs []float64) error { _, err := Paired(ok, xs); return err },
		"PairedDiff":  func(xs []float64) error { _, err := PairedDiff(ok, xs); return err },
		"Fit x":       func(xs []float64) error { _, err := Fit(xs, ok); return err },
		"Fit y":       func(xs []float64) error { _, err := Fit(ok, xs); return err },
	} {
		for _, xs := range [][]float64{nil, nan, inf} {
			if f(xs) == nil {
				t.Errorf("%s accepted %v", name, xs)
			}
		}
		if err := f(ok); err != nil && !strings.Contains(name, "x") {
			t.Errorf("%s refused %v: %v", name, ok, err)
		}
	}
	for name, err := range map[string]error{
		"ratio of zero":   second(Paired([]float64{0, 1}, ok)),
		"negative ratio":  second(Paired(ok, []float64{-1, 1})),
		"unequal lengths": second(PairedDiff(ok, []float64{1})),
		"zero x":          second(Fit([]float64{0, 1}, ok)),
		"one x":           second(Fit([]float64{3, 3}, ok)),
		"percentile 101":  second(Percentiles(ok, 101)),
		"percentile NaN":  second(Percentiles(ok, math.NaN())),
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

func TestSignFlip(t *testing.T) {
	near(t, "6 equal signs", signFlip([]float64{1, 2, 3, 4, 5, 6}), 2/64., 0)
	near(t, "10 equal signs", signFlip(slices.Repeat([]float64{-1}, 10)), 2/1024., 0)
	// Sums of ±1±2±3: |sum| >= 4 for 3+2-1, 3+2+1 and their opposites.
	near(t, "one minus", signFlip([]float64{-1, 2, 3}), 4/8., 0)
	near(t, "no effect", signFlip([]float64{0, 0, 0}), 1, 0)
	near(t, "one pair", signFlip([]float64{3}), 1, 0)
	// 0.1+0.1+0.1-0.1 and 0.1-0.1+0.1+0.1 differ by rounding: 10 of 16 are equal or further.
	near(t, "ties", signFlip([]float64{0.1, 0.1, 0.1, -0.1}), 10/16., 0)
	rng := rand.New(rand.NewPCG(3, 3))
	d := normals(rng, 20, 0.4, 1)
	exact := signFlip(d)
	sum := 0.0
	for _, x := range d {
		sum += x
	}
	near(t, "sampled against exact", sampledFlips(d, math.Abs(sum)), exact, 0.01)
	if p := signFlip(normals(rng, 200, 1, 1)); p > 1e-3 || p <= 0 {
		t.Errorf("200 pairs: p = %v", p)
	}
}

func normals(rng *rand.Rand, n int, mean, sd float64) []float64 {
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = mean + sd*rng.NormFloat64()
	}
	return xs
}

func TestPairedDegenerate(t *testing.T) {
	xs := []float64{1, 2, 3, 4, 5, 6, 7}
	c := must(Paired(xs, xs))
	if c.Center != 1 || c.Lo != 1 || c.Hi != 1 || c.P != 1 || c.Seed != seed {
		t.Errorf("identical arms: %+v", c)
	}
	c = must(Paired(xs[:1], xs[1:2]))
	if c.Center != 0.5 || c.Lo != 0 || !math.IsInf(c.Hi, 1) || c.P != 1 || len(c.Warnings) == 0 {
		t.Errorf("one pair: %+v", c)
	}
	d := must(PairedDiff([]float64{3, 4, 5}, []float64{1, 2, 3}))
	if d.Center != 2 || d.Lo != 2 || d.Hi != 2 || d.P != 0.25 || len(d.Warnings) != 1 {
		t.Errorf("constant difference: %+v", d)
	}
	d = must(PairedDiff([]float64{3}, []float64{1}))
	if d.Center != 2 || !math.IsInf(d.Lo, -1) || d.P != 1 {
		t.Errorf("one difference: %+v", d)
	}
}

func TestDeterministic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a, b := drifting(rng, 30, 1.1)
	first, again := must(Paired(a, b)), must(Paired(a, b))
	if first.Lo != again.Lo || first.Hi != again.Hi || first.P != again.P {
		t.Errorf("%+v then %+v", first, again)
	}
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

func TestPairedFalsePositives(t *testing.T) {
	const runs = 1000
	for _, n := range []int{8, 20} {
		rng := rand.New(rand.NewPCG(11, uint64(n)))
		byP, byInterval := 0, 0
		for range runs {
			c := must(Paired(drifting(rng, n, 1)))
			if c.P <= 0.05 {
				byP++
			}
			if c.Lo > 1 || c.Hi < 1 {
				byInterval++
			}
		}
		t.Logf("%d rounds: false positives by p %.1f %%, by interval %.1f %%", n, 100.*float64(byP)/runs, 100.*float64(byInterval)/runs)
		if byP > 60 || byInterval > 60 {
			t.Errorf("%d rounds: %d by p and %d by interval of %d", n, byP, byInterval, runs)
		}
	}
}

// TestBlockOrderMisleads shows why arms are interleaved: with one arm measured
// after the other, the same drift looks like an effect.
func TestBlockOrderMisleads(t *testing.T) {
	const runs, n = 100, 10
	rng := rand.New(rand.NewPCG(17, 0))
	wrong := 0
	for range runs {
		all, _ := drifting(rng, 2*n, 1)
		if c := must(Paired(all[:n], all[n:])); c.P <= 0.05 {
			wrong++
		}
	}
	if wrong < runs/2 {
		t.Errorf("block order misled only %d of %d: the simulated drift is too weak to test anything", wrong, runs)
	}
}

func TestPairedPower(t *testing.T) {
	const runs = 300
	rng := rand.New(rand.NewPCG(12, 0))
	found, covered := 0, 0
	for range runs {
		c := must(Paired(drifting(rng, 12, 1.05)))
		if c.P <= 0.05 && c.Lo > 1 {
			found++
		}
		if c.Lo <= 1.05 && 1.05 <= c.Hi {
			covered++
		}
	}
	if found < runs*8/10 || covered < runs*92/100 {
		t.Errorf("an effect of 5 %%: found %d, covered %d of %d", found, covered, runs)
	}
}

func TestPairedDiffCoverage(t *testing.T) {
	const runs = 2000
	rng := rand.New(rand.NewPCG(13, 0))
	covered := 0
	for range runs {
		common := normals(rng, 4, 5, 1)
		a, b := normals(rng, 4, 0.1, 0.05), normals(rng, 4, 0, 0.05)
		for i := range common {
			a[i] += common[i]
			b[i] += common[i]
		}
		c := must(PairedDiff(a, b))
		if c.Lo <= 0.1 && 0.1 <= c.Hi {
			covered++
		}
	}
	near(t, "coverage", float64(covered)/runs, 0.95, 0.015)
}

func TestFitExact(t *testing.T) {
	x := []float64{64, 256, 1024, 4096, 16384}
	var flat, linear, square []float64
	for _, v := range x {
		flat, linear, square = append(flat, 5), append(linear, 3*v), append(square, v*v/7)
	}
	for name, c := range map[string]struct {
		y     []float64
		slope float64
	}{"flat": {flat, 0}, "linear": {linear, 1}, "square": {square, 2}} {
		l := must(Fit(x, c.y))
		near(t, name, l.Center, c.slope, 1e-9)
		near(t, name+" lo", l.Lo, c.slope, 1e-9)
		near(t, name+" hi", l.Hi, c.slope, 1e-9)
		near(t, name+" R2", l.R2, 1, 1e-9)
		near(t, name+" at 1024", math.Exp(l.Intercept+l.Center*math.Log(1024))/c.y[2], 1, 1e-9)
	}
	l := must(Fit(x[:2], linear[:2]))
	if !math.IsInf(l.Lo, -1) || len(l.Warnings) != 1 {
		t.Errorf("two points have no interval: %+v", l)
	}
}

func TestFitCoverage(t *testing.T) {
	const runs = 400
	for _, rounds := range []int{1, 2, 8} {
		rng := rand.New(rand.NewPCG(14, uint64(rounds)))
		covered := 0
		for range runs {
			var x, y []float64
			for _, v := range []float64{64, 256, 1024, 4096, 16384} {
				for range rounds {
					x = append(x, v)
					y = append(y, 2*math.Pow(v, 0.7)*math.Exp(0.05*rng.NormFloat64()))
				}
			}
			if l := must(Fit(x, y)); l.Lo <= 0.7 && 0.7 <= l.Hi {
				covered++
			}
		}
		t.Logf("%d points at each of 5 x: coverage %.3f", rounds, float64(covered)/runs)
		if covered < runs*90/100 {
			t.Errorf("%d points at each of 5 x: covered %d of %d", rounds, covered, runs)
		}
	}
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
