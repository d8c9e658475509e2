package reports

import (
	"fmt"
	"math"
	"strings"

	"workbench/experiments/record"
	"workbench/experiments/stats"
)

// A comparison is one arm against the baseline of its part.
type comparison struct {
	arm, workload, over string
	x                   float64
	q                   record.Quantity
	iv                  interval // ratio, or difference of a seeded metric
	p                   float64  // corrected for the family, NaN where nothing is tested
	found               float64  // the smallest ratio or difference found with probability .8
	per                 string   // what the numbers are paired by
	why                 string   // nothing is tested
}

// compare holds an arm against the baseline at the largest position both have.
func (v *view) compare(part *partView, arm, workload string, q record.Quantity) (comparison, bool) {
	over := v.axisKey(workload)
	a, b := part.samplesAlong(arm, workload, over, q), part.samplesAlong(part.Baseline, workload, over, q)
	x := largestCommon(a, b)
	if math.IsNaN(x) {
		return comparison{}, false
	}
	c := comparison{arm: arm, workload: workload, over: over, x: x, q: q, p: math.NaN(), found: math.NaN(), per: part.repetitions(workload, q)}
	pa, _ := samplesIn(a, x)
	pb, _ := samplesIn(b, x)
	switch f := part.family(workload, q); {
	case q.Kind != record.Seeded && q.Kind != record.Timed:
		c.iv = exact(median(pa.all)/median(pb.all), len(pa.all))
	case f.why != "":
		d := average(inOrder(apart(q, pa, pb)))
		c.iv, c.why = exact(math.Exp(d), len(pa.by)).alone(f.why), f.why
	default:
		t, ok := f.tests[place{arm, x}]
		if !ok {
			return comparison{}, false
		}
		c.p, c.found, c.iv = t.P, t.Found, ofTest(t, q.Kind == record.Timed, c.per)
		if q.Kind == record.Timed {
			c.found = math.Exp(t.Found)
		}
	}
	return c, finite(c.iv.mid)
}

// neutral is the statistic of no difference.
func (c comparison) neutral() float64 {
	if c.q.Kind == record.Seeded {
		return 0
	}
	return 1
}

// The conclusions of a comparison that shows a difference.
const (
	higher = "higher"
	less   = "lower"
)

// conclusion is "higher", "lower" or why neither can be said.
func (c comparison) conclusion() string {
	way := higher
	if c.iv.mid < c.neutral() {
		way = less
	}
	switch {
	case c.why != "":
		return NotDecided + ": " + c.why
	case c.iv.lo == c.neutral() && c.iv.hi == c.neutral():
		return "equal"
	case c.q.Kind == record.Exact && math.Abs(math.Log(c.iv.mid)) < 0.005:
		return "equal within 0.5 %"
	case math.IsNaN(c.p), c.p <= alpha:
		return way
	case stats.LeastP(c.iv.n) > alpha:
		return NotDecided + ": " + needs(stats.Needs(alpha), c.per)
	}
	return "no difference shown"
}

// merit says of a shown difference whether it is for the better.
func (c comparison) merit() string {
	better := map[string]string{record.Lower: less, record.Higher: higher}[c.q.Better]
	switch way := c.conclusion(); {
	case better == "" || way != higher && way != less:
		return ""
	case way == better:
		return ", which is better"
	}
	return ", which is worse"
}

// remark is what a sentence adds after the numbers: nothing where they differ,
// or where they say so themselves.
func (c comparison) remark() string {
	switch s := c.conclusion(); {
	case s == higher, s == less, s == "equal", c.iv.reason != "":
		return ""
	default:
		return ", " + s
	}
}

// comparisons are those of the part's main quantities. What was counted is compared once, in the first workload with an axis.
func (v *view) comparisons(part *partView) []comparison {
	var out []comparison
	counted := map[string]bool{} // quantities that are compared already
	for _, w := range part.workloads() {
		for _, name := range v.names {
			q := part.quantity(name)
			if !q.Main || q.Kind == record.Estimated || q.Kind == record.Exact && (w.Axis == nil || counted[name]) {
				continue
			}
			for _, arm := range part.Arms {
				if arm == part.Baseline {
					continue
				}
				if c, ok := v.compare(part, arm, w.Name, q); ok {
					out = append(out, c)
					counted[name] = q.Kind == record.Exact
				}
			}
		}
	}
	return out
}

// comparisonBlocks is the table of every arm against the baseline, and what the
// placebo of every group shows.
func (v *view) comparisonBlocks(part *partView) []Block {
	t := &Table{Name: part.slug + "-comparison", Title: "Compared with " + part.Baseline, Text: 3, Tail: 1,
		Columns: []string{"Series", "Quantity", "At", "Against " + part.Baseline + " [95 % interval]", "Blocks or seeds", "p", "Smallest found", "Conclusion"},
		Note: "Timed and counted quantities are compared by their ratio, those that vary with the seed by their difference, at the largest position both series have. Timed quantities are paired by block, in each of which every process was started afresh, others by seed. " +
			"p and intervals are those of one test for each quantity of a workload, over all series and all positions: flips of the signs of whole blocks, corrected step-down by the largest statistic. " +
			"The smallest found is the difference that as many blocks or seeds find with probability .8. Counted quantities have no p."}
	var says []string
	said := map[string]bool{}
	for _, c := range v.comparisons(part) {
		unit := "×"
		if c.q.Kind == record.Seeded {
			unit = c.q.Unit
		}
		where := "n/a"
		if c.over != "" {
			where = fmt.Sprintf("%s %.0f", c.over, c.x)
		}
		found := "n/a"
		if finite(c.found) {
			found = exact(c.found, c.iv.n).text(unit)
		}
		what := c.q.Title + " (" + c.workload + ")"
		t.add(c.arm, what, where, c.iv.text(unit), fmt.Sprint(c.iv.n), pText(c.p), found, c.conclusion())
		if s := part.family(c.workload, c.q).placeboRemark(); s != "" && !said[what] {
			said[what], says = true, append(says, upper(what)+":"+s)
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	for _, q := range part.scores() {
		t.Note = strings.TrimSpace(t.Note + " " + part.notAvailable(q))
	}
	return []Block{{Heading: "All against " + part.Baseline, Says: says, Table: t}}
}

func pText(p float64) string {
	switch {
	case math.IsNaN(p):
		return "n/a"
	case p < 0.001:
		return "<0.001"
	}
	return fixed(p, 3)
}

// pEquals is a p in a sentence.
func pEquals(p float64) string {
	if s := pText(p); s[0] == '<' {
		return "< " + s[1:]
	}
	return "= " + pText(p)
}

// rawSamples is every record as a row of a CSV file: its cell, its keys, its
// values under their names and its error, unrounded.
func (v *view) rawSamples() [][]string {
	keys := record.KeyNames(v.all)
	head := append([]string{"cell"}, keys...)
	rows := [][]string{append(append(head, v.names...), "error")}
	for i := range v.all {
		r := &v.all[i]
		row := []string{r.Cell}
		for _, k := range keys {
			row = append(row, r.Text(k))
		}
		for _, name := range v.names {
			cell := ""
			if x, ok := r.Value(name); ok {
				cell = fmt.Sprint(x)
			}
			row = append(row, cell)
		}
		rows = append(rows, append(row, r.Error))
	}
	return rows
}
