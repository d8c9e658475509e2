package reports

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// A Curve is one training run as seen from outside: the held-out loss in bits
// per byte after numbers of steps.
type Curve struct {
	Name  string // of the run, in what is said of it
	Label string // runs of one label differ in their seed alone
	Seed  uint64
	Step  []int
	BPB   []float64
}

// at is the loss by step, from the first step on: what a model says before it
// has learned would flatten all else.
func (c Curve) at() map[int]float64 {
	m := map[int]float64{}
	for i, step := range c.Step {
		if step > 0 && drawable(c.BPB[i]) {
			m[step] = c.BPB[i]
		}
	}
	return m
}

// Curves draws training runs in one picture, dir/curves.png or .svg. Of several
// seeds it draws the mean, as far as all of them go, with bars from the lowest
// to the highest, and every one faintly as far as it goes. notes say what is
// a mean of what, and what is not drawn. Without anything to draw the error
// says why.
func Curves(dir, format string, runs []Curve) (path string, notes []string, err error) {
	f := Figure{Name: "curves", Title: "Learning curves", X: Axis{Label: "Training", Unit: "optimiser steps", Zero: true}, Y: Axis{Label: "Held-out loss", Unit: "bits per byte"}}
	groups, labels, notes := byLabel(runs)
	for i, label := range labels {
		series, note := seedCurves(label, groups[label], i)
		f.Series = append(f.Series, series...)
		if note != "" {
			notes = append(notes, note)
			f.Title = "Learning curves: means, bars from the lowest seed to the highest"
		}
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

// byLabel groups the runs that have something to draw, a seed once: the run of
// it that goes furthest.
func byLabel(runs []Curve) (groups map[string][]Curve, labels, notes []string) {
	groups = map[string][]Curve{}
	for _, r := range runs {
		if len(r.at()) == 0 {
			notes = append(notes, r.Name+" is not drawn: it has no evaluation after step 0 yet")
			continue
		}
		if !slices.Contains(labels, r.Label) {
			labels = append(labels, r.Label)
		}
		same := groups[r.Label]
		i := slices.IndexFunc(same, func(o Curve) bool { return o.Seed == r.Seed })
		if i < 0 {
			groups[r.Label] = append(same, r)
			continue
		}
		short := r
		if len(r.at()) > len(same[i].at()) {
			short, same[i] = same[i], r
		}
		notes = append(notes, fmt.Sprintf("%s is not drawn: it is the run of seed %d again that %s is", short.Name, r.Seed, same[i].Name))
	}
	return groups, labels, notes
}

// seedCurves is the lines of one label's runs, and what is to be said of a mean.
func seedCurves(label string, runs []Curve, index int) (series []Series, note string) {
	var all []map[int]float64
	var seeds []string
	common, furthest := runs[0].at(), 0
	for i, r := range runs {
		at := r.at()
		s := Series{Name: fmt.Sprintf("%s, seed %d", label, r.Seed), Index: index, Variant: i, Line: true, Thin: true}
		for _, step := range slices.Sorted(maps.Keys(at)) {
			s.Points, furthest = append(s.Points, Point{float64(step), at[step], at[step], at[step]}), max(furthest, step)
		}
		maps.DeleteFunc(common, func(step int, _ float64) bool { _, ok := at[step]; return !ok })
		series, all, seeds = append(series, s), append(all, at), append(seeds, fmt.Sprint(r.Seed))
	}
	if len(runs) == 1 || len(common) == 0 { // no mean
		for i := range series {
			series[i].Thin = false
		}
		if len(runs) == 1 {
			series[0].Name = label
		}
		return series, ""
	}
	mean := Series{Name: fmt.Sprintf("%s, mean of %d seeds", label, len(runs)), Index: index, Line: true}
	steps := slices.Sorted(maps.Keys(common))
	for _, step := range steps {
		var y []float64
		for _, at := range all {
			y = append(y, at[step])
		}
		mean.Points = append(mean.Points, Point{float64(step), average(y), slices.Min(y), slices.Max(y)})
	}
	note = fmt.Sprintf("%s: the mean of %d seeds (%s), bars from the lowest to the highest", label, len(runs), strings.Join(seeds, ", "))
	if last := steps[len(steps)-1]; last < furthest {
		note += fmt.Sprintf("; it ends at step %d, the last that all of them reached, and the faint lines go on to step %d", last, furthest)
	}
	return append(series, mean), note
}
