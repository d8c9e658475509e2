package reports

import (
	"math"
	"strings"
	"testing"

	"workbench/experiments/record"
)

func TestRules(t *testing.T) {
	m := newMaker()
	v := newView(m.run, m.recs)
	below := func(x float64) record.Rule { return record.Rule{Below: &x} }
	above := func(x float64) record.Rule { return record.Rule{Above: &x} }
	rule := func(r record.Rule, kind, phase, metric, arch, than, over string, at float64) record.Rule {
		r.Kind, r.Part, r.Phase, r.Metric, r.Arch, r.Than, r.Over, r.At = kind, "cost", phase, metric, arch, than, over, at
		return r
	}
	quality := func(r record.Rule, part, metric, arch, than string) record.Rule {
		r.Kind, r.Part, r.Phase, r.Metric, r.Arch, r.Than = "difference", part, "quality", metric, arch, than
		return r
	}
	for name, c := range map[string]struct {
		rule    record.Rule
		verdict string
		why     string
		mid     float64 // NaN: no statistic
	}{
		"flat slope":        {rule(below(0.05), "slope", "decode", "duration_per_token", "rwkv4", "", "depth", 0), Holds, "", 0},
		"slope not flat":    {rule(below(0.05), "slope", "decode", "duration_per_token", "transformer", "", "depth", 0), Fails, "", 0.48},
		"exact slope":       {rule(above(0.999), "slope", "decode", "state_bytes", "transformer", "", "depth", 0), Holds, "", 1},
		"exact flat":        {rule(below(0.001), "slope", "decode", "state_bytes", "rwkv4", "", "depth", 0), Holds, "", 0},
		"ratio largest":     {rule(above(4), "ratio", "decode", "duration_per_token", "transformer", "rwkv4", "depth", 0), Holds, "", 4.896},
		"ratio at":          {rule(below(1), "ratio", "decode", "duration_per_token", "transformer", "rwkv4", "depth", 256), Holds, "", 0.928},
		"ratio over unsaid": {rule(above(4), "ratio", "decode", "duration_per_token", "transformer", "rwkv4", "", 8192), Holds, "", 4.896},
		"speed":             {rule(below(0.3), "ratio", "decode", "tokens_per_second", "transformer", "rwkv4", "depth", 0), Holds, "", 0.204},
		"state":             {rule(above(3000), "ratio", "decode", "state_bytes", "transformer", "rwkv4", "depth", 0), Holds, "", 3276.8},
		"nothing to see":    {rule(below(1), "ratio", "train", "duration_per_token", "rnn", "rwkv4", "context", 128), NotDecided, "", math.NaN()},
		"far from nothing":  {rule(below(1.2), "ratio", "train", "duration_per_token", "rnn", "rwkv4", "context", 128), Holds, "", 1},
		"parameters":        {rule(below(1.01), "ratio", "decode", "params_nonemb", "transformer", "rwkv4", "depth", 0), Holds, "", 3180.0 / 3170},
		"no such depth":     {rule(below(1), "ratio", "decode", "duration_per_token", "transformer", "rwkv4", "depth", 99), NotMeasured, "depth 99", math.NaN()},
		"no such label":     {rule(below(1), "ratio", "decode", "duration_per_token", "gru", "rwkv4", "depth", 0), NotMeasured, "gru", math.NaN()},
		"no such metric":    {rule(below(1), "ratio", "decode", "fps", "rnn", "rwkv4", "depth", 0), NotMeasured, "fps in decode of rnn", math.NaN()},
		"no such kind":      {rule(below(1), "product", "decode", "duration_per_token", "rnn", "rwkv4", "depth", 0), NotDecided, "slope, ratio", math.NaN()},
		"no threshold":      {rule(record.Rule{}, "ratio", "decode", "duration_per_token", "rnn", "rwkv4", "depth", 0), NotDecided, "no threshold", math.NaN()},
		"no counter":        {rule(below(1), "ratio", "decode", "joules_per_token", "rnn", "rwkv4", "depth", 0), NotDecided, "on this machine: no measured energy per token", math.NaN()},
		"check":             {rule(below(1e-5), "check", "check", "modes", "rwkv4", "", "", 0), Holds, "", 3e-6},
		"check fails":       {rule(below(1e-6), "check", "check", "modes", "rwkv4", "", "", 0), Fails, "", 3e-6},
		"check missing":     {rule(below(1), "check", "check", "scan", "rwkv4", "", "", 0), NotMeasured, "scan", math.NaN()},
		"loss":              {quality(above(0), "ablation", "val_bits_per_byte", "rwkv4 token_shift=none", "rwkv4"), Holds, "", 0.08},
		"gap":               {quality(below(0), "quality", "long_context_gap", "rwkv4", ""), Holds, "", -0.1},
		"gap fails":         {quality(below(0), "quality", "long_context_gap", "transformer", ""), Fails, "", 0.3},
		"probe":             {quality(above(0.1), "quality", "probe:wkv/4", "rwkv4", ""), Holds, "", 0.21},
		"probe missing":     {quality(above(0.1), "quality", "probe:wkv/5", "rwkv4", ""), NotMeasured, "probe:wkv/5 in quality of rwkv4", math.NaN()},
	} {
		t.Run(name, func(t *testing.T) {
			got := v.apply(c.rule)
			if got.Verdict != c.verdict || !strings.Contains(got.Why, c.why) {
				t.Errorf("%s (%s), want %s (%s); numbers %s", got.Verdict, got.Why, c.verdict, c.why, got.Numbers)
			}
			if f := v.find(c.rule); !math.IsNaN(c.mid) && math.Abs(f.iv.mid-c.mid) > 0.03*math.Abs(c.mid)+0.005 {
				t.Errorf("statistic %g, want %g", f.iv.mid, c.mid)
			}
			if got.Asks == "" {
				t.Error("the rule is not put into words")
			}
		})
	}
}

// judgeOne judges a claim that is the study's only one.
func judgeOne(v *view, c record.Claim) Judgement { return v.judge([]record.Claim{c})[0] }

func TestClaimTakesTheWorstRule(t *testing.T) {
	m := newMaker()
	v := newView(m.run, m.recs)
	good := record.Rule{Kind: "check", Part: "cost", Metric: "modes", Arch: "rwkv4", Below: ptr(1.0)}
	bad, gone := good, good
	bad.Below = ptr(1e-9)
	gone.Metric = "scan"
	for _, c := range []struct {
		rules []record.Rule
		want  string
	}{{[]record.Rule{good}, Holds}, {[]record.Rule{good, gone}, NotMeasured}, {[]record.Rule{bad, gone, good}, Fails}, {nil, NotMeasured}} {
		if got := judgeOne(v, record.Claim{Rules: c.rules}); got.Verdict != c.want {
			t.Errorf("%d rules: %s, want %s", len(c.rules), got.Verdict, c.want)
		}
	}
}

// TestMeasuredEnergyOnly: a counter decides the claim that an estimate may not.
func TestMeasuredEnergyOnly(t *testing.T) {
	m := newMaker()
	rule := m.run.Claims[4].Rules[0]
	estimated := rule
	estimated.Metric = qEstimate.Name
	if got := newView(m.run, m.recs).apply(estimated); got.Verdict != NotDecided || !strings.Contains(got.Why, "estimate") {
		t.Errorf("an estimate gives %s (%s)", got.Verdict, got.Why)
	}
	for i := range m.recs {
		r := &m.recs[i]
		if x := r.Find(qJoules.Name); x != nil {
			seconds, _ := r.Value(qPerToken.Name)
			*x = qJoules.Of(20 * seconds)
			x.Source = "RAPL"
		}
	}
	v := newView(m.run, m.recs)
	if got := v.apply(rule); got.Verdict != Holds {
		t.Errorf("%s (%s)", got.Verdict, got.Why)
	}
	drawn := 0
	for _, f := range v.notebook().figures() {
		for _, s := range f.Series {
			want := map[string]float64{"cost-energy-measured": 20, "cost-energy-estimated": 35}[f.Name]
			if want == 0 || s.Name != "rwkv4" {
				continue
			}
			if drawn++; math.Abs(s.Points[0].Y-want) > 1 || f.Y.Unit != "mJ/token" {
				t.Errorf("%s: %g %s, want %g mJ/token", f.Name, s.Points[0].Y, f.Y.Unit, want)
			}
		}
	}
	if drawn != 2 {
		t.Errorf("%d figures of energy show rwkv4, want one measured and one estimated", drawn)
	}
}

// TestCheckThatIsNotFinite: a deviation that is no finite number fails, and one
// that could not be measured is not decided.
func TestCheckThatIsNotFinite(t *testing.T) {
	below := record.Rule{Kind: "check", Part: "p", Phase: "check", Metric: "modes", Arch: "a", Below: ptr(1.0)}
	above := below
	above.Below, above.Above = nil, ptr(1.0)
	for name, c := range map[string]struct {
		rule   record.Rule
		values []record.Value
		want   string
		why    string
	}{
		"infinite":       {below, []record.Value{qModes.Of(math.Inf(1))}, Fails, "the check modes gave no finite number"},
		"no number":      {below, []record.Value{qModes.Of(math.NaN())}, Fails, "no finite number"},
		"one of several": {below, []record.Value{qModes.Of(0), qModes.Of(math.NaN()), qModes.Of(0)}, Fails, "no finite number"},
		"above":          {above, []record.Value{qModes.Of(math.Inf(1))}, NotDecided, "no finite number"},
		"not measured":   {below, []record.Value{qModes.Missing("the text is too short.")}, NotDecided, "on this machine: no check modes (the text is too short)"},
		"finite":         {below, []record.Value{qModes.Of(0), qModes.Of(0.5)}, Holds, ""},
	} {
		var recs []record.Record
		for i, x := range c.values {
			recs = append(recs, sample("p", "a", "check", 0, i, x))
		}
		if got := newView(record.Run{Workloads: workloads()}, recs).apply(c.rule); got.Verdict != c.want || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %s (%s), want %s (%s)", name, got.Verdict, got.Why, c.want, c.why)
		}
	}
}

// TestCheckOfAnyWorkload: what a workload of another name counted decides a
// check, and stands in the table of checks.
func TestCheckOfAnyWorkload(t *testing.T) {
	rule := record.Rule{Kind: record.RuleCheck, Part: "p", Metric: qModes.Name, Arch: "a", Below: ptr(1e-4)}
	failed := sample("p", "b", "audit", 0, 0)
	failed.Error = "no weights"
	v := newView(record.Run{Workloads: workloads()}, []record.Record{sample("p", "a", "audit", 0, 0, qModes.Of(3e-6)), failed, sample("p", "c", "audit", 0, 0, qModes.Missing("no text"))})
	for arm, want := range map[string]string{"a": Holds, "b": "not measured yet (audit of b: the cell failed: no weights)", "c": "not decided (no check modes of c: no text)", "d": "not measured yet (check modes of d)"} {
		rule.Arch = arm
		if got := judgeOne(v, record.Claim{Rules: []record.Rule{rule}}).short(); got != want {
			t.Errorf("%s: %s, want %s", arm, got, want)
		}
	}
	rows := v.checkBlocks(v.parts[0])[0].Table.Rows
	if len(rows) != 2 || rows[0][3] != "3.00e−6" || rows[1][3] != "n/a: no text" {
		t.Errorf("the table of checks has %q", rows)
	}
}

// TestQuantityThatCouldNotBeHad: the reason says whether the machine or the
// model lacks it.
func TestQuantityThatCouldNotBeHad(t *testing.T) {
	claim := record.Claim{Rules: []record.Rule{{Kind: "ratio", Part: "p", Phase: "decode", Metric: qCores.Name, Arch: "a", Than: "b", Below: ptr(1.0)}}}
	for want, b := range map[string]record.Value{
		"not decided on this machine: no cores busy (no clock)":  qCores.Missing("no clock"),
		"not decided (no cores busy in decode of a: no clock)":   qCores.Of(1),
		"not measured yet (cores busy in decode of a)":           qTokens.Of(1),
		"not measured yet (decode of a: the cell failed: broke)": qCores.Missing("broke"),
	} {
		a := sample("p", "a", "decode", 8, 0, qCores.Missing("no clock"))
		if b.Reason == "broke" {
			a.Values, a.Error = nil, b.Reason
		}
		if b.Name == qTokens.Name {
			a.Values[0].Reason = ""
		}
		v := newView(record.Run{Workloads: workloads()}, []record.Record{a, sample("p", "b", "decode", 8, 0, b)})
		if got := judgeOne(v, claim).short(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
