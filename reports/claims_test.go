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
		"within the floor":  {rule(below(1), "ratio", "train", "duration_per_token", "rnn", "rwkv4", "context", 128), NotDecided, "", math.NaN()},
		"far from floor":    {rule(below(1.2), "ratio", "train", "duration_per_token", "rnn", "rwkv4", "context", 128), Holds, "", 1},
		"parameters":        {rule(below(1.01), "ratio", "decode", "params_nonemb", "transformer", "rwkv4", "depth", 0), Holds, "", 3180.0 / 3170},
		"no such depth":     {rule(below(1), "ratio", "decode", "duration_per_token", "transformer", "rwkv4", "depth", 99), NotMeasured, "depth 99", math.NaN()},
		"no such label":     {rule(below(1), "ratio", "decode", "duration_per_token", "gru", "rwkv4", "depth", 0), NotMeasured, "gru", math.NaN()},
		"no such metric":    {rule(below(1), "ratio", "decode", "fps", "rnn", "rwkv4", "depth", 0), NotDecided, "duration_per_token", math.NaN()},
		"no such kind":      {rule(below(1), "product", "decode", "duration_per_token", "rnn", "rwkv4", "depth", 0), NotDecided, "slope, ratio", math.NaN()},
		"no threshold":      {rule(record.Rule{}, "ratio", "decode", "duration_per_token", "rnn", "rwkv4", "depth", 0), NotDecided, "no threshold", math.NaN()},
		"no counter":        {rule(below(1), "ratio", "decode", "joules_per_token", "rnn", "rwkv4", "depth", 0), NotDecided, noCounter, math.NaN()},
		"check":             {rule(below(1e-5), "check", "check", "modes", "rwkv4", "", "", 0), Holds, "", 3e-6},
		"check fails":       {rule(below(1e-6), "check", "check", "modes", "rwkv4", "", "", 0), Fails, "", 3e-6},
		"check missing":     {rule(below(1), "check", "check", "scan", "rwkv4", "", "", 0), NotMeasured, "scan", math.NaN()},
		"loss":              {quality(above(0), "ablation", "val_bits_per_byte", "rwkv4 token_shift=none", "rwkv4"), Holds, "", 0.08},
		"gap":               {quality(below(0), "quality", "long_context_gap", "rwkv4", ""), Holds, "", -0.1},
		"gap fails":         {quality(below(0), "quality", "long_context_gap", "transformer", ""), Fails, "", 0.3},
		"probe":             {quality(above(0.1), "quality", "probe:wkv/4", "rwkv4", ""), Holds, "", 0.21},
		"probe missing":     {quality(above(0.1), "quality", "probe:wkv/5", "rwkv4", ""), NotMeasured, "forgetting wkv every 5", math.NaN()},
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

func TestDecide(t *testing.T) {
	iv := func(lo, hi float64) interval { return interval{mid: (lo + hi) / 2, lo: lo, hi: hi, n: 8} }
	both := record.Rule{Above: ptr(0.9), Below: ptr(1.1)}
	for _, c := range []struct {
		rule record.Rule
		iv   interval
		want string
	}{
		{record.Rule{Below: ptr(1.0)}, iv(0.8, 0.9), Holds},
		{record.Rule{Below: ptr(1.0)}, iv(0.9, 1.1), NotDecided},
		{record.Rule{Below: ptr(1.0)}, iv(1.1, 1.2), Fails},
		{record.Rule{Above: ptr(1.0)}, iv(1.1, 1.2), Holds},
		{record.Rule{Above: ptr(1.0)}, iv(0.8, 0.9), Fails},
		{both, iv(0.95, 1.05), Holds},
		{both, iv(0.85, 1.05), NotDecided},
		{both, iv(1.2, 1.3), Fails},
		{both, iv(math.Inf(-1), math.Inf(1)), NotDecided},
	} {
		if got, _ := decide(c.rule, c.iv); got != c.want {
			t.Errorf("[%g, %g]: %s, want %s", c.iv.lo, c.iv.hi, got, c.want)
		}
	}
}

// TestNoiseFloor: the same difference is a win on a quiet machine and none on
// a noisy one.
func TestNoiseFloor(t *testing.T) {
	for floor, want := range map[float64]string{0.001: Holds, 0.2: NotDecided} {
		m := newMaker()
		m.run.Host.NoiseFloor = &floor
		r := record.Rule{Kind: "ratio", Part: "cost", Phase: "decode", Metric: "duration_per_token", Arch: "transformer", Than: "rwkv4", Over: "depth", At: 256, Below: ptr(1.0)}
		got := newView(m.run, m.recs).apply(r)
		if got.Verdict != want || want == NotDecided && !strings.Contains(got.Why, "noise floor of 20 %") {
			t.Errorf("floor %g: %s (%s), want %s", floor, got.Verdict, got.Why, want)
		}
	}
}

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
		if got := v.judge(record.Claim{Rules: c.rules}); got.Verdict != c.want {
			t.Errorf("%d rules: %s, want %s", len(c.rules), got.Verdict, c.want)
		}
	}
}
