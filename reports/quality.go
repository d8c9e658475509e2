package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"workbench/experiments/record"
)

func (v *view) qualityBlocks(g *group) []Block {
	if !g.has("quality") {
		return nil
	}
	var out []Block
	for _, f := range []func(*group) (Block, bool){v.curvesBlock, v.finalBlock, v.positionBlock, v.probeBlock} {
		if b, ok := f(g); ok {
			out = append(out, b)
		}
	}
	return out
}

// seeds lists the quality runs of a label, seeds rising.
func (g *group) seeds(label string) []*record.Record {
	rs := slices.DeleteFunc(g.where(label, "quality"), func(r *record.Record) bool { return r.Quality == nil })
	slices.SortStableFunc(rs, func(a, b *record.Record) int {
		switch {
		case a.Seed < b.Seed:
			return -1
		case a.Seed > b.Seed:
			return 1
		}
		return 0
	})
	return rs
}

// curvesBlock draws every seed faintly, as far as it goes, and the mean over
// those tokens that all seeds were evaluated at.
func (v *view) curvesBlock(g *group) (Block, bool) {
	var thin, means []Series
	most := 0
	for _, label := range g.Labels {
		at := map[uint64][]float64{}
		runs := g.seeds(label)
		for _, r := range runs {
			s := Series{Name: fmt.Sprintf("%s, seed %d", label, r.Seed), Index: g.index[label], Line: true, Thin: true}
			for _, p := range r.Quality.Curve {
				if finite(p.ValBPB) && p.ValBPB > 0 && p.Tokens >= 0 {
					s.Points = append(s.Points, Point{float64(p.Tokens), p.ValBPB, p.ValBPB, p.ValBPB})
					at[uint64(p.Tokens)] = append(at[uint64(p.Tokens)], p.ValBPB)
				}
			}
			thin = append(thin, s)
		}
		mean := Series{Name: label, Index: g.index[label], Line: true}
		if len(runs) > 1 {
			mean.Name = fmt.Sprintf("%s, mean of %d seeds", label, len(runs))
		}
		for _, t := range rising(at) {
			if len(at[t]) >= len(runs) {
				y := average(at[t])
				mean.Points = append(mean.Points, Point{float64(t), y, y, y})
			}
		}
		if len(mean.Points) == 0 { // no tokens that all were evaluated at: each stands for itself
			for i := range runs {
				thin[len(thin)-1-i].Thin, thin[len(thin)-1-i].Variant = false, i
			}
			continue
		}
		means, most = append(means, mean), max(most, len(runs))
	}
	f := Figure{Name: g.slug + "-training-curves", Title: "Held-out loss during training",
		X: Axis{Label: "Training text read", Unit: tokensUnit(means, thin)}, Y: Axis{Label: "Held-out loss", Unit: "bits/byte"},
		Series: append(thin, means...),
		Note:   "Faint lines are single seeds."}
	if most > 1 {
		f.Note = fmt.Sprintf("Faint lines are single seeds, as far as they go; marked lines are means of up to %d seeds at those tokens that all of a series were evaluated at.", most)
	}
	return Block{Heading: "Quality: training curves", Figure: &f}, true
}

// tokensUnit scales x to thousands or millions of tokens where that reads better.
func tokensUnit(sets ...[]Series) string {
	largest := 0.0
	for _, s := range sets {
		if x := xs(s); len(x) > 0 {
			largest = max(largest, x[len(x)-1])
		}
	}
	f, unit := 1.0, "tokens"
	switch {
	case largest >= 2e6:
		f, unit = 1e6, "million tokens"
	case largest >= 2e4:
		f, unit = 1e3, "thousand tokens"
	}
	for _, set := range sets {
		for i := range set {
			for j := range set[i].Points {
				set[i].Points[j].X /= f
			}
		}
	}
	return unit
}

// finalBlock shows each label's seeds as dots around the mean and its interval.
func (v *view) finalBlock(g *group) (Block, bool) {
	m := metrics["val_bits_per_byte"]
	names, series := []string{}, []Series{}
	t := &Table{Name: g.slug + "-final-loss", Title: "Held-out loss at the end of training", Text: 1,
		Columns: []string{"Series", "Seeds", "Bits per byte, mean [95 % interval]", "Learning rate", "Steps", "Training tokens"}}
	for _, label := range g.Labels {
		runs := g.seeds(label)
		ps := g.places(label, "quality", "", m)
		if len(runs) == 0 || len(ps) == 0 {
			continue
		}
		at := float64(len(names))
		names = append(names, label)
		dots := Series{Name: label, Index: g.index[label], Thin: true}
		for i, y := range ps[0].all {
			x := at - 0.16 - 0.05*float64(i%3)
			dots.Points = append(dots.Points, Point{x, y, y, y})
		}
		iv := meanInterval(ps[0].all)
		series = append(series, dots, Series{Name: label, Index: g.index[label], Points: []Point{iv.point(at)}})
		q := runs[0].Quality
		tokens := "n/a"
		if n := len(q.Curve); n > 0 {
			tokens = thousands(q.Curve[n-1].Tokens)
		}
		t.add(label, fmt.Sprint(iv.n), iv.text(""), fmt.Sprint(q.LR), fmt.Sprint(q.Steps), tokens)
	}
	if len(names) == 0 {
		return Block{}, false
	}
	t.Note = "The interval is Student's t over the seeds."
	if !g.tuned {
		t.Note += " One learning rate was tried for each series: not tuned."
	}
	f := Figure{Name: g.slug + "-final-loss", Title: "Held-out loss at the end of training",
		X: Axis{Label: "Series", Names: names}, Y: Axis{Label: "Held-out loss", Unit: "bits/byte"},
		Series: series, NoKey: true,
		Note: "Small dots are seeds, the large mark is their mean with the 95 % interval of Student's t."}
	return Block{Heading: "Quality: final loss", Figure: &f, Table: t, Says: nonEmpty(v.qualitySentence(g, m))}, true
}

// qualitySentence compares every label with the baseline by paired seeds.
func (v *view) qualitySentence(g *group, m metric) string {
	var parts []string
	for _, label := range g.Labels {
		if label == g.Baseline {
			continue
		}
		if c, ok := v.compare(g, label, "quality", "", m); ok {
			parts = append(parts, fmt.Sprintf("%s differs from %s by %s%s", label, g.Baseline, c.iv.text(m.unit), c.remark()))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Paired by seed, " + strings.Join(parts, "; ") + "."
}

// positionBlock is the loss by position in windows longer than those trained on.
func (v *view) positionBlock(g *group) (Block, bool) {
	var series []Series
	context := 0
	for _, label := range g.Labels {
		at := map[float64][]float64{}
		for _, r := range g.seeds(label) {
			context = max(context, r.Context)
			for _, b := range r.Quality.ByPosition {
				if b.To > b.From && b.From >= 0 {
					at[math.Sqrt(float64(max(1, b.From))*float64(b.To))] = append(at[math.Sqrt(float64(max(1, b.From))*float64(b.To))], b.BPB)
				}
			}
		}
		s := Series{Name: label, Index: g.index[label], Line: true}
		for x, v := range at {
			s.Points = append(s.Points, meanInterval(v).point(x))
		}
		slices.SortFunc(s.Points, func(a, b Point) int {
			if a.X < b.X {
				return -1
			}
			return 1
		})
		if len(s.Points) > 0 {
			series = append(series, s)
		}
	}
	if len(series) == 0 {
		return Block{}, false
	}
	f := Figure{Name: g.slug + "-loss-by-position", Title: "Held-out loss by position in a long text",
		X: Axis{Label: "Position in the text", Unit: "tokens", Log: true}, Y: Axis{Label: "Held-out loss", Unit: "bits/byte"},
		Series: series, Note: "Means over seeds with the 95 % interval of Student's t; a bucket of positions stands at its geometric middle."}
	if context > 0 {
		f.Guide = &Guide{X: float64(context), Label: "training context"}
		f.Note += fmt.Sprintf(" The vertical line is the training context of %d tokens: to its right the model reads further than it was trained to.", context)
	}
	return Block{Heading: "Quality: beyond the training context", Figure: &f, Says: nonEmpty(g.gapSentence())}, true
}

func (g *group) gapSentence() string {
	m := metrics["long_context_gap"]
	var parts []string
	for _, label := range g.Labels {
		if ps := g.places(label, "quality", "", m); len(ps) > 0 {
			parts = append(parts, fmt.Sprintf("%s by %s", label, m.one(ps[0]).text(m.unit)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "From the first positions to the last the loss changes: " + strings.Join(parts, "; ") + " (negative: the long context helps)."
}

// probeBlock is what forgetting a memory costs, by how often it is forgotten.
func (v *view) probeBlock(g *group) (Block, bool) {
	var series []Series
	for _, label := range g.Labels {
		slots := map[string]map[uint64]bool{}
		for _, r := range g.seeds(label) {
			for _, p := range r.Quality.Probes {
				if p.Every <= 0 {
					continue
				}
				if slots[p.Slots] == nil {
					slots[p.Slots] = map[uint64]bool{}
				}
				slots[p.Slots][uint64(p.Every)] = true
			}
		}
		names := make([]string, 0, len(slots))
		for n := range slots {
			names = append(names, n)
		}
		slices.Sort(names)
		for i, n := range names {
			s := Series{Name: label + ": " + shorten(n, labelRunes), Index: g.index[label], Variant: i, Line: true}
			for _, every := range rising(slots[n]) {
				if ps := g.places(label, "quality", "", probe(n, int(every))); len(ps) > 0 {
					s.Points = append(s.Points, meanInterval(ps[0].all).point(float64(every)))
				}
			}
			series = append(series, s)
		}
	}
	if len(series) == 0 {
		return Block{}, false
	}
	f := Figure{Name: g.slug + "-probes", Title: "What a memory is worth",
		X:      Axis{Label: "Forgotten every", Unit: "tokens", Log: true, Ticks: pointTicks(xs(series), nil)},
		Y:      Axis{Label: "Loss added by forgetting", Unit: "bits/byte", Zero: true},
		Series: series, Note: "The named part of the state is put back to its initial value every so many tokens of held-out text; zero means it is not missed. Means over seeds with the 95 % interval of Student's t."}
	return Block{Heading: "Quality: memory probes", Figure: &f}, true
}
