package stats

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

const (
	// seed starts the generator of every bootstrap and sampled permutation.
	seed      = 20260101
	resamples = 4000
	// exactPairs is the largest number of pairs whose sign flips are all
	// enumerated.
	exactPairs = 20
	// minPairs is the smallest number of pairs that can differ at the 5 % level:
	// 2/2⁶ = 0.031.
	minPairs = 6
)

// Comparison is the effect of one arm against another, measured in pairs. P is
// the two-sided p value of the sign-flip permutation test of no effect: exact
// for up to 20 pairs, sampled with Seed for more.
type Comparison struct {
	Summary
	P    float64
	Seed uint64 // seed of the bootstrap and of sampled permutations
}

// Paired compares positive samples a[i] with b[i] that were taken in the same
// round. Center is the median ratio a/b; its interval is a bootstrap on the log
// scale, widened for few pairs as in Fit. Fewer than 6 pairs give no interval.
// Pairs are assumed to be independent, samples are not: drift that affects both
// samples of a pair cancels.
func Paired(a, b []float64) (Comparison, error) {
	d, err := differences(a, b, checkPositive, func(x, y float64) float64 { return math.Log(x) - math.Log(y) })
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Summary: Summary{N: len(d), Center: median(d), Confidence: level}, P: signFlip(d), Seed: seed}
	drawn := make([]float64, len(d))
	c.Lo, c.Hi = bootstrap(len(d), 1, func(pick []int) (float64, bool) {
		for i, j := range pick {
			drawn[i] = d[j]
		}
		slices.Sort(drawn)
		return quantile(drawn, 0.5), true
	})
	if c.N < minPairs {
		c.unbounded(fmt.Sprintf("need >= %d pairs for an interval", minPairs))
	}
	c.Center, c.Lo, c.Hi = math.Exp(c.Center), math.Exp(c.Lo), math.Exp(c.Hi)
	return c, nil
}

// PairedDiff compares samples a[i] with b[i] of the same seed: Center is the
// mean of a−b with Student's t interval, as in Mean.
func PairedDiff(a, b []float64) (Comparison, error) {
	d, err := differences(a, b, check, func(x, y float64) float64 { return x - y })
	if err != nil {
		return Comparison{}, err
	}
	s, err := Mean(d)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Summary: s, P: signFlip(d), Seed: seed}
	if c.N < minPairs {
		c.Warnings = append(c.Warnings, fmt.Sprintf("the sign-flip p cannot fall below %.2g with %d pairs", math.Ldexp(2, -c.N), c.N))
	}
	return c, nil
}

func differences(a, b []float64, check func([]float64) error, diff func(x, y float64) float64) ([]float64, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("%d samples against %d are not pairs", len(a), len(b))
	}
	if err := check(a); err != nil {
		return nil, err
	}
	if err := check(b); err != nil {
		return nil, err
	}
	d := make([]float64, len(a))
	for i := range a {
		d[i] = diff(a[i], b[i])
	}
	return d, nil
}

func median(xs []float64) float64 { return quantile(slices.Sorted(slices.Values(xs)), 0.5) }

// signFlip is the share of the 2ⁿ choices of the signs of d whose sum is at
// least as far from 0 as the sum of d: without an effect, every choice is
// equally likely.
func signFlip(d []float64) float64 {
	var sum, scale float64
	for _, x := range d {
		sum += x
		scale += math.Abs(x)
	}
	// Sums that differ by rounding alone count as equal.
	limit := math.Abs(sum) - 1e-9*scale
	if len(d) > exactPairs {
		return sampledFlips(d, limit)
	}
	// Note: choices come in pairs of opposite signs, so the last sign is fixed; a
	// Gray code changes one sign in each step.
	n := uint(len(d))
	extreme, s := 1, sum
	flipped := make([]bool, n)
	for i := 1; i < 1<<(n-1); i++ {
		k := bits.TrailingZeros(uint(i))
		if flipped[k] {
			s += 2 * d[k]
		} else {
			s -= 2 * d[k]
		}
		flipped[k] = !flipped[k]
		if math.Abs(s) >= limit {
			extreme++
		}
	}
	return float64(extreme) / float64(int(1)<<(n-1))
}

// sampledFlips estimates that share from 20,000 random choices of signs and the
// observed one.
func sampledFlips(d []float64, limit float64) float64 {
	const draws = 20000
	rng := rand.New(rand.NewPCG(seed, 1))
	extreme := 1
	for range draws {
		s := 0.0
		for _, x := range d {
			if rng.Uint64()&1 == 0 {
				x = -x
			}
			s += x
		}
		if math.Abs(s) >= limit {
			extreme++
		}
	}
	return float64(extreme) / (draws + 1)
}

// NoiseFloor returns the relative difference that identical work shows on this
// machine: arms[i][r] is the time of arm i in round r, all arms doing the same.
// It is the bound farthest from 1 of the intervals of all pairs of arms. A
// smaller difference must not be called a win.
func NoiseFloor(arms [][]float64) (float64, error) {
	if len(arms) < 2 {
		return 0, fmt.Errorf("a noise floor needs two arms of identical work, not %d", len(arms))
	}
	floor := 0.0
	for i := range arms {
		for j := range i {
			c, err := Paired(arms[i], arms[j])
			if err != nil {
				return 0, fmt.Errorf("arms %d and %d: %w", i, j, err)
			}
			if c.N < minPairs {
				return 0, fmt.Errorf("a noise floor needs >= %d rounds, not %d", minPairs, c.N)
			}
			floor = max(floor, c.Hi-1, 1/c.Lo-1)
		}
	}
	return floor, nil
}
