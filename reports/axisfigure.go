package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"workbench/experiments/record"
)

// axisSeries is a quantity of every arm along the axis of a workload: its
// statistic with the interval.
func (part *partView) axisSeries(workload string, q record.Quantity) []Series {
	var out []Series
	for _, arm := range part.Arms {
		s := Series{Name: arm, Index: part.index[arm], Line: true}
		for _, p := range part.samplesAlong(arm, workload, part.view.axisKey(workload), q) {
			s.Points = append(s.Points, summarize(q, p).point(p.x))
		}
		if len(s.Points) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// axisFigure is the figure of a quantity of all arms along the axis of a workload.
func (part *partView) axisFigure(name, title, workload string, q record.Quantity) Figure {
	series := part.axisSeries(workload, q)
	unit := cmp.Or(inUnit(series, q.Unit), pureUnit)
	a := part.view.axis(workload)
	if a == nil { // all at 0, which a log axis cannot show
		a = &record.Axis{Title: "position", Unit: "number"}
	}
	return Figure{Name: part.slug + "-" + name, Title: title,
		X: Axis{Label: upper(a.Title), Unit: a.Unit, Log: true, Ticks: pointTicks(xs(series), nil)},
		Y: Axis{Label: upper(q.Title), Unit: unit, Log: wide(series), Zero: true}, Series: series, Note: part.intervalNote(workload, q)}
}

// intervalNote says what the bars of a figure are, and how many samples stand
// behind a point.
func (part *partView) intervalNote(workload string, q record.Quantity) string {
	fewest, most := math.MaxInt, 0
	for _, arm := range part.Arms {
		for _, p := range part.samplesAlong(arm, workload, part.view.axisKey(workload), q) {
			fewest, most = min(fewest, len(p.by)), max(most, len(p.by))
		}
	}
	n := fmt.Sprint(most)
	if fewest < most {
		n = fmt.Sprintf("%d to %d", fewest, most)
	}
	if q.Kind == record.Seeded {
		return fmt.Sprintf("Points are means of %s seeds, bars the 95 %% interval of Student's t.", n)
	}
	what := map[string]string{"block": "blocks, in each of which every process was started afresh", "round": "rounds of one start"}[part.repetitions(workload, q)]
	s := fmt.Sprintf("Points are medians of %s %s, bars the 95 %% interval of the median.", n, what)
	if fewest < 6 {
		s += " A median of fewer than six has no such interval: no bar."
	}
	return s
}

// comparedSentence compares every arm with the baseline at the largest position
// that both have. says is what an arm does, with a %s for the ratio and one for
// the baseline.
func (v *view) comparedSentence(part *partView, workload string, q record.Quantity, says string) string {
	var parts []string
	for _, arm := range part.Arms {
		if arm == part.Baseline {
			continue
		}
		if c, ok := v.compare(part, arm, workload, q); ok {
			parts = append(parts, fmt.Sprintf("%s "+says+"%s", arm, c.iv.text("×"), part.Baseline, c.remark()))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return upper(v.atPosition(part, workload, q)) + strings.Join(parts, "; ") + "." + part.family(workload, q).placeboRemark()
}

// atPosition names the position that comparedSentence speaks of.
func (v *view) atPosition(part *partView, workload string, q record.Quantity) string {
	over := v.axisKey(workload)
	base := part.samplesAlong(part.Baseline, workload, over, q)
	var seen []float64
	for _, arm := range part.Arms {
		if arm == part.Baseline {
			continue
		}
		if x := largestCommon(part.samplesAlong(arm, workload, over, q), base); !math.IsNaN(x) {
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
