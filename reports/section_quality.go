package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"workbench/experiments/record"
)

func init() { registerSection("quality", 50, (*view).qualityBlocks) }

// qualityBlocks shows what the models learned: every score along the training,
// where it was recorded, and at its end, and names what is not available.
func (v *view) qualityBlocks(part *partView) []Block {
	var out []Block
	for _, q := range part.scores() {
		if b, ok := part.trainingBlock(q); ok {
			out = append(out, b)
		}
		out = append(out, v.finalBlock(part, q))
	}
	var missing []string
	for _, name := range v.names {
		if q := part.quantity(name); q.Kind == record.Seeded && !slices.Contains(part.scores(), q) {
			missing = append(missing, nonEmpty(part.notAvailable(q))...)
		}
	}
	if len(missing) > 0 {
		out = append(out, Block{Heading: "Quality: not available", Says: missing})
	}
	return out
}

// scores are the quantities that the part's trained models are compared by: the
// main ones that vary with the seed.
func (part *partView) scores() []record.Quantity {
	var out []record.Quantity
	for _, name := range part.view.names {
		q := part.quantity(name)
		if q.Main && q.Kind == record.Seeded && slices.ContainsFunc(part.inWorkload("quality"), func(r *record.Record) bool { return r.Find(name) != nil }) {
			out = append(out, q)
		}
	}
	return out
}

// scoreIn is the first score of a unit: the one that another quantity of that
// unit is a change of. Without one there is only the unit.
func (part *partView) scoreIn(unit string) record.Quantity {
	for _, q := range part.scores() {
		if q.Unit == unit {
			return q
		}
	}
	return record.Quantity{Title: "score", Unit: unit}
}

// bySeed lists the records of an arm and workload, seeds rising.
func (part *partView) bySeed(arm, workload string) []*record.Record {
	rs := part.recordsOf(arm, workload)
	slices.SortStableFunc(rs, func(a, b *record.Record) int {
		x, _ := a.Key(record.KeySeed)
		y, _ := b.Key(record.KeySeed)
		return cmp.Compare(x, y)
	})
	return rs
}

// trainingBlock draws a score along the training.
func (part *partView) trainingBlock(q record.Quantity) (Block, bool) {
	var runs []*record.Record
	for _, arm := range part.Arms {
		runs = append(runs, part.bySeed(arm, "quality")...)
	}
	if !slices.ContainsFunc(runs, func(r *record.Record) bool { return r.Series(q.Name) != nil }) {
		return Block{}, false
	}
	c := alongTraining(runs, q, part.index)
	f := c.figure
	f.Name, f.Title, f.Note = part.slug+"-training-"+slug(q.Name), upper(q.Title)+" during training", "Every line is one seed."
	if len(c.means) > 0 {
		f.Note = "Faint lines are single seeds, as far as they go; marked lines are means, as far as all seeds go, with bars from the lowest seed to the highest."
	}
	if c.before {
		f.Note += " The evaluation before the first step is left out."
	}
	if n := len(c.missing); n > 0 {
		f.lose("Not drawn: %s without an evaluation, or of a seed that is drawn already.", count(n, "run"))
	}
	return Block{Heading: "Quality: " + q.Title + " during training", Figure: &f}, true
}

// finalBlock shows each arm's seeds as dots around the mean and its interval.
func (v *view) finalBlock(part *partView, q record.Quantity) Block {
	title, stem := upper(q.Title)+" at the end of training", part.slug+"-final-"+slug(q.Name)
	f := Figure{Name: stem, Title: title, X: Axis{Label: "Series"}, Y: Axis{Label: upper(q.Title), Unit: unitOf(q)}, NoLegend: true,
		Note: "Small dots are seeds, the large mark is their mean with the 95 % interval of Student's t."}
	for _, arm := range part.Arms {
		if len(part.recordsOf(arm, "quality")) == 0 {
			continue
		}
		at := float64(len(f.X.Names))
		f.X.Names = append(f.X.Names, arm)
		ps := part.samplesAlong(arm, "quality", "", q)
		if len(ps) == 0 {
			continue
		}
		dots := Series{Name: arm, Index: part.index[arm], Thin: true}
		for i, y := range ps[0].all {
			dots.Points = append(dots.Points, Point{at - 0.16 - 0.05*float64(i%3), y, y, y})
		}
		f.Series = append(f.Series, dots, Series{Name: arm, Index: part.index[arm], Points: []Point{meanInterval(ps[0].all).point(at)}})
	}
	return Block{Heading: "Quality: " + q.Title, Figure: &f, Table: part.finalTable(stem, title, q), Says: nonEmpty(v.qualitySentence(part, q), part.notAvailable(q))}
}

// finalTable is the means of a score, with what the models were trained with.
func (part *partView) finalTable(name, title string, q record.Quantity) *Table {
	t := &Table{Name: name, Title: title, Text: 1, Columns: []string{"Series", "Seeds", upper(q.Title) + ", mean [95 % interval]", "Learning rate", "Steps"},
		Note: "The interval is Student's t over the seeds."}
	if !part.tuned {
		t.Note += " One learning rate was tried for each series: not tuned."
	}
	trained := map[string]string{} // how far the training went, by arm
	for _, r := range part.inWorkload("quality") {
		if s, arm := r.Series(q.Name), r.Text(record.KeyArm); s != nil && len(s.X) > 0 && trained[arm] == "" {
			trained[arm] = thousands(int(s.X[len(s.X)-1]))
			if len(trained) == 1 {
				t.Columns = append(t.Columns, upper(Axis{Label: cmp.Or(shorten(s.Axis, titleRunes), "position"), Unit: shorten(s.AxisUnit, unitRunes)}.String()))
			}
		}
	}
	for _, arm := range part.Arms {
		runs := part.bySeed(arm, "quality")
		if len(runs) == 0 {
			continue
		}
		row := []string{arm, "0", "n/a", orNA(runs[0].Text(keyRate), true), orNA(runs[0].Text("steps"), true)}
		if ps := part.samplesAlong(arm, "quality", "", q); len(ps) > 0 {
			iv := meanInterval(ps[0].all)
			row[1], row[2] = fmt.Sprint(iv.n), iv.text(q.Unit)
		}
		if len(trained) > 0 {
			row = append(row, orNA(trained[arm], true))
		}
		t.add(row...)
	}
	return t
}

// pure stands for the unit of a pure number.
const pureUnit = "ratio"

// unitOf is the unit of a quantity on an axis.
func unitOf(q record.Quantity) string { return cmp.Or(q.Unit, pureUnit) }

// qualitySentence compares every arm with the baseline by paired seeds.
func (v *view) qualitySentence(part *partView, q record.Quantity) string {
	var parts []string
	for _, arm := range part.Arms {
		if arm == part.Baseline {
			continue
		}
		if c, ok := v.compare(part, arm, "quality", q); ok {
			parts = append(parts, fmt.Sprintf("%s differs from %s by %s%s%s", arm, part.Baseline, c.iv.text(q.Unit), c.merit(), c.remark()))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Paired by seed, " + strings.Join(parts, "; ") + "."
}

// notAvailable names the seeds of every arm whose records have no number for a
// quantity, and why.
func (part *partView) notAvailable(q record.Quantity) string {
	var parts []string
	for _, arm := range part.Arms {
		var reasons []string
		seeds := map[string][]string{} // by reason
		for _, r := range part.bySeed(arm, "quality") {
			x := r.Find(q.Name)
			if _, ok := r.Value(q.Name); ok || x == nil {
				continue
			}
			why := cmp.Or(strings.TrimRight(x.Reason, ". "), "it is not a finite number")
			if seeds[why] == nil {
				reasons = append(reasons, why)
			}
			seeds[why] = append(seeds[why], r.Text(record.KeySeed))
		}
		for _, why := range reasons {
			word := "seed"
			if len(seeds[why]) > 1 {
				word = "seeds"
			}
			parts = append(parts, fmt.Sprintf("%s, %s %s (%s)", arm, word, list(seeds[why]), shorten(why, 200)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return upper(q.Title) + " is n/a for " + strings.Join(parts, "; ") + ". Means and comparisons leave these seeds out."
}
