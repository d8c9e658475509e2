package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"workbench/experiments/record"
)

var qAccuracy = record.Quantity{Name: "accuracy", Title: "share of right answers", Unit: "%", Kind: record.Seeded, Better: record.Higher, Main: true}

// answering is a run on a task whose score is the share of right answers: the
// i-th arm has 10 % more than the one before. Of dumb every training diverged,
// and of rnn that of seed 2.
func answering() *maker {
	m := &maker{run: record.Run{Study: "recall", Workloads: workloads(),
		Parts: []record.Part{{Name: "task", Title: "Recall", Arms: []string{"rwkv4", "rnn", "transformer", "dumb"}, Baseline: "rwkv4"}}}}
	for i, arm := range m.run.Parts[0].Arms {
		for seed := range 6 {
			end := 50 + 10*float64(i) + 0.1*float64(seed)
			r := sample("task", arm, "quality", 0, seed)
			maps.Copy(r.Keys, map[string]any{"context": 64.0, "lr": 1e-3, "steps": 100.0})
			switch {
			case arm == "dumb":
				r.Add(qAccuracy.Missing("the training diverged."))
			case arm == "rnn" && seed == 2:
				r.Add(qAccuracy.Of(math.NaN()))
			default:
				r.Add(qAccuracy.Of(end))
				probe := qProbe("wkv", 4)
				probe.Title, probe.Unit, probe.Better = "share from forgetting wkv", "%", record.Higher
				if r.Add(probe.Of(-20)); arm == "transformer" {
					r.Values[len(r.Values)-1] = probe.Missing("there is no such memory")
				}
				r.Samples = []record.Series{
					{Name: qAccuracy.Name, Title: qAccuracy.Title, Unit: "%", Axis: "training examples seen", AxisUnit: "examples", X: []float64{0, 50, 100}, Y: []float64{1, end - 9, end}},
					{Name: byPosition, Title: "share of right answers", Unit: "%", Axis: "position of the question", AxisUnit: "tokens", X: []float64{8, 100}, Y: []float64{end, end - 5}}}
			}
			m.add(fmt.Sprintf("seed %d", seed), r)
		}
	}
	return m
}

// TestQualityOfATask: a part whose models are judged by another quantity than
// bits per byte has the whole section, in the words and the unit of its records.
func TestQualityOfATask(t *testing.T) {
	m := answering()
	v := newView(m.run, m.recs)
	axes := map[string]string{}
	for _, f := range v.notebook().figures() {
		axes[f.Name] = fmt.Sprint(f.Title, ": ", f.X, ", ", f.Y)
	}
	if want := map[string]string{
		"task-training-accuracy": "Share of right answers during training: Training examples seen (examples), Share of right answers (%)",
		"task-final-accuracy":    "Share of right answers at the end of training: Series, Share of right answers (%)",
		"task-loss-by-position":  "Share of right answers by position in a long text: Position of the question (tokens), Share of right answers (%)",
		"task-probes":            "What a memory is worth: Forgotten every (tokens), Share of right answers added by forgetting (%)",
	}; !maps.Equal(axes, want) {
		t.Errorf("figures %v, want %v", axes, want)
	}
	final := figure(v, "task-final-accuracy")
	if want := m.run.Parts[0].Arms; !slices.Equal(final.X.Names, want) || len(final.Series) != 6 || math.Abs(final.Series[3].Points[0].Y-60.26) > 1e-9 {
		t.Errorf("%v: %v", final.X.Names, final.Series)
	}
	if curve := figure(v, "task-training-accuracy"); !strings.Contains(curve.Note, " Not drawn: 7 runs without an evaluation") {
		t.Errorf("note %q", curve.Note)
	}
	md := string(render(t, m.save(t), "md")["report.md"])
	for _, want := range []string{
		"rnn differs from rwkv4 by 10.0 % (no interval: needs 6 seeds); transformer differs from rwkv4 by 20.000",
		"Share of right answers is n/a for rnn, seed 2 (it is not a finite number); dumb, seeds 0, 1, 2, 3, 4 and 5 (the training diverged). Means and comparisons leave these seeds out.",
		"(positive: the long context helps)", "| dumb        |     0 |", "From the first positions to the last the share of right answers changes: rwkv4 by −5.00 %;",
		"Training examples seen (examples)",
		"### Quality: not available", "Share from forgetting wkv is n/a for transformer, seeds 0, 1, 2, 3, 4 and 5 (there is no such memory).",
		"Counted quantities have no p. Share of right answers is n/a for rnn, seed 2",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(md, "bits") || strings.Contains(md, "loss changes") || strings.Contains(strings.ToLower(md), "held-out loss") {
		t.Error("the report speaks of a loss")
	}
}

// TestUnitsOfParts: a quantity has the title and the unit that the records of
// the part give it.
func TestUnitsOfParts(t *testing.T) {
	bits, m := newMaker(), answering()
	bits.run.Parts, bits.recs = append(bits.run.Parts, m.run.Parts...), append(bits.recs, m.recs...)
	v := newView(bits.run, bits.recs)
	for name, want := range map[string]string{"quality-probes": "Held-out loss added by forgetting (bits/byte)", "task-probes": "Share of right answers added by forgetting (%)"} {
		if got := figure(v, name).Y.String(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	rule := record.Rule{Kind: record.RuleDifference, Part: "task", Phase: "quality", Metric: "probe:wkv/4", Arch: "rnn", Below: ptr(0.0)}
	if got := v.apply(rule); got.Verdict != Holds || got.Numbers != "−20.0 % (no interval: needs 6 seeds)" || got.Asks != "share from forgetting wkv (quality) of rnn: below 0" {
		t.Errorf("%+v", got)
	}
}

// TestWorse: a difference is for the better or the worse as the quantity says.
func TestWorse(t *testing.T) {
	for _, c := range []struct {
		better, want string
		mid          float64
	}{{record.Higher, ", which is better", 0.2}, {record.Higher, ", which is worse", -0.2}, {record.Lower, ", which is worse", 0.2}, {record.Lower, ", which is better", -0.2}, {"", "", 0.2}, {record.Lower, "", 0}} {
		q := qAccuracy
		q.Better = c.better
		if got := (comparison{q: q, p: map[bool]float64{true: 1, false: 0.01}[c.mid == 0], iv: interval{mid: c.mid, lo: c.mid - 0.1, hi: c.mid + 0.1, n: 8}}).merit(); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
