package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"workbench/experiments/record"
)

func init() { registerSection("quality", 50, (*view).qualityBlocks) }

// The names that this section gives its own figures.
const (
	loss      = "val_bits_per_byte"
	positions = "loss_by_position"
	gap       = "long_context_gap"
	probe     = "probe:"
)

// qualityBlocks shows what the models learned: every main quantity along the
// training, where it was recorded, and at its end, loss by position, and what
// forgetting costs.
func (v *view) qualityBlocks(g *group) []Block {
	if !g.has("quality") {
		return nil
	}
	var out []Block
	add := func(b Block, ok bool) {
		if ok {
			out = append(out, b)
		}
	}
	for _, name := range v.names {
		if q := v.quantity(name); q.Main && q.Kind == record.Seeded {
			add(g.trainingBlock(q))
			add(v.finalBlock(g, q))
		}
	}
	add(g.positionBlock())
	add(g.probeBlock())
	return out
}

// seeds lists the records of an arm and workload, seeds rising.
func (g *group) seeds(arm, workload string) []*record.Record {
	rs := g.where(arm, workload)
	slices.SortStableFunc(rs, func(a, b *record.Record) int {
		x, _ := a.Key(record.KeySeed)
		y, _ := b.Key(record.KeySeed)
		return cmp.Compare(x, y)
	})
	return rs
}

// trainingBlock draws the series of a quantity along the training: every seed
// faintly, as far as it goes, and the mean over those places that all have.
func (g *group) trainingBlock(q record.Quantity) (Block, bool) {
	var thin, means []Series
	var what *record.Series
	most := 0
	for _, arm := range g.Arms {
		runs := g.seeds(arm, "quality")
		lines, mean := g.alongTraining(arm, runs, q)
		thin = append(thin, lines...)
		if len(mean.Points) > 0 {
			means, most = append(means, mean), max(most, len(runs))
		}
		for _, r := range runs {
			what = cmp.Or(what, training(r, q))
		}
	}
	if what == nil {
		return Block{}, false
	}
	stem, unit := "-training-"+slug(q.Name), cmp.Or(shorten(what.AxisUnit, unitRunes), "number")
	if q.Name == loss {
		stem = "-training-curves"
	}
	if unit == "tokens" {
		unit = tokensUnit(means, thin)
	}
	f := Figure{Name: g.slug + stem, Title: upper(q.Title) + " during training",
		X: Axis{Label: upper(cmp.Or(shorten(what.Axis, titleRunes), "place")), Unit: unit}, Y: Axis{Label: upper(q.Title), Unit: unitOf(q)},
		Series: append(thin, means...),
		Note:   "Faint lines are single seeds."}
	if most > 1 {
		f.Note = fmt.Sprintf("Faint lines are single seeds, as far as they go; marked lines are means of up to %d seeds at those %s that all of a series were evaluated at.",
			most, cmp.Or(shorten(what.AxisUnit, unitRunes), "places"))
	}
	return Block{Heading: "Quality: " + q.Title + " during training", Figure: &f}, true
}

// training is a run's series of a quantity along the training, nil without one.
func training(r *record.Record, q record.Quantity) *record.Series {
	if s := r.Series(q.Name); s != nil && len(s.X) == len(s.Y) {
		return s
	}
	return nil
}

// alongTraining is the lines of an arm's runs and their mean at the places that
// all have. Where there is none, each run stands for itself.
func (g *group) alongTraining(arm string, runs []*record.Record, q record.Quantity) (lines []Series, mean Series) {
	at := map[float64][]float64{}
	for _, r := range runs {
		s := training(r, q)
		if s == nil {
			continue
		}
		line := Series{Name: arm + ", seed " + r.Text(record.KeySeed), Index: g.index[arm], Line: true, Thin: true}
		for i, x := range s.X {
			if finite(s.Y[i]) && x >= 0 {
				line.Points = append(line.Points, Point{x, s.Y[i], s.Y[i], s.Y[i]})
				at[x] = append(at[x], s.Y[i])
			}
		}
		lines = append(lines, line)
	}
	mean = Series{Name: arm, Index: g.index[arm], Line: true}
	if len(runs) > 1 {
		mean.Name = fmt.Sprintf("%s, mean of %d seeds", arm, len(runs))
	}
	for _, x := range slices.Sorted(maps.Keys(at)) {
		if len(at[x]) >= len(runs) {
			y := average(at[x])
			mean.Points = append(mean.Points, Point{x, y, y, y})
		}
	}
	if len(mean.Points) == 0 {
		for i := range lines {
			lines[i].Thin, lines[i].Variant = false, i
		}
	}
	return lines, mean
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

// finalBlock shows each arm's seeds as dots around the mean and its interval.
func (v *view) finalBlock(g *group, q record.Quantity) (Block, bool) {
	names, series := []string{}, []Series{}
	title := upper(q.Title) + " at the end of training"
	stem := g.slug + "-final-" + slug(q.Name)
	if q.Name == loss {
		stem = g.slug + "-final-loss"
	}
	t := &Table{Name: stem, Title: title, Text: 1,
		Columns: []string{"Series", "Seeds", upper(q.Title) + ", mean [95 % interval]", "Learning rate", "Steps", "Training tokens"}}
	for _, arm := range g.Arms {
		runs := g.seeds(arm, "quality")
		ps := g.places(arm, "quality", "", q)
		if len(runs) == 0 || len(ps) == 0 {
			continue
		}
		at := float64(len(names))
		names = append(names, arm)
		dots := Series{Name: arm, Index: g.index[arm], Thin: true}
		for i, y := range ps[0].all {
			x := at - 0.16 - 0.05*float64(i%3)
			dots.Points = append(dots.Points, Point{x, y, y, y})
		}
		iv := meanInterval(ps[0].all)
		series = append(series, dots, Series{Name: arm, Index: g.index[arm], Points: []Point{iv.point(at)}})
		tokens := "n/a"
		if s := runs[0].Series(loss); s != nil && len(s.X) > 0 {
			tokens = thousands(int(s.X[len(s.X)-1]))
		}
		t.add(arm, fmt.Sprint(iv.n), iv.text(q.Unit), orNA(runs[0].Text("lr"), true), runs[0].Text("steps"), tokens)
	}
	if len(names) == 0 {
		return Block{}, false
	}
	t.Note = "The interval is Student's t over the seeds."
	if !g.tuned {
		t.Note += " One learning rate was tried for each series: not tuned."
	}
	f := Figure{Name: stem, Title: title,
		X: Axis{Label: "Series", Names: names}, Y: Axis{Label: upper(q.Title), Unit: unitOf(q)},
		Series: series, NoKey: true,
		Note: "Small dots are seeds, the large mark is their mean with the 95 % interval of Student's t."}
	return Block{Heading: "Quality: " + q.Title, Figure: &f, Table: t, Says: nonEmpty(v.qualitySentence(g, q))}, true
}

// pure stands for the unit of a pure number.
const pure = "ratio"

// unitOf is the unit of a quantity on an axis.
func unitOf(q record.Quantity) string { return cmp.Or(q.Unit, pure) }

// qualitySentence compares every arm with the baseline by paired seeds.
func (v *view) qualitySentence(g *group, q record.Quantity) string {
	var parts []string
	for _, arm := range g.Arms {
		if arm == g.Baseline {
			continue
		}
		if c, ok := v.compare(g, arm, "quality", q); ok {
			parts = append(parts, fmt.Sprintf("%s differs from %s by %s%s", arm, g.Baseline, c.iv.text(q.Unit), c.remark()))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Paired by seed, " + strings.Join(parts, "; ") + "."
}

// positionBlock is the loss by position in windows longer than those trained on.
func (g *group) positionBlock() (Block, bool) {
	var series []Series
	context := 0.0
	for _, arm := range g.Arms {
		at := map[float64][]float64{}
		for _, r := range g.seeds(arm, "quality") {
			if c, ok := r.Key("context"); ok {
				context = max(context, c)
			}
			if s := r.Series(positions); s != nil {
				for i, x := range s.X {
					at[x] = append(at[x], s.Y[i])
				}
			}
		}
		s := Series{Name: arm, Index: g.index[arm], Line: true}
		for _, x := range slices.Sorted(maps.Keys(at)) {
			s.Points = append(s.Points, meanInterval(at[x]).point(x))
		}
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
		f.Guide = &Guide{X: context, Label: "training context"}
		f.Note += fmt.Sprintf(" The vertical line is the training context of %.0f tokens: to its right the model reads further than it was trained to.", context)
	}
	return Block{Heading: "Quality: beyond the training context", Figure: &f, Says: nonEmpty(g.gapSentence())}, true
}

func (g *group) gapSentence() string {
	q := g.view.quantity(gap)
	var parts []string
	for _, arm := range g.Arms {
		if ps := g.places(arm, "quality", "", q); len(ps) > 0 {
			parts = append(parts, fmt.Sprintf("%s by %s", arm, one(q, ps[0]).text(q.Unit)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "From the first positions to the last the loss changes: " + strings.Join(parts, "; ") + " (negative: the long context helps)."
}

// probeBlock is what forgetting a memory costs, by how often it is forgotten:
// the quantities probe:SLOTS/EVERY.
func (g *group) probeBlock() (Block, bool) {
	every := map[string][]float64{} // by slots
	for _, name := range g.view.names {
		spec, ok := strings.CutPrefix(name, probe)
		slots, k, cut := strings.Cut(spec, "/")
		if n, err := strconv.Atoi(k); ok && cut && err == nil && n > 0 {
			every[slots] = append(every[slots], float64(n))
		}
	}
	var series []Series
	for _, arm := range g.Arms {
		for i, slots := range slices.Sorted(maps.Keys(every)) {
			s := Series{Name: arm + ": " + shorten(slots, armRunes), Index: g.index[arm], Variant: i, Line: true}
			for _, k := range slices.Sorted(slices.Values(every[slots])) {
				q := g.view.quantity(fmt.Sprintf("%s%s/%.0f", probe, slots, k))
				if ps := g.places(arm, "quality", "", q); len(ps) > 0 {
					s.Points = append(s.Points, meanInterval(ps[0].all).point(k))
				}
			}
			if len(s.Points) > 0 {
				series = append(series, s)
			}
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
