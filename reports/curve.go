package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"workbench/experiments/record"
)

// curve is a quantity of every arm along the axis of a workload: its statistic
// with the interval.
func (g *group) curve(workload string, q record.Quantity) []Series {
	var out []Series
	for _, arm := range g.Arms {
		s := Series{Name: arm, Index: g.index[arm], Line: true}
		for _, p := range g.places(arm, workload, g.view.axisKey(workload), q) {
			s.Points = append(s.Points, one(q, p).point(p.x))
		}
		if len(s.Points) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// along is the figure of a quantity of all arms along the axis of a workload.
func (g *group) along(name, title, workload string, q record.Quantity) Figure {
	series := g.curve(workload, q)
	unit := cmp.Or(inUnit(series, q.Unit), pure)
	a := g.view.axis(workload)
	if a == nil { // all at 0, which a log axis cannot show
		a = &record.Axis{Title: "place", Unit: "number"}
	}
	return Figure{Name: g.slug + "-" + name, Title: title,
		X: Axis{Label: upper(a.Title), Unit: a.Unit, Log: true, Ticks: pointTicks(xs(series), nil)},
		Y: Axis{Label: upper(q.Title), Unit: unit, Log: wide(series), Zero: true}, Series: series, Note: g.intervalNote(workload, q)}
}

// intervalNote says what the bars of a figure are, and how many samples stand
// behind a point.
func (g *group) intervalNote(workload string, q record.Quantity) string {
	fewest, most := math.MaxInt, 0
	for _, arm := range g.Arms {
		for _, p := range g.places(arm, workload, g.view.axisKey(workload), q) {
			fewest, most = min(fewest, len(p.all)), max(most, len(p.all))
		}
	}
	n := fmt.Sprint(most)
	if fewest < most {
		n = fmt.Sprintf("%d to %d", fewest, most)
	}
	if q.Kind == record.Seeded {
		return fmt.Sprintf("Points are means of %s seeds, bars the 95 %% interval of Student's t.", n)
	}
	s := fmt.Sprintf("Points are medians of %s samples, bars the 95 %% interval of the median.", n)
	if fewest < 6 {
		s += " A median of fewer than six samples has no such interval: no bar."
	}
	return s
}

// comparedSentence compares every arm with the baseline at the largest position
// that both have. says is what an arm does, with a %s for the ratio and one for
// the baseline.
func (v *view) comparedSentence(g *group, workload string, q record.Quantity, says string) string {
	var parts []string
	for _, arm := range g.Arms {
		if arm == g.Baseline {
			continue
		}
		if c, ok := v.compare(g, arm, workload, q); ok {
			parts = append(parts, fmt.Sprintf("%s "+says+"%s", arm, c.iv.text("×"), g.Baseline, c.remark()))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return upper(v.placeOf(g, workload, q)) + strings.Join(parts, "; ") + "."
}

// placeOf names the position that comparedSentence speaks of.
func (v *view) placeOf(g *group, workload string, q record.Quantity) string {
	over := v.axisKey(workload)
	base := g.places(g.Baseline, workload, over, q)
	var seen []float64
	for _, arm := range g.Arms {
		if arm == g.Baseline {
			continue
		}
		if x := largestCommon(g.places(arm, workload, over, q), base); !math.IsNaN(x) {
			seen = append(seen, x)
		}
	}
	if len(seen) == 0 {
		return ""
	}
	if slices.Min(seen) != slices.Max(seen) {
		return "at the largest " + over + " both were measured at, "
	}
	return fmt.Sprintf("at %s %.0f ", over, seen[0])
}

// slopeSentence gives the exponent of every arm's growth along an axis.
func (g *group) slopeSentence(workload string, q record.Quantity) string {
	over := g.view.axisKey(workload)
	var parts []string
	for _, arm := range g.Arms {
		f := findSlope(g.places(arm, workload, over, q), q, over)
		if f.verdict != "" {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s for %s", f.iv.text(""), arm))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("As a power of the %s the %s grows with exponent %s (0: flat, 1: proportional).", over, q.Title, list(parts))
}
