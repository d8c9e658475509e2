package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	_ "workbench/arch/rnn"
	_ "workbench/arch/rwkv"
	_ "workbench/arch/transformer"
	"workbench/experiments/record"
	"workbench/experiments/workload"
)

const tinyStudy = `name: tiny
title: Tiny
question: "<script>alert('x')</script> \u202e & 'quotes'"
arch:
  - {use: rwkv4, dim: 8, layers: 1, token_shift: [learned, none]}
  - {use: rnn, dim: 8, layers: 1, label: "plain <b>RNN</b>"}
corpus: grammar
seeds: 2
measure:
  decode: {depth: [16, 4], tokens: 2, rounds: 3, sample_ms: 1}
  prefill: {tokens: 16, chunk: [0, 1, 4], rounds: 2, sample_ms: 1}
  train: {context: [8], batch_tokens: 16, rounds: 2, sample_ms: 1}
  quality: {steps: 4, batch: 2, context: 8, lr: {rwkv4: 2e-3, rnn: [1e-3, 2e-3]}, eval_tokens: 64, long_context: 2, probes: [{name: shift, slots: [att_x_prev], every: [1]}]}
  check: [modes, linear, scan]
claims:
  - {id: c, says: s, rules: [{kind: slope, part: tiny, phase: decode, metric: state_bytes, arch: rwkv4 token_shift=learned, over: depth, below: 1e-2}]}
profiles:
  smoke:
    tiny: {seeds: 1, decode: {depth: [4]}, quality: {steps: 2}}
  none:
    tiny: {drop: true}
`

func parse(t *testing.T, text string) *Study {
	t.Helper()
	s, err := Parse("x.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	s := parse(t, tinyStudy)
	p := s.Parts[0]
	if p.Name != "tiny" || p.Seeds != 2 || p.Corpus != "grammar" || measured[*workload.Decode](p).Tokens != 2 {
		t.Errorf("part is %+v", p)
	}
	if want := "<script>alert('x')</script> \u202e & 'quotes'"; s.Question != want {
		t.Errorf("question is %q, want %q", s.Question, want)
	}
	if lr := measured[*workload.Quality](p).LR.Of("any", "rnn"); !slices.Equal(lr, []float64{1e-3, 2e-3}) {
		t.Errorf("rates of rnn are %v", lr)
	}
	if b := s.Claims[0].Rules[0].Below; b == nil || *b != 0.01 {
		t.Errorf("threshold is %v", b)
	}
	if s.YAML() != tinyStudy {
		t.Error("YAML of an unchanged study is not its text")
	}
}

func TestParseErrors(t *testing.T) {
	replace := func(old, with string) string { return strings.Replace(tinyStudy, old, with, 1) }
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":       {replace("title: Tiny", "titel: Tiny"), `x.yaml:2: unknown field "titel"`},
		"unknown phase key": {replace("rounds: 3", "round: 3"), `x.yaml:10: unknown field "round"`},
		"unknown phase":     {replace("  train:", "  trane:"), `x.yaml:12: unknown workload "trane"`},
		"in a profile":      {replace("seeds: 1, decode", "seds: 1, decode"), `x.yaml:19: unknown field "seds"`},
		"unknown part":      {replace("    tiny: {drop", "    tony: {drop"), `there is no part "tony"`},
		"octal":             {replace("tokens: 16", "tokens: 010"), "x.yaml:11: number 010"},
		"underscore":        {replace("tokens: 16", "tokens: 1_6"), "x.yaml:11: number 1_6"},
		"hexadecimal":       {replace("tokens: 16", "tokens: 0x10"), "x.yaml:11: number 0x10"},
		"fraction":          {replace("tokens: 16", "tokens: 1.5"), "x.yaml:11: 1.5 is not a whole number"},
		"word for a number": {replace("tokens: 16", "tokens: many"), "x.yaml:11: "},
		"duplicate key":     {replace("seeds: 2", "seeds: 2\nseeds: 3"), "x.yaml:9: "},
		"infinite":          {replace("below: 1e-2", "below: .inf"), "x.yaml:16: "},
		"anchor":            {replace("title: Tiny", "title: &a Tiny"), "x.yaml:2: anchors"},
		"rate":              {replace("rwkv4: 2e-3", "rwkv4: 2"), "x.yaml:13: lr: 2 is not a learning rate"},
		"rate of words":     {replace("rwkv4: 2e-3", "rwkv4: fast"), "x.yaml:13: lr: fast"},
		"arch without use":  {replace("{use: rnn,", "{used: rnn,"), "x.yaml:6: arch: the key use"},
		"arch of words":     {replace("{use: rnn, dim: 8, layers: 1, label: \"plain <b>RNN</b>\"}", "rnn"), "x.yaml:6: an arch is written"},
		"empty axis":        {replace("[learned, none]", "[]"), "x.yaml:5: arch: token_shift: the list is empty"},
		"nested axis":       {replace("[learned, none]", "[[learned]]"), "x.yaml:5: arch: token_shift"},
		"name":              {replace("name: tiny", "name: ../tiny"), `name "../tiny"`},
		"two documents":     {tinyStudy + "---\nname: b\n", "one YAML document"},
		"empty":             {"", "one YAML document"},
		"not YAML":          {"name: [", "x.yaml:1: "},
		"deep":              {"name: " + strings.Repeat("[", 10000), "too many lists"},
		"large":             {strings.Repeat("#\n", maxStudy), "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.yaml", c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v does not contain %q", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error has several lines: %q", err)
			}
		})
	}
}

func labels(arms []arm) (out []string) {
	for _, a := range arms {
		out = append(out, a.Label)
	}
	return out
}

func TestArms(t *testing.T) {
	p := parse(t, `name: a
arch:
  - {use: rwkv4, dim: [8, 16], layers: 1, token_shift: [learned, none]}
  - {use: [rnn, transformer], dim: 8, layers: 1, label: base}
measure: {check: [modes]}
`).Parts[0]
	arms, err := p.arms(256)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"rwkv4 dim=8 token_shift=learned", "rwkv4 dim=8 token_shift=none",
		"rwkv4 dim=16 token_shift=learned", "rwkv4 dim=16 token_shift=none", "base rnn", "base transformer"}
	if !slices.Equal(labels(arms), want) {
		t.Errorf("labels are %q", labels(arms))
	}
	if arms[2].Config["dim"] != 16.0 || arms[2].Config["vocab"] != 256.0 {
		t.Errorf("config is not resolved: %v", arms[2].Config)
	}
	if p.Baseline != want[0] {
		t.Errorf("baseline is %q", p.Baseline)
	}
}

// TestSeedsStayApart: JSON would make one number of seeds beyond 2⁵³.
func TestSeedsStayApart(t *testing.T) {
	s := parse(t, "name: a\narch: [{use: rnn}]\nmeasure: {check: [modes]}\n")
	if _, err := Run(t.Context(), s, Options{Out: filepath.Join(t.TempDir(), "run"), Seed: 1 << 53}); err == nil || !strings.Contains(err.Error(), "seed 9007199254740992") {
		t.Errorf("%v", err)
	}
}

func TestMarkBeforeUTF8(t *testing.T) {
	parse(t, "\ufeffname: a\narch: [{use: rnn}]\nmeasure: {check: [modes]}\n")
}

func TestArmErrors(t *testing.T) {
	for arch, want := range map[string]string{
		"{use: rwkv9}":                               `x.yaml:2: part a: unknown architecture "rwkv9"`,
		"{use: rwkv4, dimm: 8}":                      `x.yaml:2: part a: rwkv4 has no setting "dimm" (known: dim`,
		"{use: rwkv4, dim: 8, vocab: 3}":             `x.yaml:2: part a: vocab: 3 is less than the 256`,
		"{use: rwkv4, dim: none}":                    `not a whole number`,
		"{use: rwkv4, dim: 0}":                       `x.yaml:2: part a: rwkv4: dim 0`,
		"{use: rwkv4, dim: -8}":                      `x.yaml:2: part a: rwkv4: dim: -8 is not a whole number`,
		"{use: rwkv4, layers: 99999999999999999999}": `x.yaml:2: part a: rwkv4: layers`,
		"{use: rnn, dim: 8}, {use: rnn, dim: 9}":     `x.yaml:2: part a: two models are called "rnn": give each a label`,
		"{use: rnn, dim: [8, 8]}":                    `x.yaml:2: arch: dim: 8 stands in the list twice`,
		"{use: [rnn, rnn]}":                          `x.yaml:2: arch: use: rnn stands in the list twice`,
		"{use: rnn, dim: [" + strings.TrimSuffix(counted(65), ", ") + "]}": "more than 64 models",
	} {
		_, err := Parse("x.yaml", "name: a\narch: ["+arch+"]\ncorpus: grammar\nmeasure: {check: [modes]}\n")
		if err == nil {
			s := parse(t, "name: a\narch: ["+arch+"]\ncorpus: grammar\nmeasure: {check: [modes]}\n")
			_, err = Run(context.Background(), s, Options{Out: filepath.Join(t.TempDir(), "run")})
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v does not contain %q", arch, err, want)
		}
	}
}

// counted are numbers from 1 on, as in a list.
func counted(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "%d, ", i+1)
	}
	return out.String()
}

func TestMatch(t *testing.T) {
	study := func(dim string) *Part {
		return &parse(t, "name: a\nmatch: 0.02\narch: [{use: rwkv4, dim: 16, layers: 2}, {use: rnn, dim: "+dim+
			", layers: 2}]\nmeasure: {check: [modes]}\n").Parts[0]
	}
	// rwkv4: 13·16²·2 + 16·(11·2+4) = 7072; rnn: 4·41² + 4·41 = 6888, 4·42² + 4·42 = 7224, 3 and 2 % off.
	if _, err := study("41").arms(256); err == nil || !strings.Contains(err.Error(), "rwkv4 7072, rnn 6888") {
		t.Errorf("error %v does not list both counts", err)
	}
	if _, err := study("42").arms(256); err == nil {
		t.Error("2.15 % is taken for 2 %")
	}
	p := study("42")
	p.Match = 0.022
	if _, err := p.arms(256); err != nil {
		t.Error(err)
	}
}

func TestResolve(t *testing.T) {
	s := parse(t, tinyStudy)
	r, err := s.resolve(Options{Profile: "smoke", Set: []string{"dim=16", "decode.depth=8,2", "quality.lr=5e-3"}, Corpus: "other"})
	if err != nil {
		t.Fatal(err)
	}
	p := r.Parts[0]
	d := workload.Decode{Depth: []int{2, 8}, Tokens: 2, Batch: 1, Timing: workload.Timing{Rounds: 3, SampleMS: 1}}
	if !reflect.DeepEqual(*measured[*workload.Decode](p), d) {
		t.Errorf("decode is %+v", *measured[*workload.Decode](p))
	}
	if !slices.Equal(measured[*workload.Prefill](p).Chunk, []int{1, 4, 16}) {
		t.Errorf("chunks are %v: 0 stands for the whole text", measured[*workload.Prefill](p).Chunk)
	}
	if p.Seeds != 1 || p.Corpus != "other" || measured[*workload.Quality](p).Steps != 2 || !slices.Equal(measured[*workload.Quality](p).LR.Of("x", "y"), []float64{5e-3}) {
		t.Errorf("part is %+v, quality %+v", p, measured[*workload.Quality](p))
	}
	arms, err := p.arms(256)
	if err != nil || arms[0].Config["dim"] != 16.0 || arms[2].Config["dim"] != 16.0 {
		t.Errorf("arms are %v, %v", arms, err)
	}
	if s.Parts[0].Seeds != 2 || s.YAML() != tinyStudy {
		t.Error("resolving changed the study")
	}

	again, err := Parse("again.yaml", r.YAML())
	if err != nil {
		t.Fatalf("the executed study does not read back: %v\n%s", err, r.YAML())
	}
	again.source = ""
	if again.YAML() != r.YAML() {
		t.Errorf("the executed study reads back as\n%s\nit was\n%s", again.YAML(), r.YAML())
	}
}

func TestResolveErrors(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Profile: "hasty"}, `no profile "hasty" (known: none, smoke`},
		{Options{Profile: "quick", Set: []string{"dim"}}, "not key=value"},
		{Options{Profile: "quick", Set: []string{"dimm=3"}}, `has a setting "dimm"`},
		{Options{Profile: "quick", Set: []string{"decode.depht=3"}}, `decode has no setting "depht" (known: depth`},
		{Options{Profile: "quick", Set: []string{"decode.depth=x"}}, "decode.depth=x"},
		{Options{Profile: "quick", Set: []string{"decode.rounds=1.5"}}, "1.5 is not a whole number"},
		{Options{Profile: "quick", Set: []string{"decoder.depth=3"}}, `no phase "decoder"`},
		{Options{Profile: "quick", Set: []string{"seeds=0"}}, "from 1"},
		{Options{Profile: "quick", Set: []string{"decode.rounds=-1"}}, "decode: rounds: -1 is not between"},
		{Options{Profile: "quick", Set: []string{"train.context=32"}}, "train: context: 32 is not between 1 and 16"},
	} {
		_, err := parse(t, tinyStudy).resolve(c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: error %v does not contain %q", c.o, err, c.want)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte(tinyStudy), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := Load(path); err != nil || s.Name != "tiny" {
		t.Errorf("Load: %v, %v", s, err)
	}
	if _, err := Load("artikle"); err == nil || !strings.Contains(err.Error(), "article") {
		t.Errorf("error %v does not name the known studies", err)
	}
}

// TestCatalog: every study runs in every profile, as far as that can be seen
// without measuring, and its claims are about models it has.
func TestCatalog(t *testing.T) {
	for _, name := range Catalog() {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, profile := range profileNames {
			if testing.Short() && profile == "full" {
				continue
			}
			r, err := s.resolve(Options{Profile: profile})
			if err != nil {
				t.Errorf("%s, %s: %v", name, profile, err)
				continue
			}
			have := map[string][]string{}
			for i := range r.Parts {
				p := &r.Parts[i]
				arms, err := p.arms(256)
				if err != nil {
					t.Errorf("%s, %s: %v", name, profile, err)
				}
				if _, err := p.jobs(arms, 1); err != nil {
					t.Errorf("%s, %s: %v", name, profile, err)
				}
				have[p.Name] = labels(arms)
			}
			for _, c := range r.Claims {
				for _, rule := range c.Rules {
					if rule.Control == nil && rule.Kind != record.RuleCheck {
						t.Errorf("%s: claim %s has a rule without a control", name, c.ID)
					}
					if !slices.Contains(have[rule.Part], rule.Arch) || rule.Than != "" && !slices.Contains(have[rule.Part], rule.Than) {
						t.Errorf("%s, %s: claim %s: part %s has no %q or %q: %q", name, profile, c.ID, rule.Part, rule.Arch, rule.Than, have[rule.Part])
					}
				}
			}
		}
	}
}

// measured are the settings of a workload that a part measures.
func measured[S workload.Settings](p Part) S {
	for _, s := range p.Measure {
		if s, ok := s.(S); ok {
			return s
		}
	}
	panic("the part does not measure it")
}
