package stats

import (
	"fmt"
	"math"
)

// NoiseFloor returns the relative difference that identical work shows within
// one process on this machine: arms[i][r] is the time of arm i in round r, all
// arms doing the same. It is the bound farthest from 1 of the intervals of all
// pairs of arms. It describes the machine and decides nothing, for processes of
// the same program differ by more.
func NoiseFloor(arms [][]float64) (float64, error) {
	if len(arms) < 2 {
		return 0, fmt.Errorf("a noise floor needs two arms of identical work, not %d", len(arms))
	}
	floor := 0.0
	for i := range arms {
		for j := range i {
			d, err := logRatios(arms[i], arms[j])
			if err != nil {
				return 0, fmt.Errorf("arms %d and %d: %w", i, j, err)
			}
			if least := Needs(1 - level); len(d) < least {
				return 0, fmt.Errorf("a noise floor needs >= %d rounds, not %d", least, len(d))
			}
			t, err := Interval(d)
			if err != nil {
				return 0, err
			}
			floor = max(floor, math.Expm1(t.Hi), math.Expm1(-t.Lo))
		}
	}
	return floor, nil
}

// logRatios are the logarithms of a over b, pair by pair.
func logRatios(a, b []float64) ([]float64, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("%d samples against %d are not pairs", len(a), len(b))
	}
	for _, xs := range [][]float64{a, b} {
		if err := checkPositive(xs); err != nil {
			return nil, err
		}
	}
	d := make([]float64, len(a))
	for i := range a {
		d[i] = math.Log(a[i]) - math.Log(b[i])
	}
	return d, nil
}
