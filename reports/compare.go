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
	holm                float64  // p corrected for the family's comparisons
	family              int      // tests of this quantity in the part
	floor               *float64
}

// compare pairs an arm with the baseline at the largest position both have.
func (v *view) compare(part *partView, arm, workload string, q record.Quantity) (comparison, bool) {
	over := v.axisKey(workload)
	a, b := part.samplesAlong(arm, workload, over, q), part.samplesAlong(part.Baseline, workload, over, q)
	x := largestCommon(a, b)
	if math.IsNaN(x) {
		return comparison{}, false
	}
	pa, _ := samplesIn(a, x)
	pb, _ := samplesIn(b, x)
	c := comparison{arm: arm, workload: workload, over: over, x: x, q: q, holm: math.NaN()}
	switch q.Kind {
	case record.Seeded:
		c.iv = difference(q, pa, pb)
	case record.Timed:
		c.floor = v.run.Host.NoiseFloor
		fallthrough
	default:
		c.iv = ratio(q, pa, pb)
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

// conclusion is "higher", "lower" or why neither can be said.
func (c comparison) conclusion() string {
	switch {
	case !c.iv.bounded():
		return "not decided: " + c.iv.why()
	case c.iv.lo == c.neutral() && c.iv.hi == c.neutral():
		return "equal"
	case c.q.Kind == record.Exact && math.Abs(math.Log(c.iv.mid)) < 0.005:
		return "equal within 0.5 %"
	case c.floor != nil && c.q.Kind != record.Seeded && withinFloor(c.iv.mid, *c.floor):
		return fmt.Sprintf("below the noise floor of %s: no winner called", percent(*c.floor))
	case c.iv.lo <= c.neutral() && c.iv.hi >= c.neutral():
		return "no difference shown: the interval includes " + digits(c.neutral())
	case !math.IsNaN(c.holm) && c.holm > 0.05 && !c.powerless():
		return "no difference shown after correction for several comparisons"
	}
	way := "lower"
	if c.iv.mid > c.neutral() {
		way = "higher"
	}
	if !math.IsNaN(c.holm) && c.holm > 0.05 {
		way += fmt.Sprintf(", by the interval; %d pairs are too few for the test", c.iv.n)
	}
	return way
}

// merit says of a shown difference whether it is for the better.
func (c comparison) merit() string {
	better := map[string]string{record.Lower: "lower", record.Higher: "higher"}[c.q.Better]
	switch way, _, _ := strings.Cut(c.conclusion(), ","); {
	case better == "" || way != "higher" && way != "lower":
		return ""
	case way == better:
		return ", which is better"
	}
	return ", which is worse"
}

// remark is what a sentence adds after the numbers: nothing where they differ.
func (c comparison) remark() string {
	switch s := c.conclusion(); s {
	case "higher", "lower", "equal":
		return ""
	default:
		return ", " + strings.TrimPrefix(strings.TrimPrefix(s, "higher, "), "lower, ")
	}
}

// comparisons are those of the part's main quantities, Holm-corrected within
// each. What was counted is compared once, in the first workload with an axis.
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
	for i := 0; i < len(out); {
		j := i
		var p []float64
		for ; j < len(out) && out[j].sameQuantity(out[i]); j++ {
			if !math.IsNaN(out[j].iv.p) {
				p = append(p, out[j].iv.p)
			}
		}
		for corrected := stats.Holm(p); i < j; i++ {
			if out[i].family = len(p); !math.IsNaN(out[i].iv.p) {
				out[i].holm, corrected = corrected[0], corrected[1:]
			}
		}
	}
	return out
}

// sameQuantity tells whether two comparisons belong to one family of tests.
func (c comparison) sameQuantity(d comparison) bool {
	return c.workload == d.workload && c.q.Name == d.q.Name
}

// powerless tells whether the sign-flip test cannot reject with so few pairs,
// whatever they show: its smallest p is 2/2ⁿ.
func (c comparison) powerless() bool {
	return float64(max(1, c.family))*math.Ldexp(2, -c.iv.n) > 0.05
}

// comparisonBlocks is the table of every arm against the baseline.
func (v *view) comparisonBlocks(part *partView) []Block {
	t := &Table{Name: part.slug + "-comparison", Title: "Compared with " + part.Baseline, Text: 3, Tail: 1,
		Columns: []string{"Series", "Quantity", "At", "Against " + part.Baseline + " [95 % interval]", "Pairs", "p", "p, Holm", "Conclusion"},
		Note: "Timed and counted quantities are compared by their ratio, those that vary with the seed by their difference; timed ones are paired by block, others by seed, at the largest position both series have. " +
			"p is the exact sign-flip permutation test's, corrected by Holm's method over the series of a quantity. Counted quantities have no p."}
	for _, c := range v.comparisons(part) {
		unit := "×"
		if c.q.Kind == record.Seeded {
			unit = c.q.Unit
		}
		where := "n/a"
		if c.over != "" {
			where = fmt.Sprintf("%s %.0f", c.over, c.x)
		}
		t.add(c.arm, c.q.Title+" ("+c.workload+")", where, c.iv.text(unit), fmt.Sprint(c.iv.n), pText(c.iv.p), pText(c.holm), c.conclusion())
	}
	if len(t.Rows) == 0 {
		return nil
	}
	for _, q := range part.scores() {
		t.Note = strings.TrimSpace(t.Note + " " + part.notAvailable(q))
	}
	return []Block{{Heading: "All against " + part.Baseline, Table: t}}
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
