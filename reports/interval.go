package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"workbench/experiments/record"
	"workbench/experiments/stats"
)

// An interval is a statistic with its 95 % interval.
type interval struct {
	mid, lo, hi float64
	n           int    // samples, blocks or seeds behind it
	reason      string // why there is no interval
}

func exact(v float64, n int) interval { return interval{v, v, v, n, ""} }

func (iv interval) bounded() bool { return finite(iv.mid) && finite(iv.lo) && finite(iv.hi) }

// why tells what an unbounded interval lacks.
func (iv interval) why() string {
	if iv.reason != "" {
		return iv.reason
	}
	return "no interval can be had"
}

// point is the interval in a figure; without bounds it has no bar.
func (iv interval) point(x float64) Point {
	if !iv.bounded() {
		return Point{x, iv.mid, iv.mid, iv.mid}
	}
	return Point{x, iv.mid, iv.lo, iv.hi}
}

// text prints the interval with its unit: "2.31 [2.10, 2.44] ms", "2.3×
// [2.1, 2.5]"; an exact value stands alone.
func (iv interval) text(unit string) string {
	f, u := siScale(iv.mid, unit)
	places := decimals(iv.mid/f, (iv.hi-iv.lo)/f)
	num := func(v float64) string {
		if a := math.Abs(v / f); a >= 1e6 || a != 0 && places > 6 {
			return digits(v / f)
		}
		return fixed(v/f, places)
	}
	tail := ""
	if u != "" {
		tail = " " + u
	}
	head := num(iv.mid)
	if u == "×" {
		head, tail = head+"×", ""
	}
	switch {
	case !iv.bounded():
		return fmt.Sprintf("%s%s (no interval: %s)", head, tail, iv.why())
	case iv.lo == iv.hi:
		return head + tail
	}
	return fmt.Sprintf("%s [%s, %s]%s", head, num(iv.lo), num(iv.hi), tail)
}

// decimals are the places that show v to three digits, or the width of its
// interval to two where that takes one more or less.
func decimals(v, width float64) int {
	lead := func(x float64) int {
		if x == 0 || !finite(x) {
			return -99
		}
		return int(math.Floor(math.Log10(math.Abs(x))))
	}
	d, w := 2-lead(v), lead(width)
	switch {
	case w == -99:
	case lead(v) == -99 || w > lead(v):
		d = 1 - w
	default:
		d = min(max(1-w, 1-lead(v)), max(3, 2-lead(v)))
	}
	if d > 90 {
		return 0
	}
	return max(0, d)
}

// summarize is the statistic of the samples at one position: the value where it
// is counted, the mean where seeds vary, else the median of the blocks.
func summarize(q record.Quantity, p samplesAt) interval {
	switch {
	case q.Kind == record.Exact:
		return interval{median(p.all), slices.Min(p.all), slices.Max(p.all), len(p.all), ""}
	case q.Kind == record.Seeded:
		return meanInterval(p.all)
	}
	return medianInterval(inOrder(p.by))
}

// ofTest is the interval of a test, of logarithms that of the ratio; per is what
// it is repeated by.
func ofTest(t stats.Test, logs bool, per string) interval {
	iv := interval{mid: t.Center, lo: t.Lo, hi: t.Hi, n: t.N}
	if !iv.bounded() {
		iv.reason = needs(stats.Needs(alpha), per)
	}
	if logs {
		iv.mid, iv.lo, iv.hi = math.Exp(iv.mid), math.Exp(iv.lo), math.Exp(iv.hi)
	}
	return iv
}

// needs says how many repetitions could decide.
func needs(n int, per string) string { return "needs " + count(n, per) }

// alone is the number itself, without an interval for a reason.
func (iv interval) alone(why string) interval {
	return interval{iv.mid, math.Inf(-1), math.Inf(1), iv.n, why}
}

// asInterval is a summary of stats as an interval; an error is the reason why
// there is none.
func asInterval(s stats.Summary, err error) interval {
	if err != nil {
		nan := math.NaN()
		return interval{nan, nan, nan, s.N, err.Error()}
	}
	return interval{s.Center, s.Lo, s.Hi, s.N, strings.Join(s.Warnings, "; ")}
}

func medianInterval(v []float64) interval { return asInterval(stats.Median(v)) }

func meanInterval(v []float64) interval { return asInterval(stats.Mean(v)) }

func median(v []float64) float64 {
	p, err := stats.Percentiles(v, 50)
	if err != nil {
		return math.NaN()
	}
	return p[0]
}
