package reports

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"workbench/experiments/record"
)

// Curves draws training runs in one picture, dir/curves.png or .svg. A run is
// a record with its arm and its seed, a cell by which notes name it, and a
// series along the training: of several, the first of the first run is drawn.
// Runs of one arm differ in their seed alone. Of several seeds Curves draws the
// mean, as far as all of them go, with bars from the lowest to the highest, and
// every one faintly as far as it goes. notes say what is a mean of what, and
// what is not drawn. Without anything to draw the error says why.
func Curves(dir, format string, runs []record.Record) (path string, notes []string, err error) {
	runs = slices.Clone(runs)
	q := record.Quantity{}
	list, index := make([]*record.Record, len(runs)), map[string]int{}
	for i := range runs {
		r := &runs[i]
		cleanStrings(reflect.ValueOf(r).Elem(), "")
		if list[i] = r; q.Name == "" && len(r.Samples) > 0 {
			q = record.Quantity{Name: r.Samples[0].Name, Title: r.Samples[0].Title, Unit: r.Samples[0].Unit}
		}
		if arm := r.Text(record.KeyArm); !has(index, arm) {
			index[arm] = len(index)
		}
	}
	c := alongTraining(list, q, index)
	notes = slices.Concat(c.missing, c.means)
	f := c.figure
	if f.Name, f.Title = "curves", "Learning curves"; len(c.means) > 0 {
		f.Title += ": means, bars from the lowest seed to the highest"
	}
	f = f.finish()
	if why := f.empty(); why != "" {
		return "", notes, fmt.Errorf("%s (%s)", why, strings.Join(notes, "; "))
	}
	b, err := f.picture(format)
	if err != nil {
		return "", notes, err
	}
	path = filepath.Join(dir, "curves."+format)
	return path, notes, writeFile(path, b)
}

// curves is a figure of a quantity along the training, without its name and
// title, and what there is to say of it.
type curves struct {
	figure  Figure
	means   []string // of which seeds every mean is, and how far it goes
	missing []string // runs that are not drawn, and why
	before  bool     // some run was evaluated before its first step, which is not drawn
}

// alongTraining draws the series of a quantity of runs along their training, by
// arm: the mean of its seeds with bars, and every seed faintly; where seeds
// have no position in common each of them stands for itself. index is the arms'
// colours.
func alongTraining(runs []*record.Record, q record.Quantity, index map[string]int) (c curves) {
	axis, unit := "", ""
	for _, r := range runs {
		if s := r.Series(q.Name); s != nil {
			axis, unit = cmp.Or(axis, s.Axis), cmp.Or(unit, s.AxisUnit)
			c.before = c.before || slices.Contains(s.X, 0)
		}
	}
	axis, unit = shorten(cmp.Or(axis, "position"), titleRunes), shorten(cmp.Or(unit, "number"), unitRunes)
	byArm, arms, missing := trainingsByArm(runs, q.Name)
	c.missing = missing
	var seeds, means []Series
	for _, arm := range arms {
		own, mean, note := byArm[arm].series(arm, index[arm], unit)
		if seeds = append(seeds, own...); len(mean.Points) > 0 {
			means = append(means, mean)
		}
		c.means = append(c.means, nonEmpty(note)...)
	}
	series := append(seeds, means...)
	if unit == "tokens" {
		unit = tokensUnit(series)
	}
	c.figure = Figure{X: Axis{Label: upper(axis), Unit: unit, Zero: true}, Series: series,
		Y: Axis{Label: upper(shorten(cmp.Or(q.Title, q.Name, "value"), titleRunes)), Unit: shorten(unitOf(q), unitRunes)}}
	return c
}

// A training is what one run wrote down of a quantity along its training.
type training struct {
	run, seed string
	y         map[float64]float64 // by the position on the axis
}

// trainings are those of an arm, of one seed each.
type trainings []training

// newTraining reads a run from its first step on: what a model says before it
// has learned would flatten all else.
func newTraining(r *record.Record, name string) training {
	t := training{r.Cell, r.Text(record.KeySeed), map[float64]float64{}}
	if s := r.Series(name); s != nil && len(s.X) == len(s.Y) {
		for i, x := range s.X {
			if x > 0 && drawable(s.Y[i]) {
				t.y[x] = s.Y[i]
			}
		}
	}
	return t
}

// trainingsByArm groups the runs that have something to draw, a seed once: the
// run of it that goes furthest. arms are in the order of the runs.
func trainingsByArm(runs []*record.Record, name string) (byArm map[string]trainings, arms, missing []string) {
	byArm = map[string]trainings{}
	for _, r := range runs {
		t, arm := newTraining(r, name), r.Text(record.KeyArm)
		if len(t.y) == 0 {
			missing = append(missing, t.run+" is not drawn: it has no evaluation after step 0 yet")
			continue
		}
		if !slices.Contains(arms, arm) {
			arms = append(arms, arm)
		}
		same := byArm[arm]
		i := slices.IndexFunc(same, func(o training) bool { return o.seed == t.seed })
		if i < 0 {
			byArm[arm] = append(same, t)
			continue
		}
		if len(t.y) > len(same[i].y) {
			t, same[i] = same[i], t
		}
		missing = append(missing, fmt.Sprintf("%s is not drawn: it is the run of seed %s again that %s is", t.run, t.seed, same[i].run))
	}
	return byArm, arms, missing
}

// series is the lines of an arm's seeds, their mean at the positions that all have,
// and what is to be said of it. Without such positions there is no mean and the
// seeds are drawn in its stead; a seed alone is its own mean.
func (ts trainings) series(arm string, index int, unit string) (seeds []Series, mean Series, note string) {
	common, furthest := maps.Clone(ts[0].y), 0.0
	var names []string
	for i, t := range ts {
		s := Series{Name: fmt.Sprintf("%s, seed %s", arm, t.seed), Index: index, Variant: i, Line: true, Thin: true}
		for _, x := range slices.Sorted(maps.Keys(t.y)) {
			s.Points, furthest = append(s.Points, Point{x, t.y[x], t.y[x], t.y[x]}), max(furthest, x)
		}
		maps.DeleteFunc(common, func(x, _ float64) bool { return !has(t.y, x) })
		seeds, names = append(seeds, s), append(names, t.seed)
	}
	mean = Series{Name: fmt.Sprintf("%s, mean of %d seeds", arm, len(ts)), Index: index, Line: true}
	if len(ts) == 1 {
		mean.Name, mean.Points = arm, seeds[0].Points
		return nil, mean, ""
	}
	if len(common) == 0 {
		for i := range seeds {
			seeds[i].Thin = false
		}
		return seeds, Series{}, ""
	}
	last := 0.0
	for _, x := range slices.Sorted(maps.Keys(common)) {
		var y []float64
		for _, t := range ts {
			y = append(y, t.y[x])
		}
		mean.Points, last = append(mean.Points, Point{x, average(y), slices.Min(y), slices.Max(y)}), x
	}
	note = fmt.Sprintf("%s: the mean of %d seeds (%s), bars from the lowest to the highest", arm, len(ts), strings.Join(names, ", "))
	if last < furthest {
		note += fmt.Sprintf("; it ends at %g %s, the last position that all of them reached, and the faint lines go on to %g", last, unit, furthest)
	}
	return seeds, mean, note
}

// tokensUnit scales x to thousands or millions of tokens where that reads better.
func tokensUnit(series []Series) string {
	x := xs(series)
	factor, unit := 1.0, "tokens"
	switch {
	case len(x) == 0:
	case x[len(x)-1] >= 2e6:
		factor, unit = 1e6, "million tokens"
	case x[len(x)-1] >= 2e4:
		factor, unit = 1e3, "thousand tokens"
	}
	for i := range series {
		for j := range series[i].Points {
			series[i].Points[j].X /= factor
		}
	}
	return unit
}

func has[K comparable, V any](m map[K]V, k K) bool {
	_, ok := m[k]
	return ok
}
