package stats_test

import (
	"fmt"

	"workbench/experiments/stats"
)

// The median of timings with its distribution-free interval: one slow sample
// moves neither much.
func ExampleMedian() {
	seconds := []float64{1.02, 1.00, 1.01, 1.04, 1.03, 1.00, 1.02, 9.50}
	s, err := stats.Median(seconds)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f s, from %.2f to %.2f with %.1f %% confidence\n", s.Center, s.Lo, s.Hi, 100*s.Confidence)
	// Output: 1.02 s, from 1.00 to 1.04 with 96.1 % confidence
}

// Two arms timed in the same rounds, on a machine that slows down: a takes 20 %
// longer than b in every round, and the drift common to a round cancels.
func ExamplePaired() {
	var a, b []float64
	for round := range 10 {
		drift := 1 + 0.1*float64(round)
		a, b = append(a, 1.2*drift), append(b, drift)
	}
	c, err := stats.Paired(a, b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("a/b is %.2f, from %.2f to %.2f, p = %.3f\n", c.Center, c.Lo, c.Hi, c.P)
	// Output: a/b is 1.20, from 1.20 to 1.20, p = 0.002
}

// Three tests in one family: Holm's correction raises the p values.
func ExampleHolm() {
	fmt.Printf("%.2f\n", stats.Holm([]float64{0.01, 0.04, 0.03}))
	// Output: [0.03 0.06 0.06]
}
