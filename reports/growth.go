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

// within is how far beyond the largest position measured a curve is believed, as
// a multiple of it.
const within = 2

// growthSentences say how every arm's quantity grows along an axis, and where it
// crosses the baseline's.
func (part *partView) growthSentences(workload string, q record.Quantity) []string {
	var grows, crosses []string
	base, most, ok := part.curveOf(part.Baseline, workload, q)
	for _, arm := range part.Arms {
		c, to, fitted := part.curveOf(arm, workload, q)
		if !fitted {
			continue
		}
		grows = append(grows, fmt.Sprintf("%s %s (largest residual %s)", arm, part.formText(c, workload, q), percent(c.Residual)))
		if ok && arm != part.Baseline {
			crosses = append(crosses, arm+" "+part.crossing(arm, workload, q, c, base, within*min(to, most)))
		}
	}
	if len(grows) == 0 {
		return nil
	}
	over := part.view.axisKey(workload)
	out := []string{fmt.Sprintf("Along the %s the %s: %s. The form is the best by AICc of a constant, a line, a power and a parabola through the means over %ss.",
		over, q.Title, strings.Join(grows, "; "), part.repetitions(workload, q))}
	if len(crosses) > 0 {
		out = append(out, fmt.Sprintf("The fitted curve of %s crosses: that of %s.", part.Baseline, strings.Join(crosses, "; that of ")))
	}
	return out
}

// curveOf fits the means of an arm, and says how far it was measured.
func (part *partView) curveOf(arm, workload string, q record.Quantity) (c stats.Curve, most float64, ok bool) {
	ps := part.samplesAlong(arm, workload, part.view.axisKey(workload), q)
	var x, y []float64
	for _, p := range ps {
		x, y = append(x, p.x), append(y, average(inOrder(p.by)))
	}
	c, err := stats.Fit(x, y)
	if err != nil {
		return c, 0, false
	}
	return c, x[len(x)-1], true
}

// formText is a curve in words, with its parameters.
func (part *partView) formText(c stats.Curve, workload string, q record.Quantity) string {
	over := part.view.axisKey(workload)
	first := withUnit(c.P[0], q.Unit)
	term := func(i int, of string) string {
		sign := "+"
		if c.P[i] < 0 {
			sign = "−"
		}
		return fmt.Sprintf(" %s %s · %s", sign, withUnit(math.Abs(c.P[i]), q.Unit), of)
	}
	switch c.Form {
	case stats.Constant:
		return "stays at " + first
	case stats.Power:
		return fmt.Sprintf("is %s · %s^%s", first, over, digits(c.P[1]))
	case stats.Affine:
		return "is " + first + term(1, over)
	}
	return "is " + first + term(1, over) + term(2, over+"²")
}

// crossing is where the curve of an arm crosses the baseline's, in words: that of
// the means, with the interval of the median over blocks, in each of which both
// forms are fitted anew. Nothing is said beyond to.
func (part *partView) crossing(arm, workload string, q record.Quantity, c, base stats.Curve, to float64) string {
	over := part.view.axisKey(workload)
	nowhere := fmt.Sprintf("not within %s %.0f", over, to)
	x := stats.Crossing(c, base, start(c, base, to), to)
	if !finite(x) {
		return nowhere
	}
	at := fmt.Sprintf("at %s %s", over, digits(x))
	if why := part.notRepeated(workload, q); why != "" {
		return fmt.Sprintf("%s (no interval: %s)", at, why)
	}
	s, err := stats.Median(part.crossings(arm, workload, q, c, base, to))
	switch {
	case err != nil || !finite(s.Lo):
		return fmt.Sprintf("%s (no interval: %s)", at, needs(stats.Needs(alpha), "block"))
	case s.Hi >= to:
		return fmt.Sprintf("%s [%s, beyond %.0f]", at, digits(s.Lo), to)
	}
	return fmt.Sprintf("%s [%s, %s]", at, digits(s.Lo), digits(s.Hi))
}

// start is where a crossing is looked for from: 0, at which a power may have no
// value.
func start(c, base stats.Curve, to float64) float64 {
	if c.Form == stats.Power || base.Form == stats.Power {
		return to / 1e6
	}
	return 0
}

// crossings are those of every block that holds all positions of both arms: to,
// where the curves still lie at the end as those of the means begin, and 0 where
// they begin as those of the means end.
func (part *partView) crossings(arm, workload string, q record.Quantity, c, base stats.Curve, to float64) []float64 {
	from := start(c, base, to)
	above := c.At(from) > base.At(from)
	own, others := part.byBlock(arm, workload, q), part.byBlock(part.Baseline, workload, q)
	var out []float64
	for _, k := range slices.Sorted(maps.Keys(own)) {
		b, ok := others[k]
		if !ok {
			continue
		}
		f, okF := stats.FitForm(c.Form, own[k].x, own[k].y)
		g, okG := stats.FitForm(base.Form, b.x, b.y)
		if !okF || !okG {
			continue
		}
		x := 0.0
		if f.At(from) > g.At(from) == above {
			x = min(to, stats.Crossing(f, g, from, to))
		}
		out = append(out, x)
	}
	return out
}

// A curveData holds the points of one block.
type curveData struct{ x, y []float64 }

// byBlock are the points of an arm in every block that holds all of them.
func (part *partView) byBlock(arm, workload string, q record.Quantity) map[uint64]curveData {
	ps := part.samplesAlong(arm, workload, part.view.axisKey(workload), q)
	out := map[uint64]curveData{}
	for _, p := range ps {
		for k, y := range p.by {
			d := out[k]
			out[k] = curveData{append(d.x, p.x), append(d.y, y)}
		}
	}
	maps.DeleteFunc(out, func(_ uint64, d curveData) bool { return len(d.x) < len(ps) })
	return out
}
