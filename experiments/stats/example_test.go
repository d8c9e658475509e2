package stats_test

import (
	"fmt"
	"math"

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

// Two arms timed in the same blocks, on a machine that slows down: a takes about
// 20 % longer than b in every block, and the drift common to a block cancels.
func ExampleInterval() {
	var d []float64
	for block := range 8 {
		drift := 1 + 0.1*float64(block)
		a, b := (1.2+0.01*float64(block%3))*drift, drift
		d = append(d, math.Log(a/b))
	}
	t, err := stats.Interval(d)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("a/b is %.2f, from %.2f to %.2f, p = %.3f\n", math.Exp(t.Center), math.Exp(t.Lo), math.Exp(t.Hi), t.P)
	// Output: a/b is 1.21, from 1.20 to 1.22, p = 0.008
}

// Three tests in one family: Holm's correction raises the p values.
func ExampleHolm() {
	fmt.Printf("%.2f\n", stats.Holm([]float64{0.01, 0.04, 0.03}))
	// Output: [0.03 0.06 0.06]
}
