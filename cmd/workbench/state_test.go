package main

import (
	"encoding/json"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
	"workbench/arch/settings"
)

// small is a configuration that every architecture builds.
var small = map[string]any{"dim": 16, "layers": 2, "vocab": 256}

// sampled calls generate --json and returns the tokens of every sample.
func sampled(t *testing.T, args ...string) (samples [][]int32) {
	t.Helper()
	out, _, err := call(append([]string{"generate", "--json"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		var s sampleLine
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.Sample != len(samples) {
			t.Fatalf("%v: %s", err, line)
		}
		samples = append(samples, s.Tokens)
	}
	return samples
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	return err == nil && slices.Equal(x, y)
}

// TestStateGoesOn: some tokens, the state saved and restored, and the rest are
// the same as all in one go, to the bit: the tokens and the state at the end.
func TestStateGoesOn(t *testing.T) {
	for _, name := range append(arch.Names(), "llama window=5", "llama cache=f16", "transformer cache=bf16,window=5", "transformer cache=none") {
		dir, config := t.TempDir(), maps.Clone(small)
		arch, more, _ := strings.Cut(name, " ")
		with, err := settings.Parse(more)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(config, with)
		model := saveModel(t, dir, arch, config)
		file := func(s string) string { return filepath.Join(dir, s) }
		for what, flags := range map[string][]string{
			"greedy":  {"--temperature", "0"},
			"sampled": {"--seed", "7", "--top-p", "0.9", "--repeat-penalty", "1.3", "--presence-penalty", "0.4", "--frequency-penalty", "0.2"},
			"batch":   {"--seed", "8", "--top-k", "50"},
		} {
			first := append([]string{"--model", model}, flags...)
			next := slices.Clone(first)
			if i := slices.Index(next, "--seed"); i >= 0 {
				next = slices.Delete(next, i, i+2) // the random numbers go on, too
			}
			if what == "batch" {
				first = append(first, "--batch", "3")
			}
			whole := sampled(t, append(first, "--prompt", "one go", "--tokens", "13", "--state-out", file("whole"))...)
			part := sampled(t, append(first, "--prompt", "one go", "--tokens", "5", "--state-out", file("part"))...)
			none := sampled(t, append(next, "--tokens", "0", "--state-in", file("part"), "--state-out", file("same"))...)
			rest := sampled(t, append(next, "--tokens", "8", "--state-in", file("same"), "--state-out", file("rest"))...)
			if want := map[string]int{"batch": 3}[what]; len(whole) != max(1, want) || len(none[0]) != 0 {
				t.Errorf("%s, %s: %d samples, %d tokens", name, what, len(whole), len(none[0]))
				continue
			}
			for b := range whole {
				if !slices.Equal(whole[b], slices.Concat(part[b], rest[b])) {
					t.Errorf("%s, %s: sample %d is %v in one go, %v and %v in two", name, what, b, whole[b], part[b], rest[b])
				}
			}
			if !sameFile(t, file("part"), file("same")) || !sameFile(t, file("whole"), file("rest")) {
				t.Errorf("%s, %s: the states differ", name, what)
			}
			if what == "batch" && slices.Equal(whole[0], whole[1]) {
				t.Errorf("%s: two samples are the same", name)
			}
		}
		// a conversation: what is asked next is read after the state
		sampled(t, "--model", model, "--prompt", "ab", "--tokens", "0", "--state-out", file("ab"))
		var asked, known []float64
		logits(t, &asked, "--model", model, "--tokens", "99", "--state-in", file("ab"))
		logits(t, &known, "--model", model, "--tokens", "97,98,99", "--chunk", "2")
		if d := distance([][]float64{asked}, [][]float64{known}); d != 0 {
			t.Errorf("%s: after a restored state the logits differ by %g", name, d)
		}
		// one state for several samples
		if many := sampled(t, "--model", model, "--state-in", file("ab"), "--batch", "2", "--tokens", "20", "--seed", "3"); len(many) != 2 || slices.Equal(many[0], many[1]) {
			t.Errorf("%s: from one state: %v", name, many)
		}
	}
}

// TestStateOfAnother: states that do not belong to the model are refused.
func TestStateOfAnother(t *testing.T) {
	dir := t.TempDir()
	model := saveModel(t, dir, "rwkv4", small)
	state, bad := filepath.Join(dir, "state"), filepath.Join(dir, "bad")
	sampled(t, "--model", model, "--prompt", "x", "--tokens", "3", "--state-out", state)
	refused := func(model, path, want string) {
		t.Helper()
		for _, args := range [][]string{{"generate"}, {"logits", "--tokens", "1"}} {
			_, _, err := call(append(args, "--model", model, "--state-in", path)...)
			if err == nil || !strings.Contains(oneLine(err), want) || !strings.Contains(err.Error(), path) || status(err) != 1 {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
	other := t.TempDir()
	refused(saveModel(t, other, "rnn", small), state, `"rwkv4.safetensors", and not of `+filepath.Join(other, "rnn"))
	refused(saveModel(t, other, "rwkv4", map[string]any{"dim": 32, "layers": 2, "vocab": 256}), state, "its configuration differs")
	refused(changed(t, model, other), state, "its weights differ")
	refused(model, model, "not a saved state")
	refused(model, filepath.Join(dir, "absent"), "absent")
	two := filepath.Join(dir, "two")
	sampled(t, "--model", model, "--prompt", "x", "--tokens", "1", "--batch", "2", "--state-out", two)
	if _, _, err := call("generate", "--model", model, "--state-in", two, "--batch", "3"); err == nil || status(err) != 2 || !strings.Contains(err.Error(), "2 sequences, not 3") {
		t.Error(err)
	}
	if _, _, err := call("logits", "--model", model, "--state-in", two, "--tokens", "1"); err == nil || !strings.Contains(err.Error(), "2 sequences") {
		t.Error(err)
	}
	for want, change := range map[string]func(meta map[string]string, list map[string]*nn.Tensor){
		"in version":                       func(m map[string]string, _ map[string]*nn.Tensor) { m[stateKey] = "2" },
		"\"batch\" is \"0\"":               func(m map[string]string, _ map[string]*nn.Tensor) { m[stateBatchKey] = "0" },
		"65536 sequences need":             func(m map[string]string, _ map[string]*nn.Tensor) { m[stateBatchKey] = "65536" },
		"\"tokens\" is \"-1\"":             func(m map[string]string, _ map[string]*nn.Tensor) { m[stateReadKey] = "-1" },
		"no state of the random numbers":   func(m map[string]string, _ map[string]*nn.Tensor) { m["random.0"] = "AAAA" },
		"\"state.0.pp\" is missing":        func(_ map[string]string, l map[string]*nn.Tensor) { delete(l, "state.0.pp") },
		"\"state.1.att_x_prev\" has shape": func(_ map[string]string, l map[string]*nn.Tensor) { l["state.1.att_x_prev"] = nn.New(1, 15) },
		"\"hidden\" has shape":             func(_ map[string]string, l map[string]*nn.Tensor) { l["hidden"] = nn.New(1, 2, 8) },
		"holds NaN at place 3": func(_ map[string]string, l map[string]*nn.Tensor) {
			l["state.0.att_x_prev"].Data[3] = float32(math.NaN())
		},
		"a state of this model has": func(_ map[string]string, l map[string]*nn.Tensor) { l["more"] = nn.New(1) },
		"none of 256":               func(_ map[string]string, l map[string]*nn.Tensor) { l["seen.0"].Data[0] = 256 },
		"token 0.5":                 func(_ map[string]string, l map[string]*nn.Tensor) { l["seen.0"].Data[0] = 0.5 },
		"occurs twice":              func(_ map[string]string, l map[string]*nn.Tensor) { l["seen.0"].Data[1] = l["seen.0"].Data[0] },
		"drawn -1 times":            func(_ map[string]string, l map[string]*nn.Tensor) { l["times.0"].Data[0] = -1 },
	} {
		rewrite(t, state, bad, change)
		refused(model, bad, want)
	}
}

// TestCacheState: the positions of a cache belong together, and fit the model.
func TestCacheState(t *testing.T) {
	dir := t.TempDir()
	model := saveModel(t, dir, "transformer", map[string]any{"dim": 16, "layers": 2, "vocab": 256, "heads": 2, "context": 12})
	state, bad := filepath.Join(dir, "state"), filepath.Join(dir, "bad")
	sampled(t, "--model", model, "--prompt", "abcd", "--tokens", "3", "--state-out", state)
	for want, change := range map[string]func(meta map[string]string, list map[string]*nn.Tensor){
		"\"state.1.v\" has shape [6 1 16]": func(_ map[string]string, l map[string]*nn.Tensor) { l["state.1.v"] = nn.New(6, 1, 16) },
		"7 positions after 6 tokens":       func(m map[string]string, _ map[string]*nn.Tensor) { m[stateReadKey] = "6" },
		"13 tokens are more than the":      func(m map[string]string, _ map[string]*nn.Tensor) { m[stateReadKey] = "13" },
	} {
		rewrite(t, state, bad, change)
		if _, _, err := call("generate", "--model", model, "--state-in", bad, "--tokens", "1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	window := saveModel(t, t.TempDir(), "llama", map[string]any{"dim": 16, "layers": 2, "vocab": 256, "heads": 2, "kv_heads": 1, "window": 4})
	sampled(t, "--model", window, "--prompt", "abcd", "--tokens", "3", "--state-out", bad)
	rewrite(t, bad, bad, func(_ map[string]string, l map[string]*nn.Tensor) { l["state.1.seen"].Data[1] = -1e30 })
	if _, _, err := call("generate", "--model", window, "--state-in", bad, "--tokens", "1"); err == nil || !strings.Contains(err.Error(), "after 7 tokens") {
		t.Error(err)
	}
	for set, c := range map[string]struct {
		slot string
		to   float32
		says string
	}{"none": {"state.tokens", 256, "no token of 256"}, "f16": {"state.0.k", 1e6, "is no f16"}, "bf16": {"state.1.v", 1.01, "is no bf16"}} {
		sampled(t, "--model", model, "--set", "cache="+set, "--prompt", "abcd", "--tokens", "3", "--state-out", bad)
		rewrite(t, bad, bad, func(_ map[string]string, l map[string]*nn.Tensor) { l[c.slot].Data[2] = c.to })
		if _, _, err := call("generate", "--model", model, "--set", "cache="+set, "--state-in", bad, "--tokens", "1"); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("cache %s: %v", set, err)
		}
	}
	if _, _, err := call("generate", "--model", model, "--state-in", state, "--tokens", "6"); err == nil || !strings.Contains(err.Error(), "--tokens 5") {
		t.Error(err)
	}
	if got := sampled(t, "--model", model, "--state-in", state, "--tokens", "5"); len(got[0]) != 5 {
		t.Error(got)
	}
}

// rewrite saves a state file again with something changed.
func rewrite(t *testing.T, from, to string, change func(meta map[string]string, list map[string]*nn.Tensor)) {
	t.Helper()
	f, err := checkpoint.OpenTensors(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensors := map[string]*nn.Tensor{}
	for _, name := range f.Names() {
		x, err := f.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors[name] = &nn.Tensor{Shape: f.Shape(name), Data: x}
	}
	change(f.Metadata, tensors)
	var list checkpoint.Named
	for name, x := range tensors {
		list = append(list, nn.Param{Name: name, Tensor: x})
	}
	if err := checkpoint.Save(to, list, f.Metadata); err != nil {
		t.Fatal(err)
	}
}

// changed is a copy of a model file, one weight another.
func changed(t *testing.T, path, dir string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-2] ^= 1
	to := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(to, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return to
}

// FuzzState: whatever a state file holds, an error or a state that the model
// can go on from.
func FuzzState(f *testing.F) {
	dir := f.TempDir()
	m, _, err := arch.New("transformer", map[string]any{"dim": 4, "layers": 1, "vocab": 5, "heads": 1, "context": 6, "ffn": 4}, 1)
	if err != nil {
		f.Fatal(err)
	}
	model := &fileModel{Model: m, path: "model", config: map[string]any{"dim": 4.0}, weights: &checkpoint.Weights{Arch: "transformer"}}
	mem := newMemory(m, 2, &sampling{}, 1)
	path := filepath.Join(dir, "seed")
	for _, ids := range [][]int32{nil, {1, 2}} {
		if err := mem.see(f.Context(), nn.Inference(), m, ids, newProgress(io.Discard)); err != nil {
			f.Fatal(err)
		}
		if err := saveMemory(path, model, mem); err != nil {
			f.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		mem, err := loadMemory(path, model, &sampling{})
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Fatalf("a long error: %v", err)
			}
			return
		}
		if model.fits([]int32{1}, mem.read) == nil {
			mem.step(nn.Inference(), m, nn.Tokens{IDs: make([]int32, mem.B), B: mem.B, T: 1})
		}
	})
}
