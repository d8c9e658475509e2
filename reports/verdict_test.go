package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"workbench/experiments/record"
)

// starts is a run of arms whose processes deviate by 4 % from start to start,
// each so many times as slow as the baseline, at three depths in eight blocks.
// The placebo is the last.
func starts(seed uint64, slower ...float64) *maker {
	m := &maker{rng: rand.New(rand.NewPCG(seed, 9)), run: record.Run{Workloads: workloads(), Parts: []record.Part{{Name: "p", Placebo: again, Baseline: "base", Arms: []string{"base"}}}}}
	for i := range slower[:len(slower)-1] {
		m.run.Parts[0].Arms = append(m.run.Parts[0].Arms, fmt.Sprint("arm", i))
	}
	arms := append(slices.Clone(m.run.Parts[0].Arms), again)
	for block := range 8 {
		for i, arm := range arms {
			start := 0.04 * m.rng.NormFloat64()
			for _, depth := range []float64{16, 64, 256} {
				factor := 1.0
				if i > 0 {
					factor = slower[i-1]
				}
				for range 3 {
					m.add("cell", sample("p", arm, "decode", depth, block, qPerToken.Of(1e-3*factor*math.Exp(start+0.01*m.rng.NormFloat64()))))
				}
			}
		}
	}
	return m
}

// TestIdenticalArms: arms that do the same work are not told apart, in more
// groups than chance lets them, nor is their run unfit; arms that take 1.5 times
// as long are, by that much.
func TestIdenticalArms(t *testing.T) {
	const groups = 60
	wrong, found := 0, 0
	for seed := range uint64(groups) {
		m := starts(seed, 1, 1, 1, 1)
		v := newView(m.run, m.recs)
		if slices.ContainsFunc(v.comparisons(v.parts[0]), func(c comparison) bool { return c.conclusion() != "no difference shown" }) {
			wrong++
		}
		if v.unfit() != "" {
			t.Error(v.unfit())
		}
		m = starts(seed, 1.5, 1)
		v = newView(m.run, m.recs)
		if c, ok := v.compare(v.parts[0], "arm0", "decode", qPerToken); ok && c.conclusion() == higher && c.iv.lo < 1.5 && c.iv.hi > 1.5 && c.found < 1.2 {
			found++
		}
	}
	if most := chanceMost(groups); wrong > most {
		t.Errorf("%d of %d groups of identical arms hold a verdict, chance gives %d", wrong, groups, most)
	}
	if found < groups*9/10 {
		t.Errorf("a difference of half is found in %d of %d groups", found, groups)
	}
}

// TestPlacebo: the second process of the baseline is no arm but in the samples;
// groups in which it differs are counted, and too many make the run unfit.
func TestPlacebo(t *testing.T) {
	m := starts(1, 1.4, 1.5)
	m.run.Profile = smoke
	for _, part := range []string{"p", "q", "r"} {
		for _, r := range m.recs[:216] {
			r.Keys = cloned(r.Keys)
			r.Keys[record.KeyPart] = part
			if part != "p" {
				m.recs = append(m.recs, r)
			}
		}
		if part != "p" {
			p := m.run.Parts[0]
			p.Name = part
			m.run.Parts = append(m.run.Parts, p)
		}
	}
	v := newView(m.run, m.recs)
	if want := "Unfit for timed comparisons: in 3 of 3 groups a second process of the baseline differs from the first at the level of 0.05; chance gives at most 1, with probability .99."; v.unfit() != want {
		t.Errorf("%q, want %q", v.unfit(), want)
	}
	files := render(t, m.save(t), "csv", "md")
	page := string(files["report.md"])
	if strings.Contains(page, again) || !strings.Contains(string(files["tables/samples.csv"]), again) {
		t.Error("the placebo stands in the report, or not in the samples")
	}
	for _, want := range []string{"- Unfit for timed comparisons", "- A smoke run: its verdicts test the plumbing alone", "A second process of the baseline differs from the first as well, by "} {
		if !strings.Contains(page, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	for n, want := range map[int]int{1: 1, 2: 1, 4: 2, 100: 11} {
		if got := chanceMost(n); got != want {
			t.Errorf("chance gives %d of %d, want %d", got, n, want)
		}
	}
}

func cloned(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// TestControls: a rule decides where its control is shown to fail it and shows
// at least twice the margin.
func TestControls(t *testing.T) {
	m := newMaker()
	v := newView(m.run, m.recs)
	rule := func(kind, metric, arch, than string, below float64, control string) record.Rule {
		return record.Rule{Kind: kind, Part: "cost", Phase: "decode", Metric: metric, Arch: arch, Than: than, Over: "depth", Below: &below, Control: &record.Control{Arch: control}}
	}
	for name, c := range map[string]struct {
		rule                   record.Rule
		verdict, why, controls string
	}{
		"fails":         {rule("slope", qPerToken.Name, "rwkv4", "", 0.05, "transformer"), Holds, "", "transformer 0.480 [0.476, 0.484], fails as it must"},
		"passes":        {rule("slope", qPerToken.Name, "rwkv4", "", 0.05, "rnn"), NotDecided, "cannot tell: the control, rnn ", ", is not shown to fail"},
		"half":          {rule("slope", qPerToken.Name, "rwkv4", "", 0.3, "transformer"), NotDecided, "the margin is more than half of what the control shows (transformer 0.480", ""},
		"ratio":         {rule("ratio", qPerToken.Name, "rnn", "rwkv4", 1.2, "transformer"), Holds, "", "transformer 4.90×"},
		"half a ratio":  {rule("ratio", qPerToken.Name, "rnn", "rwkv4", 2.3, "transformer"), NotDecided, "more than half", ""},
		"counted":       {rule("slope", qState.Name, "rwkv4", "", 0.01, "transformer"), Holds, "", "transformer 1.00, fails as it must"},
		"counted alike": {rule("slope", qState.Name, "rwkv4", "", 0.01, "rnn"), NotDecided, "cannot tell: the control, rnn 0, is not", "rnn 0"},
		"missing":       {rule("slope", qPerToken.Name, "rwkv4", "", 0.05, "gru"), NotDecided, "its control is not measured yet: time per token in decode of gru", "gru n/a"},
		"an effect":     {above(rule("slope", qPerToken.Name, "transformer", "", 0, "rnn"), 0.3), Holds, "", "rnn "},
		"would fail":    {rule("slope", qPerToken.Name, "transformer", "", 0.05, "rnn"), NotDecided, "cannot tell", ""},
	} {
		got := v.apply(c.rule)
		if got.Verdict != c.verdict || !strings.Contains(got.Why, c.why) || !strings.Contains(got.Control, c.controls) {
			t.Errorf("%s: %s (%s), control: %s", name, got.Verdict, got.Why, got.Control)
		}
		if j := judgeOne(v, record.Claim{Rules: []record.Rule{c.rule}}); j.Verdict != c.verdict {
			t.Errorf("%s: the claim is %s", name, j.short())
		}
	}
}

// above is the rule with a threshold from below.
func above(r record.Rule, at float64) record.Rule {
	r.Below, r.Above = nil, &at
	return r
}

// TestEqualWithinAMargin: two arms are equal within a margin where the placebo
// is as well.
func TestEqualWithinAMargin(t *testing.T) {
	for _, c := range []struct {
		placebo float64
		verdict string
	}{{1, Holds}, {1.3, NotDecided}} {
		m := starts(3, 1, c.placebo)
		got := newView(m.run, m.recs).apply(record.Rule{Kind: "ratio", Part: "p", Phase: "decode", Metric: qPerToken.Name, Arch: "arm0", Than: "base", Above: ptr(0.85), Below: ptr(1.15)})
		if got.Verdict != c.verdict || c.verdict == NotDecided && !strings.Contains(got.Why, "two processes of the baseline are not shown to be equal within the margin: 1.28×") {
			t.Errorf("placebo %g: %s (%s), %s", c.placebo, got.Verdict, got.Why, got.Numbers)
		}
	}
}

// TestSeedThatDiverges: one seed of four whose loss is large decides nothing,
// and many claims need more seeds than one does.
func TestSeedThatDiverges(t *testing.T) {
	study := func(seeds int, loss func(seed int) float64) *view {
		var recs []record.Record
		for seed := range seeds {
			recs = append(recs, sample("p", "a", "quality", 0, seed, qLoss.Of(2+loss(seed))), sample("p", "b", "quality", 0, seed, qLoss.Of(2+0.01*float64(seed))))
		}
		return newView(record.Run{Workloads: workloads()}, recs)
	}
	claim := record.Claim{Rules: []record.Rule{{Kind: "difference", Part: "p", Phase: "quality", Metric: qLoss.Name, Arch: "a", Than: "b", Above: ptr(0.0)}}}
	diverging := func(seed int) float64 { return 0.01*float64(seed*seed%5) + map[bool]float64{true: 9}[seed%4 == 3] }
	worse := func(seed int) float64 { return 0.5 + 0.02*float64(seed) }
	for _, c := range []struct {
		seeds, claims int
		loss          func(int) float64
		want          string
	}{
		{4, 1, diverging, "not decided (needs 5 seeds)"}, {8, 1, diverging, "not decided (p = "}, {4, 1, worse, "not decided (needs 5 seeds)"},
		{6, 1, worse, Holds}, {6, 10, worse, "not decided (needs 8 seeds among 10 claims)"}, {8, 10, worse, Holds},
	} {
		v := study(c.seeds, c.loss)
		js := v.judge(slices.Repeat([]record.Claim{claim}, c.claims))
		if got := js[0].short(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%d seeds, %d claims: %s (p %s), want %s", c.seeds, c.claims, got, js[0].P, c.want)
		}
	}
}

// TestClaimsOfSeveralRules: the largest p holds, the smallest, as often as there
// are tests, fails.
func TestClaimsOfSeveralRules(t *testing.T) {
	m := newMaker()
	v := newView(m.run, m.recs)
	flat, fast := m.run.Claims[0].Rules[0], m.run.Claims[2].Rules[0]
	slow := fast
	slow.Below, slow.Above = nil, fast.Below
	for _, c := range []struct {
		rules   []record.Rule
		verdict string
		p       float64
	}{{[]record.Rule{flat, fast}, Holds, 1.0 / 256}, {[]record.Rule{flat, fast, slow}, Fails, 3.0 / 256}} {
		j := judgeOne(v, record.Claim{Rules: c.rules})
		if p := min(j.holds, j.fails); j.Verdict != c.verdict || math.Abs(p-c.p) > 1e-12 {
			t.Errorf("%d rules: %s, p %g, want %s, %g", len(c.rules), j.short(), p, c.verdict, c.p)
		}
	}
}
