package reports

import (
	"fmt"
	"math"

	"workbench/experiments/record"
	"workbench/experiments/stats"
)

// A comparison is one label against the baseline of its part.
type comparison struct {
	label, phase, over string
	x                  float64
	m                  metric
	iv                 interval // ratio, or difference of a seeded metric
	holm               float64  // p corrected for the family's comparisons
	family             int      // tests of this quantity in the part
	floor              *float64
}

// compare pairs a label with the baseline at the largest position both have.
func (v *view) compare(g *group, label, phase, over string, m metric) (comparison, bool) {
	a, b := g.places(label, phase, over, m), g.places(g.Baseline, phase, over, m)
	x := largestCommon(a, b)
	if math.IsNaN(x) {
		return comparison{}, false
	}
	pa, _ := exactly(a, x)
	pb, _ := exactly(b, x)
	c := comparison{label: label, phase: phase, over: over, x: x, m: m, holm: math.NaN()}
	if m.timing {
		c.floor = v.run.Host.NoiseFloor
	}
	if m.seeded {
		c.iv = m.difference(pa, pb)
	} else {
		c.iv = m.ratio(pa, pb)
	}
	return c, finite(c.iv.mid)
}

// even is the statistic of no difference.
func (c comparison) even() float64 {
	if c.m.seeded {
		return 0
	}
	return 1
}

// conclusion is "higher", "lower" or why neither can be said.
func (c comparison) conclusion() string {
	switch {
	case !c.iv.bounded():
		return "not decided: " + c.iv.why()
	case c.iv.lo == c.even() && c.iv.hi == c.even():
		return "equal"
	case c.m.exact && math.Abs(math.Log(c.iv.mid)) < 0.005:
		return "equal within 0.5 %"
	case c.floor != nil && !c.m.seeded && withinFloor(c.iv.mid, *c.floor):
		return fmt.Sprintf("below the noise floor of %s: no winner called", percent(*c.floor))
	case c.iv.lo <= c.even() && c.iv.hi >= c.even():
		return "no difference shown: the interval includes " + digits(c.even())
	case !math.IsNaN(c.holm) && c.holm > 0.05 && !c.powerless():
		return "no difference shown after correction for several comparisons"
	}
	way := "lower"
	if c.iv.mid > c.even() {
		way = "higher"
	}
	if !math.IsNaN(c.holm) && c.holm > 0.05 {
		way += fmt.Sprintf(", by the interval; %d pairs are too few for the test", c.iv.n)
	}
	return way
}

// remark is what a sentence adds after the numbers: nothing where they differ.
func (c comparison) remark() string {
	if s := c.conclusion(); s != "higher" && s != "lower" && s != "equal" {
		return ", " + s
	}
	return ""
}

// comparisons are all that the part's records allow, Holm-corrected
// within each quantity.
func (v *view) comparisons(g *group) []comparison {
	kinds := []struct{ phase, metric string }{
		{"decode", "duration_per_token"}, {"prefill", "duration_per_token"}, {"train", "duration_per_token"},
		{"decode", "joules_per_token"}, {"decode", "state_bytes"}, {"decode", "peak_rss_bytes"}, {"quality", "val_bits_per_byte"},
	}
	var out []comparison
	for _, k := range kinds {
		for _, label := range g.Labels {
			if label == g.Baseline {
				continue
			}
			if c, ok := v.compare(g, label, k.phase, defaultAxis(k.phase), metrics[k.metric]); ok {
				out = append(out, c)
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
	return c.phase == d.phase && c.m.title == d.m.title
}

// powerless tells whether the sign-flip test cannot reject with so few pairs,
// whatever they show: its smallest p is 2/2ⁿ.
func (c comparison) powerless() bool {
	return float64(max(1, c.family))*math.Ldexp(2, -c.iv.n) > 0.05
}

// comparisonBlocks is the table of every label against the baseline.
func (v *view) comparisonBlocks(g *group) []Block {
	t := &Table{Name: g.slug + "-comparison", Title: "Compared with " + g.Baseline, Text: 3, Tail: 1,
		Columns: []string{"Series", "Quantity", "At", "Against " + g.Baseline + " [95 % interval]", "Pairs", "p", "p, Holm", "Conclusion"},
		Note: "Costs are ratios paired by round, losses differences paired by seed, at the largest position both series have. " +
			"p is the exact sign-flip permutation test's, corrected by Holm's method over the series of a quantity. Counted quantities have no p."}
	for _, c := range v.comparisons(g) {
		unit := "×"
		if c.m.seeded {
			unit = c.m.unit
		}
		where := "n/a"
		if c.over != "" {
			where = fmt.Sprintf("%s %.0f", c.over, c.x)
		}
		t.add(c.label, c.m.title+" ("+c.phase+")", where, c.iv.text(unit), fmt.Sprint(c.iv.n), pText(c.iv.p), pText(c.holm), c.conclusion())
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{{Heading: "All against " + g.Baseline, Table: t}}
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

// rawSamples is every record as rows of a CSV file, values unrounded.
func (v *view) rawSamples() [][]string {
	num := func(p *int64) string {
		if p == nil {
			return ""
		}
		return fmt.Sprint(*p)
	}
	share := func(p *float64) string {
		if p == nil {
			return ""
		}
		return fmt.Sprint(*p)
	}
	rows := [][]string{{"part", "label", "arch", "cell", "phase", "depth", "chunk", "context", "batch", "threads", "impl", "round", "slot", "seed",
		"params", "params_nonemb", "tokens", "duration_ns", "cpu_ns", "gc_share", "sched_share", "state_bytes", "peak_rss_bytes", "heap_bytes",
		"arena_bytes", "joules_per_token_measured", "joules_per_token_estimated", "val_bits_per_byte", "check", "check_value", "error"}}
	for i := range v.all {
		r := &v.all[i]
		j := func(want func(string) bool) string {
			if x, ok := joulesPerToken(r, want, false); ok {
				return fmt.Sprint(x)
			}
			return ""
		}
		bpb, check, dev := "", "", ""
		if r.Quality != nil {
			bpb = fmt.Sprint(r.Quality.ValBPB)
		}
		if r.Check != nil {
			check, dev = r.Check.Name, fmt.Sprint(r.Check.Value)
		}
		rows = append(rows, []string{r.Part, r.Label, r.Arch, r.Cell, r.Phase, fmt.Sprint(r.Depth), fmt.Sprint(r.Chunk), fmt.Sprint(r.Context),
			fmt.Sprint(r.Batch), fmt.Sprint(r.Threads), r.Impl, fmt.Sprint(r.Round), fmt.Sprint(r.Slot), fmt.Sprint(r.Seed), fmt.Sprint(r.Params),
			fmt.Sprint(r.ParamsNonEmb), fmt.Sprint(r.Tokens), fmt.Sprint(r.DurationNS), num(r.CPUNS), share(r.GCShare), share(r.SchedShare),
			num(r.StateBytes), num(r.PeakRSSBytes), num(r.HeapBytes), num(r.ArenaBytes), j(record.Measured),
			j(func(t string) bool { return t == record.TierEstimated }), bpb, check, dev, r.Error})
	}
	return rows
}
