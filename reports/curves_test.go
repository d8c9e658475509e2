package reports

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/experiments/record"
)

// trained is a run of workbench train: what it wrote of its held-out loss.
func trained(run, arm string, seed int, steps, loss []float64) record.Record {
	return record.Record{Cell: run, Keys: map[string]any{record.KeyArm: arm, record.KeySeed: float64(seed)},
		Samples: []record.Series{{Name: qLoss.Name, Title: qLoss.Title, Unit: qLoss.Unit, Axis: "training", AxisUnit: "optimiser steps", X: steps, Y: loss}}}
}

func TestCurves(t *testing.T) {
	dir := t.TempDir()
	runs := []record.Record{
		trained("a", "rwkv4", 1, []float64{0, 10, 20}, []float64{8, 3, 2}), trained("b", "rwkv4", 2, []float64{0, 10, 20}, []float64{8, 3.2, 2.1}),
		trained("c", "rnn", 1, []float64{0, 20}, []float64{8, 2.5}),
	}
	for _, format := range []string{"svg", "png"} {
		path, notes, err := Curves(dir, format, runs)
		if err != nil {
			t.Fatal(err)
		}
		one, _ := os.ReadFile(path)
		if _, _, err := Curves(dir, format, runs); err != nil {
			t.Fatal(err)
		}
		if again, _ := os.ReadFile(path); len(one) == 0 || !bytes.Equal(one, again) {
			t.Errorf("%s: drawing twice gives other bytes", format)
		}
		for _, want := range []string{">rwkv4, mean of 2 seeds<", ">rnn<", "Held-out loss (bits/byte)"} {
			if format == "svg" && !strings.Contains(string(one), want) {
				t.Errorf("the picture lacks %s", want)
			}
		}
		if !slices.Equal(notes, []string{"rwkv4: the mean of 2 seeds (1, 2), bars from the lowest to the highest"}) {
			t.Errorf("notes %q", notes)
		}
	}
}

// TestSeedCurves: a mean goes as far as all of its seeds, each of these as far
// as it goes; what has no step in common has no mean, and a seed needs none.
func TestSeedCurves(t *testing.T) {
	long := trained("a", "rnn", 1, []float64{0, 2, 4, 6, 8}, []float64{9, 5, 4, 3, 2})
	short := trained("b", "rnn", 2, []float64{0, 2, 4}, []float64{9, 7, 5})
	other := trained("c", "rnn", 3, []float64{3, 5}, []float64{6, 5})
	draw := func(runs ...*record.Record) ([]Series, string) {
		c := alongTraining(runs, qLoss, nil)
		return c.figure.Series, strings.Join(c.means, ";")
	}
	series, note := draw(&long, &short)
	if len(series) != 3 || len(series[0].Points) != 4 || len(series[1].Points) != 2 || !series[0].Thin || !series[1].Thin {
		t.Fatalf("%+v", series)
	}
	mean := series[2]
	if want := []Point{{2, 6, 5, 7}, {4, 4.5, 4, 5}}; mean.Thin || !slices.Equal(mean.Points, want) || mean.Name != "rnn, mean of 2 seeds" {
		t.Errorf("mean %+v, want %v", mean, want)
	}
	if want := "rnn: the mean of 2 seeds (1, 2), bars from the lowest to the highest; it ends at 4 optimiser steps, the last position that all of them reached, and the faint lines go on to 8"; note != want {
		t.Errorf("note %q, want %q", note, want)
	}
	if series, note := draw(&long, &other); len(series) != 2 || note != "" || series[0].Thin || series[1].Name != "rnn, seed 3" || series[1].Variant == series[0].Variant {
		t.Errorf("no steps in common: %+v, %q", series, note)
	}
	if series, note := draw(&short); len(series) != 1 || note != "" || series[0].Thin || series[0].Name != "rnn" || len(series[0].Points) != 2 {
		t.Errorf("one seed: %+v, %q", series, note)
	}
}

func TestCurvesSayWhatIsNotDrawn(t *testing.T) {
	dir := t.TempDir()
	young := trained("young", "rnn", 1, []float64{0}, []float64{8})
	broken := trained("broken", "rnn", 2, []float64{0, 5}, []float64{8, math.NaN()})
	_, _, err := Curves(dir, "svg", []record.Record{young, broken})
	if err == nil || !strings.Contains(err.Error(), "nothing to draw") || !strings.Contains(err.Error(), "young") || !strings.Contains(err.Error(), "broken") {
		t.Errorf("nothing to draw: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "curves.svg")); err == nil {
		t.Error("an empty picture was written")
	}
	one := trained("one", "rnn", 1, []float64{5}, []float64{3})
	twice := trained("twice", "rnn", 1, []float64{5, 10}, []float64{3, 2})
	_, notes, err := Curves(dir, "svg", []record.Record{young, one, twice})
	if all := strings.Join(notes, "\n"); err != nil || !strings.Contains(all, "young is not drawn") || !strings.Contains(all, "one is not drawn: it is the run of seed 1 again that twice is") || strings.Contains(all, "mean") {
		t.Errorf("%q, %v", notes, err)
	}
}
