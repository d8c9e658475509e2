package reports

import (
	"slices"
	"strings"
	"testing"

	"workbench/experiments/record"
)

// TestGrowth: the sentences name the form that made the samples, and the curves
// cross where 0.8 ms and 0.5 µs a token make 1 ms.
func TestGrowth(t *testing.T) {
	m := newMaker()
	says := newView(m.run, m.recs).part("cost").growthSentences("decode", qPerToken)
	want := []string{"Along the depth the time per token: rwkv4 stays at 1.00 ms/token (largest residual ", "; transformer is 79", "ns/token · depth (largest residual ",
		"; rnn stays at 300 µs/token", "through the means over blocks.", "The fitted curve of rwkv4 crosses: that of transformer at depth 4", "; that of rnn not within depth 16384."}
	for _, w := range want {
		if !slices.ContainsFunc(says, func(s string) bool { return strings.Contains(s, w) }) {
			t.Errorf("%q lacks %q", says, w)
		}
	}
	m.run.Parts[0].Placebo = ""
	m.recs = slices.DeleteFunc(m.recs, func(r record.Record) bool { return r.Text(record.KeyArm) == again })
	says = newView(m.run, m.recs).part("cost").growthSentences("decode", qPerToken)
	if len(says) != 2 || !strings.Contains(says[1], "(no interval: rounds of one start are no repetitions)") {
		t.Errorf("rounds of one start: %q", says)
	}
}
