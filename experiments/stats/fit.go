package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Line is a power law y = e^Intercept · x^Center, a line on log-log axes. The
// Summary describes the slope.
type Line struct {
	Summary
	Intercept float64
	R2        float64 // share of the variance of log y explained; 1 when y is constant
	Seed      uint64  // seed of the bootstrap
}

// Fit fits positive y to positive x by least squares on log-log axes. The
// interval of the slope is a bootstrap over points (x, y), so it covers noise
// that grows with x and, in part, a relation that is not a power law.
// Percentiles of a bootstrap are too narrow for few points: they are widened as
// proposed by Hesterberg, What Teachers Should Know About the Bootstrap (2015),
// section 4.3. Fewer than 4 points, or 3 different x, give no interval.
func Fit(x, y []float64) (Line, error) {
	if len(x) != len(y) {
		return Line{}, fmt.Errorf("%d x against %d y are not points", len(x), len(y))
	}
	if err := checkPositive(x); err != nil {
		return Line{}, fmt.Errorf("x: %w", err)
	}
	if err := checkPositive(y); err != nil {
		return Line{}, fmt.Errorf("y: %w", err)
	}
	lx, ly := logs(x), logs(y)
	all := make([]int, len(x))
	for i := range all {
		all[i] = i
	}
	slope, ok := slopeOf(lx, ly, all)
	if !ok {
		return Line{}, fmt.Errorf("a slope needs two different x")
	}
	l := Line{Summary: Summary{N: len(x), Center: slope, Confidence: level}, Seed: seed}
	l.Intercept = mean(ly) - slope*mean(lx)
	l.R2 = explained(lx, ly, l)
	different := slices.Compact(slices.Sorted(slices.Values(x)))
	if len(x) < 4 || len(different) < 3 {
		l.unbounded("need >= 4 points at >= 3 different x for an interval")
		return l, nil
	}
	l.Lo, l.Hi = bootstrap(len(x), 2, func(pick []int) (float64, bool) { return slopeOf(lx, ly, pick) })
	return l, nil
}

// slopeOf returns the least-squares slope through the picked points; ok is
// false when they share one x.
func slopeOf(x, y []float64, pick []int) (slope float64, ok bool) {
	var mx, my float64
	for _, i := range pick {
		mx += x[i]
		my += y[i]
	}
	mx /= float64(len(pick))
	my /= float64(len(pick))
	var xx, xy float64
	for _, i := range pick {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - my)
	}
	if xx < 1e-12 {
		return 0, false
	}
	return xy / xx, true
}

func explained(lx, ly []float64, l Line) float64 {
	var rest, all float64
	my := mean(ly)
	for i, v := range ly {
		r := v - l.Intercept - l.Center*lx[i]
		rest += r * r
		all += (v - my) * (v - my)
	}
	if all == 0 {
		return 1
	}
	return 1 - rest/all
}

// bootstrap returns the percentile interval at level of a statistic of n
// samples with params parameters, over draws with replacement. Draws for which
// stat returns false have no value and are repeated.
func bootstrap(n, params int, stat func(pick []int) (float64, bool)) (lo, hi float64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	pick := make([]int, n)
	values := make([]float64, 0, resamples)
	for tries := 0; len(values) < resamples && tries < 20*resamples; tries++ {
		for i := range pick {
			pick[i] = rng.IntN(n)
		}
		if v, ok := stat(pick); ok {
			values = append(values, v)
		}
	}
	if len(values) < resamples {
		return math.Inf(-1), math.Inf(1)
	}
	slices.Sort(values)
	tail := tailFor(n, params)
	return quantile(values, tail), quantile(values, 1-tail)
}

// tailFor is the share of a bootstrap distribution to leave out on each side:
// Φ(−√(n/(n−p)) · t), where t is the quantile of Student's distribution with
// n−p degrees of freedom at level. It is at most (1−level)/2, which it
// approaches for large n.
func tailFor(n, params int) float64 {
	df := n - params
	if df < 1 {
		return 0
	}
	z := math.Sqrt(float64(n)/float64(df)) * tQuantile((1+level)/2, df)
	return math.Erfc(z/math.Sqrt2) / 2
}

// tQuantile is the p-th quantile, p > 0.5, of Student's distribution.
func tQuantile(p float64, df int) float64 {
	lo, hi := 0.0, 1.0
	for tCDF(hi, df) < p && hi < 1e6 {
		hi *= 2
	}
	for range 100 {
		if mid := (lo + hi) / 2; tCDF(mid, df) < p {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// tCDF is Student's P(T <= t) for t >= 0 and df >= 1. Source: Abramowitz and
// Stegun 26.7.3 and 26.7.4.
func tCDF(t float64, df int) float64 {
	theta := math.Atan(t / math.Sqrt(float64(df)))
	cos, sin := math.Cos(theta), math.Sin(theta)
	sum, term := 0.0, 1.0
	first := 1
	if df%2 == 1 {
		term, first = cos, 2
	}
	if df > 1 {
		sum = term
		for k := first; k <= df-3; k += 2 {
			term *= cos * cos * float64(k) / float64(k+1)
			sum += term
		}
	}
	a := sin * sum
	if df%2 == 1 {
		a = 2 / math.Pi * (theta + sin*sum)
	}
	return 0.5 + a/2
}
