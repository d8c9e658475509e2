package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"workbench/experiments/record"
	"workbench/experiments/stats"
)

// An interval is a statistic with its 95 % interval.
type interval struct {
	mid, lo, hi float64
	n           int     // samples, pairs or seeds behind it
	p           float64 // of the comparison with no difference, NaN where none is made
	reason      string  // why there is no interval
}

func exact(v float64, n int) interval { return interval{v, v, v, n, math.NaN(), ""} }

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
// is counted, the mean where seeds vary, else the median.
func summarize(q record.Quantity, p samplesAt) interval {
	switch {
	case q.Kind == record.Exact:
		return interval{median(p.all), slices.Min(p.all), slices.Max(p.all), len(p.all), math.NaN(), ""}
	case q.Kind == record.Seeded:
		return meanInterval(p.all)
	}
	return medianInterval(p.all)
}

// paired lists the values of a and b that are pairs.
func paired(a, b samplesAt) (x, y []float64) {
	for _, k := range slices.Sorted(maps.Keys(a.by)) {
		if v, ok := b.by[k]; ok {
			x, y = append(x, a.by[k]), append(y, v)
		}
	}
	return x, y
}

// ratio is a over b, paired.
func ratio(q record.Quantity, a, b samplesAt) interval {
	x, y := paired(a, b)
	if q.Kind == record.Exact {
		return exact(median(a.all)/median(b.all), len(x))
	}
	return pairedRatio(x, y)
}

// difference is a minus b, paired.
func difference(q record.Quantity, a, b samplesAt) interval {
	x, y := paired(a, b)
	if q.Kind == record.Exact {
		return exact(median(a.all)-median(b.all), len(x))
	}
	return pairedDifference(x, y)
}

// slope is the exponent of growth along the positions, all above zero.
func slope(q record.Quantity, ps []samplesAt) interval {
	var x, y []float64
	for _, p := range ps {
		if q.Kind == record.Exact {
			x, y = append(x, p.x), append(y, median(p.all))
			continue
		}
		for _, v := range p.all {
			x, y = append(x, p.x), append(y, v)
		}
	}
	iv := logSlope(x, y)
	if q.Kind == record.Exact {
		return exact(iv.mid, len(x))
	}
	return iv
}

// asInterval is a summary of stats as an interval; an error is the reason why
// there is none.
func asInterval(s stats.Summary, p float64, err error) interval {
	if err != nil {
		nan := math.NaN()
		return interval{nan, nan, nan, s.N, nan, err.Error()}
	}
	return interval{s.Center, s.Lo, s.Hi, s.N, p, strings.Join(s.Warnings, "; ")}
}

func medianInterval(v []float64) interval {
	s, err := stats.Median(v)
	return asInterval(s, math.NaN(), err)
}

func meanInterval(v []float64) interval {
	s, err := stats.Mean(v)
	return asInterval(s, math.NaN(), err)
}

func pairedRatio(x, y []float64) interval {
	c, err := stats.Paired(x, y)
	return asInterval(c.Summary, c.P, err)
}

func pairedDifference(x, y []float64) interval {
	c, err := stats.PairedDiff(x, y)
	return asInterval(c.Summary, c.P, err)
}

func logSlope(x, y []float64) interval {
	l, err := stats.Fit(x, y)
	return asInterval(l.Summary, math.NaN(), err)
}

func median(v []float64) float64 {
	p, err := stats.Percentiles(v, 50)
	if err != nil {
		return math.NaN()
	}
	return p[0]
}
