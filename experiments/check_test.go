package experiments

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// refuse tells what is wrong unless a study is refused on one line that
// contains want.
func refuse(t *testing.T, text, want string) {
	t.Helper()
	_, err := Parse("x.yaml", text)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v does not contain %q", err, want)
	}
}

// sized has a line for every setting of every phase.
const sized = `name: sized
corpus: grammar
seeds: 2
match: 0
arch:
  - {use: rwkv4, dim: 8, layers: 1}
  - {use: rnn, dim: 8, layers: 1}
measure:
  decode:
    depth: [4, 16]
    tokens: 2
    rounds: 3
    batch: 1
    sample_ms: 1
  prefill:
    tokens: 16
    chunk: [0, 1, 4]
    rounds: 2
  train:
    context: [8, 16]
    batch_tokens: 16
  quality:
    steps: 4
    batch: 2
    context: 8
    lr: {rwkv4: 2e-3, rnn: [1e-3, 2e-3]}
    eval_every: 2
    eval_tokens: 64
    long_context: 3
    probes:
      - name: shift
        slots: [att_x_prev]
        than: [aa]
        every: [1, 4]
  check: [modes, linear]
profiles:
  smoke:
    sized:
      seeds: 1
      decode:
        depth: [4]
      train: {context: [8]}
`

// lineWith is the number of the first line that holds text.
func lineWith(text, part string) int {
	return 1 + strings.Count(text[:strings.Index(text, part)], "\n")
}

// TestSizesAreRefused: every number that cannot be measured with, on its line.
func TestSizesAreRefused(t *testing.T) {
	parse(t, sized)
	for old, news := range map[string][]string{
		"seeds: 2":         {"0", "-1", "1001", "1.5", "99999999999999999999", "[1]", "~", "two"},
		"match: 0":         {"-0.1", "1.1", ".nan", "nan", "1e400"},
		"depth: [4, 16]":   {"[]", "[4, 4]", "[-1]", "[4, 1048577]", "[4, 99999999999999999999]", "[1.5]", "[4, ~]", "[nan]", ""},
		"tokens: 2":        {"0", "-1", "1048577", "-99999999999999999999", "2e3"},
		"rounds: 3":        {"0", "-1", "10001", "0x3", "03"},
		"batch: 1":         {"0", "-1", "4097"},
		"sample_ms: 1":     {"0", "-1", "60001"},
		"chunk: [0, 1, 4]": {"[]", "[0, 1, 1]", "[-1]", "[1048577]", "[.inf]"},
		"context: [8, 16]": {"[]", "[0]", "[8, 17]", "[8, 8]", "[-8]"},
		"batch_tokens: 16": {"0", "15", "-16"},
		"steps: 4":         {"0", "-4", "10000001"},
		"context: 8":       {"0", "-8"},
		"eval_every: 2":    {"0", "-2"},
		"eval_tokens: 64":  {"0", "1073741825"},
		"long_context: 3":  {"-1", "1025"},
		"lr: {rwkv4: 2e-3, rnn: [1e-3, 2e-3]}": {"[]", "0", "-1e-3", "2", ".nan", "nan", "inf", "1e-400", "[1e-3, 0.001]", "{rwkv4: [], rnn: 1e-3}", "{rwkv4: 1e-3}",
			"{rwkv4: 1e-3, rnn: 1e-3, gru: 1e-3}", "{rwkv4: 1e-3, rnn: [1e-3, 1e-3]}", "~"},
		"slots: [att_x_prev]":    {"[]", "[att_x_prev, att_x_prev]", "[att_y_prev]", "~", "[\"\"]"},
		"than: [aa]":             {"[]", "[ab]"},
		"every: [1, 4]":          {"[]", "[0]", "[-1]", "[1, 1]", "[1048577]"},
		"check: [modes, linear]": {"[]", "[modes, modes]", "[mode]", "~"},
		"seeds: 1":               {"0", "-1", "1001"},
		"depth: [4]":             {"[]", "[4, 4]", "[-4]", "~"},
		"context: [8]":           {"[]", "[17]", "[0]"},
	} {
		key, _, _ := strings.Cut(old, ":")
		for _, value := range news {
			text := strings.Replace(sized, old, key+": "+value, 1)
			line := lineWith(sized, old)
			if old == "batch_tokens: 16" && value == "15" {
				line-- // the context does not fit
			}
			_, err := Parse("x.yaml", text)
			if err == nil || !strings.HasPrefix(err.Error(), "x.yaml:"+strconv.Itoa(line)+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %s on line %d: error %v", key, value, line, err)
			}
		}
	}
}

// TestSetIsChecked: so are the sizes of the command line.
func TestSetIsChecked(t *testing.T) {
	s := parse(t, sized)
	for _, set := range []string{"decode.depth=-1", "decode.depth=4,4", "decode.depth=", "decode.depth=,", "decode.rounds=0", "prefill.chunk=99999999999999999999",
		"train.context=32", "quality.lr=0", "quality.lr=nan", "quality.lr=1e-3,1e-3", "quality.steps=1e9", "decode.depth=[]", "quality.probes=[]",
		"seeds=0", "seeds=1001", "seeds=-1", "dim=8,8", "decode.rounds=~", "check.x=1"} {
		if _, err := s.resolve(Options{Profile: "quick", Set: []string{set}}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("--set %s: %v", set, err)
		}
	}
}

// TestClaimsAreChecked: a claim about what the study has with no profile is
// refused with its line.
func TestClaimsAreChecked(t *testing.T) {
	study := func(rule string) string {
		return sized + "claims:\n  - id: c\n    says: s\n    rules:\n      - {" + rule + "}\n"
	}
	for _, good := range []string{
		"kind: slope, part: sized, phase: decode, metric: state_bytes, arch: rwkv4, over: depth, below: 1",
		"kind: ratio, part: sized, phase: decode, metric: duration_per_token, arch: rwkv4, than: rnn, at: 16, below: 1",
		"kind: ratio, part: sized, phase: prefill, metric: tokens_per_second, arch: rwkv4, than: rnn, over: chunk, at: 16, above: 0.5, below: 1",
		"kind: difference, part: sized, phase: quality, metric: val_bits_per_byte, arch: rwkv4, than: rnn, below: 0",
		"kind: difference, part: sized, phase: quality, metric: long_context_gap, arch: rnn, below: 0",
		"kind: difference, part: sized, phase: quality, metric: \"probe:shift/4\", arch: rwkv4, above: 0",
		"kind: check, part: sized, phase: check, metric: linear, arch: rwkv4, below: 1e-4",
		"kind: check, part: sized, metric: modes, arch: rnn, below: 1e-4",
	} {
		parse(t, study(good))
	}
	slope := "kind: slope, part: sized, phase: decode, metric: state_bytes, arch: rwkv4, over: depth, below: 1"
	quality := "kind: difference, part: sized, phase: quality, metric: val_bits_per_byte, arch: rwkv4, than: rnn, below: 0"
	check := "kind: check, part: sized, metric: modes, arch: rnn, below: 1e-4"
	for _, c := range []struct{ rule, old, new, want string }{
		{slope, "kind: slope", "kind: sloop", `unknown kind of rule "sloop"`},
		{quality, "than: rnn", "than: rwkv4", "rwkv4 is compared with itself"},
		{slope, "part: sized", "part: huge", `no part "huge"`},
		{slope, "phase: decode", "phase: decoding", `no phase "decoding" (it has: check, decode, prefill, quality, train)`},
		{slope, "phase: decode, ", "", `no phase ""`},
		{slope, "state_bytes", "state_byte", `unknown metric "state_byte"`},
		{slope, "state_bytes", "val_bits_per_byte", "phase decode does not measure val_bits_per_byte"},
		{slope, "arch: rwkv4", "arch: rwkv5", `no model "rwkv5" (it has: rnn, rwkv4)`},
		{slope, "over: depth", "over: chunk", "axis depth"},
		{slope, "over: depth", "over: deep", "axis depth"},
		{slope, "over: depth", "than: rnn", "than is not used"},
		{slope, "over: depth", "at: 16", "at is not used"},
		{slope, "below: 1", "says: 1", "unknown field"},
		{slope, ", below: 1", "", "threshold"},
		{slope, "below: 1", "below: 1, above: 2", "nothing is above 2 and below 1"},
		{slope, "below: 1", "below: .inf", "not a number"},
		{slope, "below: 1", "below: nan", "not a number"},
		{slope, "below: 1", "below: 1e999", "not a number"},
		{slope, "kind: slope", "kind: ratio", "needs than"},
		{slope, "kind: slope", "kind: difference, at: 5", "depth 5 is not measured in part sized (it measures: 4 16)"},
		{slope, "kind: slope", "kind: difference, at: -4", "at: -4"},
		{quality, "than: rnn", "than: lstm", `no model "lstm"`},
		{quality, "than: rnn", "over: depth", "has no axis"},
		{quality, "kind: difference", "kind: slope", "has no axis"},
		{quality, "val_bits_per_byte", `"probe:shift/2"`, `does not measure probe:shift/2 (it measures: arena_bytes, long_context_gap, peak_rss_bytes, probe:shift/1, probe:shift/4,`},
		{quality, "val_bits_per_byte", `"probe:wkv/1"`, `does not measure probe:wkv/1`},
		{quality, "val_bits_per_byte", `"probe:"`, `does not measure probe: (`},
		{quality, "phase: quality", "phase: train", "does not measure"},
		{check, "modes", "scan", `no check "scan" (it has: linear, modes)`},
		{check, "modes", "linear", "linear does not apply to rnn"},
		{check, "kind: check", "kind: check, phase: decode", "one of the workloads check, quality, not"},
		{check, "kind: check", "kind: check, over: depth", "over is not used"},
	} {
		text := study(strings.Replace(c.rule, c.old, c.new, 1))
		_, err := Parse("x.yaml", text)
		if line := lineWith(study(""), "- {}"); err == nil || !strings.HasPrefix(err.Error(), "x.yaml:"+strconv.Itoa(line)+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not contain %q", text[strings.Index(text, "- {kind"):], err, c.want)
		}
	}
	refuse(t, study(slope)+"  - {id: c, says: t, rules: []}\n", "an id of its own")
	refuse(t, strings.Replace(study("kind: difference, part: sized, phase: quality, metric: long_context_gap, arch: rnn, below: 0"), "long_context: 3", "long_context: 2", 1), "does not measure long_context_gap")
}

const parted = `name: parted
corpus: grammar
parts:
  - name: a
    arch: [{use: rnn, dim: 8}]
    measure: {decode: {depth: [4]}}
  - name: b
    baseline: rnn
    arch:
      - {use: rnn, dim: 8}
      - use: gru
        dim: 8
    measure:
      decode: {depth: [4]}
claims:
  - {id: c, says: s, rules: [{kind: difference, part: b, phase: decode, metric: state_bytes, arch: gru, below: 1e9}]}
profiles:
  smoke: {b: {drop: true}}
  deep: {a: {decode: {depth: [64]}}, b: {arch: [{use: rnn, dim: 8}]}}
`

// TestPlacesInParts: faults are placed in the part, or in the profile that
// gives what is wrong, and a claim may be about what a profile leaves out.
func TestPlacesInParts(t *testing.T) {
	s := parse(t, parted)
	r, err := s.resolve(Options{Profile: "smoke"})
	if err != nil || len(r.Parts) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := read("run.json", r.YAML()); err != nil {
		t.Errorf("a run without a part that a claim is about cannot be resumed: %v", err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"baseline: rnn", "baseline: lstm", `x.yaml:8: part b: the baseline "lstm" is none of its models: gru, rnn`},
		{"use: gru", "use: grü", `x.yaml:11: part b: unknown architecture "grü"`},
		{"        dim: 8", "        dimm: 8", `x.yaml:11: part b: gru has no setting "dimm"`},
		{"use: gru", "use: rnn", `x.yaml:11: part b: two models`},
		{"      decode: {depth: [4]}\n", "      check: [modal]\n", `x.yaml:14: part b: check: unknown check "modal"`},
		{"      decode: {depth: [4]}\n", "      {}\n", `x.yaml:13: part b: nothing is measured`},
		{"name: b", "name: B", `x.yaml:7: part "B"`},
		{"name: b", "name: a", `x.yaml:7: part "a"`},
		{"smoke: {b: {", "smoke: {c: {", `x.yaml:18: profile smoke: there is no part "c"`},
		{"b: {arch: [{use: rnn,", "b: {arch: [{use: elman,", `x.yaml:19: part b: unknown architecture "elman"`},
		{"b: {arch: [{use: rnn,", "b: {arch: [{use: lstm,", `x.yaml:8: part b: the baseline "rnn"`},
		{"name: parted", "name: Parted", `x.yaml:1: name "Parted"`},
		{"corpus: grammar", "match: 0.1", `x.yaml:3: a study with parts`},
	} {
		refuse(t, strings.Replace(parted, c.old, c.new, 1), c.want)
	}
}

// TestHostileText: a text of the greatest size is read, or refused with its
// line, in no time.
func TestHostileText(t *testing.T) {
	full := func(head, each, end string) string {
		return head + strings.Repeat(each, (maxStudy-len(head)-len(end))/len(each)) + end
	}
	steps := func(each string) string {
		var out strings.Builder
		for i := 0; out.Len()+i+len(each) < maxStudy; i++ {
			out.WriteString(strings.Repeat(" ", i) + each)
		}
		return out.String()
	}
	keys := make([]string, 8000)
	for i := range keys {
		keys[i] = "k" + strconv.Itoa(i)
	}
	for name, text := range map[string]string{
		"literal": full("name: |", "\n", ""), "literal crlf": full("name: |", "\r\n", ""), "literal cr": full("name: |", "\r", ""),
		"folded": full("name: >", "\n", ""), "kept": full("name: |+", "\n", ""), "stripped": full("name: >-", "\n", ""),
		"literal spaces": full("name: |\n", "  \n", ""), "literal tabs": full("name: |\n  a\n", "  \t\n", ""), "literal words": full("name: |\n", "  a\n", ""),
		"literal gaps": full("name: |\n", "  a\n\n\n\n\n\n\n", ""), "literals": full("a:\n", "  - |\n    a\n", ""), "header": full("name: |", "9", ""),
		"plain": full("name: a", "\n", ""), "plain words": full("name: a\n", "  a\n", ""), "long line": full("name: ", "a ", ""),
		"quoted": full("name: \"", "\n", "\""), "quotes": full("name: ", "\"\" ", ""), "quote": full("name: '", "''", "'"), "unclosed": full("name: \"", "a\n", ""),
		"escapes": full("name: \"", "\\n", "\""), "backslashes": full("name: \"", "\\\n", ""),
		"comments": full("", "# a\n", "name: a"), "comment": full("# ", "a", "\nname: a"), "comments within": full("a:\n", "  # a\n", "  b: 1"),
		"keys": strings.Join(keys, ": 1\n") + ":", "same key": full("", "a: 1\n", ""), "flow keys": "a: {" + strings.Join(keys, ": 1, ") + ": 1}",
		"flow": full("seeds: [", "1, ", "]"), "commas": full("a: [", ",", "]"), "list": full("a:\n", "  - 1\n", ""), "empty items": full("a:\n", "-\n", ""),
		"dash chain": full("", "- ", ""), "question chain": full("", "? ", ""), "questions": full("", "? a\n", ""), "colon chain": full("", ": ", ""), "key chain": full("", "a: ", ""),
		"deep keys": steps("a:\n"), "deep dashes": steps("-\n"), "deep brackets": full("a: ", "[", ""), "open close": full("a: ", "[]", ""), "braces": full("a:\n", "- {}\n", ""),
		"closing": full("", "]\n", ""), "documents": full("", "---\n", ""), "ends": full("", "...\n", ""), "directives": full("", "%YAML 1.2\n", ""),
		"anchors": full("", "a: &a\n", ""), "aliases": full("a: [", "*a, ", "]"), "tags": full("", "!!str ", ""), "bangs": full("", "!", ""), "merges": full("", "<<: a\n", ""),
		"digits": full("seeds: ", "9", ""), "numbers": full("a: [", "99999999999999999999, ", "]"), "nul": full("", "\x00", ""), "bytes": full("", "\xff", ""), "tabs": full("", "\t\n", ""),
	} {
		begun := time.Now()
		_, err := Parse("x.yaml", text)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%s: takes %v", name, took)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "x.yaml:") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

// TestLoadRefuses: a study is a file or a pipe of bounded size.
func TestLoadRefuses(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, make([]byte, maxStudy+1), 0o666); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{large: "more than 65536 bytes", os.DevNull: "a device", t.TempDir(): "a folder"} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
