package stats

import "math"

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
