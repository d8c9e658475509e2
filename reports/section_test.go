package reports

import (
	"slices"
	"strings"
	"testing"

	"workbench/experiments/record"
)

// TestTheWholeText: only a piece that is as long as the text is all of it.
func TestTheWholeText(t *testing.T) {
	for text, want := range map[float64]string{256: "all", 1024: "256", 0: "256"} {
		var recs []record.Record
		for _, chunk := range []float64{16, 256} {
			r := sample("p", "a", "prefill", chunk, 0, qSpeed.Of(chunk))
			if r.Keys["text"] = text; text == 0 {
				delete(r.Keys, "text")
			}
			recs = append(recs, r)
		}
		v := newView(record.Run{Workloads: workloads()}, recs)
		f := figure(v, "p-prefill")
		ticks := f.X.Ticks
		if got := ticks[len(ticks)-1]; got != (Tick{256, want}) || strings.Contains(f.Note, "the whole text of 256 tokens") != (want == "all") {
			t.Errorf("a text of %g: %v, %q", text, got, f.Note)
		}
	}
}

// TestMemoryThatIsNotThere: a figure without a sample is a sentence.
func TestMemoryThatIsNotThere(t *testing.T) {
	recs := []record.Record{sample("p", "a", "decode", 8, 0, qState.Of(0)), sample("p", "a", "decode", 16, 0, qState.Of(0))}
	n := newView(record.Run{Workloads: workloads()}, recs).notebook()
	said := map[string]string{}
	for _, b := range n.Sections[0].Blocks {
		said[b.Heading] = b.Missing
	}
	for heading, want := range map[string]string{"Memory: peak": "Peak resident memory of the process: nothing to draw. No sample has a value for it.",
		"Memory: state": "State carried from token to token: nothing to draw. Not drawn: 2 points whose value is not finite, or has no place on a log axis (zero or below)."} {
		if said[heading] != want {
			t.Errorf("%s: %q, want %q", heading, said[heading], want)
		}
	}
}

// TestSeedsAlongTraining: every seed is drawn as far as it goes, their mean at
// the positions that all have.
func TestSeedsAlongTraining(t *testing.T) {
	run := func(arm string, seed int, x ...float64) record.Record {
		r := sample("p", arm, "quality", 0, seed, qLoss.Of(2))
		s := record.Series{Name: qLoss.Name, Axis: "training text read", AxisUnit: "tokens", X: x}
		for i := range x {
			s.Y = append(s.Y, float64(9-i)+float64(seed))
		}
		r.Samples = []record.Series{s}
		return r
	}
	recs := []record.Record{run("rnn", 0, 0, 2, 4, 6, 8), run("rnn", 2, 0, 2, 4), run("apart", 0, 2, 4), run("apart", 1, 3, 5), run("one", 7, 2)}
	f := figure(newView(record.Run{Workloads: workloads()}, recs), "p-training-val-bits-per-byte")
	var got []string
	for _, s := range f.Series {
		kind := map[bool]string{true: " thin", false: ""}[s.Thin]
		got = append(got, s.Name+kind)
		if want := []Point{{2, 9, 8, 10}, {4, 8, 7, 9}}; s.Name == "rnn, mean of 2 seeds" && !slices.Equal(s.Points, want) || s.Name == "rnn, seed 0" && len(s.Points) != 4 {
			t.Errorf("%s: %v", s.Name, s.Points)
		}
	}
	if want := []string{"rnn, seed 0 thin", "rnn, seed 2 thin", "apart, seed 0", "apart, seed 1", "rnn, mean of 2 seeds", "one"}; !slices.Equal(got, want) {
		t.Errorf("series %q, want %q", got, want)
	}
	if want := "Faint lines are single seeds, as far as they go; marked lines are means, as far as all seeds go, with bars from the lowest seed to the highest. The evaluation before the first step is left out."; f.Note != want {
		t.Errorf("note %q", f.Note)
	}
}

// TestCountedOnce: what is counted is compared in the workload that shows it
// along its axis, and not again in every other.
func TestCountedOnce(t *testing.T) {
	m := newMaker()
	v := newView(m.run, m.recs)
	rows := map[string]int{}
	for _, part := range v.parts {
		for _, c := range v.comparisons(part) {
			if c.q.Kind == record.Exact {
				rows[part.Name+" "+c.q.Name+" "+c.arm]++
				if c.workload != "decode" {
					t.Errorf("%s: %s is compared in %s", part.Name, c.q.Name, c.workload)
				}
			}
		}
	}
	if rows["cost peak_rss_bytes transformer"] != 1 || rows["cost state_bytes rnn"] != 1 {
		t.Errorf("%v", rows)
	}
}
