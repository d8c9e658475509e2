package reports

import (
	"fmt"
	"path/filepath"
	"slices"
)

// A Curve is one training run as seen from outside: the held-out loss in bits
// per byte after numbers of steps.
type Curve struct {
	Label string // runs of one label are repetitions
	Step  []int
	BPB   []float64
}

// Curves draws training runs in one picture, dir/curves.png or .svg: of every
// label the mean, with bars from its lowest run to its highest. Repetitions
// must have been evaluated at the same steps.
func Curves(dir, format string, runs []Curve) (path string, err error) {
	f := Figure{Name: "curves", Title: "Learning curves", X: Axis{Label: "Training", Unit: "optimiser steps", Zero: true}, Y: Axis{Label: "Held-out loss", Unit: "bits per byte"}}
	var labels []string
	most := 0
	for _, r := range runs {
		if !slices.Contains(labels, r.Label) {
			labels = append(labels, r.Label)
		}
	}
	for i, label := range labels {
		var same []Curve
		for _, r := range runs {
			if r.Label == label {
				same = append(same, r)
			}
		}
		s := Series{Name: label, Index: i, Line: true}
		for j, step := range same[0].Step {
			p := Point{X: float64(step), Lo: same[0].BPB[j], Hi: same[0].BPB[j]}
			for _, r := range same {
				if !slices.Equal(r.Step, same[0].Step) {
					return "", fmt.Errorf("runs of %s were evaluated at different steps: they make no mean", label)
				}
				p.Y += r.BPB[j] / float64(len(same))
				p.Lo, p.Hi = min(p.Lo, r.BPB[j]), max(p.Hi, r.BPB[j])
			}
			if step > 0 { // what a model says before it has learned would flatten all else
				s.Points = append(s.Points, p)
			}
		}
		most = max(most, len(same))
		f.Series = append(f.Series, s)
	}
	if most > 1 {
		f.Note = "Means of repetitions; bars from the lowest to the highest."
	}
	f = f.finish()
	draw := f.png
	if format == "svg" {
		draw = f.svg
	}
	b, err := draw()
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "curves."+format)
	return path, writeFile(path, b)
}
