// Package stats turns samples into statements: intervals, tests by sign flips,
// corrections for multiple tests, scaling fits. Every random draw comes from a
// generator with a fixed seed, so that a report is a function of its records.
package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// level is the confidence level of every interval unless a Summary says
// otherwise.
const level = 0.95

// seed starts every generator.
const seed = 20260101

// Summary is an estimate with its confidence interval. Lo and Hi are infinite,
// and Confidence is 1, where there are too few samples for an interval.
type Summary struct {
	N              int
	Center, Lo, Hi float64
	Confidence     float64 // of [Lo, Hi]
	Warnings       []string
}

// Median returns the median with its distribution-free interval between two
// order statistics: Confidence is exact and at least 0.95. Fewer than 6 samples
// give no interval.
func Median(xs []float64) (Summary, error) {
	return summary(xs, benchmath.AssumeNothing)
}

// Mean returns the mean with Student's t interval. It assumes that the samples
// are independent and about normal: right for a handful of seeds, not for
// timings. One sample gives no interval.
func Mean(xs []float64) (Summary, error) {
	s, err := summary(xs, benchmath.AssumeNormal)
	if s.N == 1 {
		s.unbounded("need >= 2 samples for an interval")
	}
	return s, err
}

func summary(xs []float64, a benchmath.Assumption) (Summary, error) {
	if err := check(xs); err != nil {
		return Summary{}, err
	}
	b := a.Summary(benchmath.NewSample(slices.Clone(xs), &benchmath.DefaultThresholds), level)
	s := Summary{N: len(xs), Center: b.Center, Lo: b.Lo, Hi: b.Hi, Confidence: b.Confidence}
	for _, w := range b.Warnings {
		s.Warnings = append(s.Warnings, w.Error())
	}
	if math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		s.Lo, s.Hi, s.Confidence = math.Inf(-1), math.Inf(1), 1
	}
	return s, nil
}

// unbounded removes the interval and adds the reason as a warning.
func (s *Summary) unbounded(why string) {
	s.Lo, s.Hi, s.Confidence = math.Inf(-1), math.Inf(1), 1
	s.Warnings = append(s.Warnings, why)
}

// check refuses samples that have no mean or median: none, or values that are
// not finite.
func check(xs []float64) error {
	if len(xs) == 0 {
		return errors.New("no samples")
	}
	for i, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("sample %d is %v", i, x)
		}
	}
	return nil
}

func checkPositive(xs []float64) error {
	if err := check(xs); err != nil {
		return err
	}
	for i, x := range xs {
		if x <= 0 {
			return fmt.Errorf("sample %d is %v: a ratio needs positive samples", i, x)
		}
	}
	return nil
}

// Percentiles returns the ps-th percentiles of xs, 0 to 100, interpolated
// linearly between order statistics (Hyndman and Fan's type 7).
func Percentiles(xs []float64, ps ...float64) ([]float64, error) {
	if err := check(xs); err != nil {
		return nil, err
	}
	sorted := slices.Sorted(slices.Values(xs))
	out := make([]float64, len(ps))
	for i, p := range ps {
		if !(p >= 0 && p <= 100) {
			return nil, fmt.Errorf("there is no %v-th percentile", p)
		}
		out[i] = quantile(sorted, p/100)
	}
	return out, nil
}

// quantile is the q-th quantile, 0 ≤ q ≤ 1, of ascending xs.
func quantile(sorted []float64, q float64) float64 {
	h := q * float64(len(sorted)-1)
	i := min(int(h), len(sorted)-1)
	j := min(i+1, len(sorted)-1)
	return sorted[i] + (h-float64(i))*(sorted[j]-sorted[i])
}

func mean(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

// Holm returns the p values of a family of tests, corrected by Holm's step-down
// method, in the given order. Rejecting those up to α keeps the probability of
// any false rejection in the family at most α.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		if p[i] < p[j] {
			return -1
		} else if p[i] > p[j] {
			return 1
		}
		return 0
	})
	out := make([]float64, len(p))
	floor := 0.0
	for rank, i := range order {
		floor = max(floor, min(1, p[i]*float64(len(p)-rank)))
		out[i] = floor
	}
	return out
}
