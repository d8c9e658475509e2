package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/checkpoint"
	"workbench/arch/settings"
	"workbench/experiments"
)

// call runs a command line.
func call(args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	err = run(args, &out, &errs)
	return out.String(), errs.String(), err
}

func TestHelp(t *testing.T) {
	for _, c := range commands {
		out, _, err := call(c.name, "--help")
		if err != nil {
			t.Errorf("%s --help: %v", c.name, err)
		}
		for _, want := range []string{"Usage: workbench " + c.name, c.short, "Example:\n  workbench " + c.name} {
			if !strings.Contains(out, want) {
				t.Errorf("%s --help lacks %q:\n%s", c.name, want, out)
			}
		}
	}
	out, _, err := call("--help")
	for _, name := range known() {
		if err != nil || !strings.Contains(out, "\n  "+name+" ") {
			t.Errorf("--help does not list %s: %v", name, err)
		}
	}
	if strings.Contains(out, "cell") {
		t.Error("--help lists the hidden command cell")
	}
}

func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	gpt := saveModel(t, dir, "transformer", map[string]any{"dim": 16, "layers": 1, "heads": 2, "vocab": 20, "context": 4})
	whole, err := os.ReadFile(gpt)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.safetensors")
	if err := os.WriteFile(cut, whole[:len(whole)-100], 0o666); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(dir, "absent")
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 2, "no command"},
		{"nonsense", 2, "known: run, list, show, report, logits, verify, train, eval, generate, convert, bench, doctor"},
		{"list --nonsense", 2, "--nonsense"},
		{"list --json more", 2, "more"},
		{"run --profile huge", 2, "smoke, quick, full"},
		{"run --seed x", 2, "seed"},
		{"run one two", 2, "two"},
		{"run --threads -1", 2, "--threads"},
		{"run --out x --profile medium token-shift", 2, "smoke, quick, full"},
		{"run " + absent + ".yaml", 1, "absent.yaml"},
		{"run --resume " + absent, 1, "absent"},
		{"run --resume " + dir, 1, "start it again with --out " + dir},
		{"run --profile smoke --resume " + dir, 2, "leave out --profile"},
		{"run token-shift --resume " + dir, 2, "leave out \"token-shift\""},
		{"bench", 2, "kernels, prefill, decode, train"},
		{"bench speed", 2, "kernels, prefill, decode, train"},
		{"bench decode rwkv4", 2, `unexpected argument "rwkv4"`},
		{"bench decode --dtype f64", 2, "q4_0"},
		{"bench decode --format xml", 2, "table, json, bench"},
		{"bench decode --repeat 0", 2, "--repeat"},
		{"bench decode --arch rwkv9", 2, "rwkv4"},
		{"bench decode --set depth=3", 2, "depth"},
		{"bench decode --model " + cut, 1, "cut.safetensors"},
		{"bench decode --context 9 --model " + gpt, 1, "limit of 4 positions"},
		{"bench train --dtype q8_0", 2, "--dtype q8_0"},
		{"bench decode --chunk 4", 2, "bench decode does not use --chunk"},
		{"bench prefill --cascade", 2, "--chunk"},
		{"bench prefill --chunk 4 --batch 2", 1, "--batch"},
		{"bench kernels (", 2, "regular expression"},
		{"bench kernels nothing-like-it", 1, "workbench list"},
		{"show", 2, "article"},
		{"show nonsense", 1, "article"},
		{"report", 2, "folder"},
		{"report " + absent, 1, "absent"},
		{"report --format gif " + dir, 2, "gif"},
		{"report " + dir, 1, "holds no run: there is no run.json in it"},
		{"logits --tokens 1", 2, "--model"},
		{"logits --model " + gpt + " --tokens 1,x", 2, `"x"`},
		{"logits --model " + gpt + " --tokens 1,-2", 2, `"-2"`},
		{"logits --model " + gpt + " --tokens 1 --chunk -1", 2, "--chunk"},
		{"logits --model " + gpt + " --tokens 1,2,20", 1, "token 20 (number 3) is outside the model's vocabulary of 20"},
		{"logits --model " + gpt + " --tokens 1,2,3,4,5", 1, "5 tokens are more than the model's 4 positions"},
		{"logits --model " + gpt + " --tokens 1 --set nonsense=3", 1, "nonsense"},
		{"logits --model " + cut + " --tokens 1", 1, "cut.safetensors"},
		{"logits --model " + absent + " --tokens 1", 1, "absent"},
		{"convert --in " + gpt, 2, "--out"},
		{"convert --in " + gpt + " --out x --dtype q3", 2, "q4_0"},
		{"convert --in " + gpt + " --out x --set a", 2, "key=value"},
		{"convert --in " + cut + " --out " + absent, 1, "cut.safetensors"},
		{"convert --in " + gpt + " --out " + filepath.Join(absent, "x"), 1, "no such file"},
		{"verify", 2, "golden"},
		{"verify --impl abacus " + dir, 2, "abacus"},
		{"verify " + absent, 1, "absent"},
		{"verify " + dir, 1, "no golden case"},
		{"doctor now", 2, "now"},
	} {
		out, _, err := call(strings.Fields(c.args)...)
		if err == nil {
			t.Errorf("%s: no error, printed %q", c.args, out)
			continue
		}
		if status(err) != c.status || !strings.Contains(oneLine(err), c.says) {
			t.Errorf("%s: status %d, want %d; says %q, want %q", c.args, status(err), c.status, oneLine(err), c.says)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ args, positional, out string }{
		{"a b", "a b", ""},
		{"--out x a", "a", "x"},
		{"a --out x b", "a b", "x"},
		{"a b --out=x", "a b", "x"},
		{"a -- --out b", "a --out b", ""},
		{"-- a", "a", ""},
	} {
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		fs.SetOutput(io.Discard)
		out := fs.String("out", "", "")
		got, err := parse(fs, strings.Fields(c.args))
		if err != nil || strings.Join(got, " ") != c.positional || *out != c.out {
			t.Errorf("%q: %q with --out %q, %v", c.args, got, *out, err)
		}
	}
}

func TestCommandLine(t *testing.T) {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	setupRun(fs)
	args, err := parse(fs, []string{"--set", "dim=64,128", "my study.yaml", "--set", "seeds=2", "--seed", "7", "--out", "x"})
	if err != nil {
		t.Fatal(err)
	}
	want := "workbench run --seed 7 --set dim=64,128 --set seeds=2 'my study.yaml'"
	if got := commandLine(fs, args); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := quote("it's"); got != `'it'\''s'` {
		t.Errorf("quote: %s", got)
	}
}

func TestListJSON(t *testing.T) {
	out, _, err := call("list", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var got inventory
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	var archs []string
	for _, a := range got.Architectures {
		archs = append(archs, a.Name)
		if !slices.ContainsFunc(a.Options, func(o settings.Option) bool { return o.Key == "dim" && o.Doc != "" }) {
			t.Errorf("%s has no documented option dim", a.Name)
		}
	}
	if !slices.Equal(archs, arch.Names()) || !slices.Contains(archs, "rwkv7") {
		t.Errorf("architectures %v, known %v", archs, arch.Names())
	}
	if len(got.Studies) != len(experiments.Catalog()) || got.Studies[0].Question == "" {
		t.Errorf("studies %v", got.Studies)
	}
	for name, n := range map[string]int{"corpora": len(got.Corpora), "kernels": len(got.Kernels), "meters": len(got.Meters)} {
		if n == 0 {
			t.Errorf("no %s", name)
		}
	}
}

func TestListText(t *testing.T) {
	out, _, err := call("list")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{defaultStudy, "token_shift", "learned|fixed|none", "generic", "state_bytes", "grammar"} {
		if !strings.Contains(out, want) {
			t.Errorf("list lacks %q:\n%s", want, out)
		}
	}
}

func TestShowIsAStudy(t *testing.T) {
	for _, name := range experiments.Catalog() {
		out, _, err := call("show", name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := experiments.Parse("shown.yaml", out)
		if err != nil || s.Name != name {
			t.Errorf("show %s does not parse back: %v", name, err)
		}
	}
}

// saveModel writes a small model with random weights and returns its path.
func saveModel(t *testing.T, dir, name string, config map[string]any) string {
	t.Helper()
	m, resolved, err := arch.New(name, config, 1)
	if err != nil {
		t.Fatal(err)
	}
	archtest.Jitter(m, 1)
	b, err := json.Marshal(resolved)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name+".safetensors")
	if err := checkpoint.Save(path, m, map[string]string{"arch": name, "config": string(b)}); err != nil {
		t.Fatal(err)
	}
	return path
}

// logits calls the command and decodes its answer into v.
func logits(t *testing.T, v any, args ...string) {
	t.Helper()
	out, _, err := call(append([]string{"logits"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	answer := struct{ Logits any }{v}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatal(err)
	}
}

func TestLogits(t *testing.T) {
	for _, name := range arch.Names() {
		path := saveModel(t, t.TempDir(), name, map[string]any{"dim": 16, "layers": 2, "vocab": 20})
		var last []float64
		var all, chunks [][]float64
		logits(t, &last, "--model", path, "--tokens", "3,1,4,1,5")
		logits(t, &all, "--tokens", "3,1,4,1,5", "--all", "--model", path)
		logits(t, &chunks, "--tokens", "3,1,4,1,5", "--all", "--chunk", "2", "--model", path)
		if len(all) != 5 || len(all[0]) != 20 || !slices.Equal(last, all[4]) {
			t.Errorf("%s: %d rows; the last row of --all is not the answer without it", name, len(all))
			continue
		}
		if d := distance(all, chunks); d > 1e-4 {
			t.Errorf("%s: --chunk 2 differs by %g", name, d)
		}
		if d := distance(all[:1], all[1:2]); d < 1e-3 {
			t.Errorf("%s: different tokens give the same logits", name)
		}
	}
}

func distance(a, b [][]float64) float64 {
	worst := 0.0
	for i := range a {
		for j := range a[i] {
			worst = max(worst, math.Abs(a[i][j]-b[i][j]))
		}
	}
	return worst
}

// goldenDir is a golden case beside the repository.
func goldenDir(t *testing.T, name string) string {
	t.Helper()
	data := archtest.Shared()
	if data == "" {
		t.Skip("golden data is not here: ../shared/data beside the repository")
	}
	return filepath.Join(data, "golden", name)
}

// TestLogitsGolden: the command gives the logits of every golden model, in
// whatever file it is and in whatever pieces it reads.
func TestLogitsGolden(t *testing.T) {
	cases, err := filepath.Glob(filepath.Join(goldenDir(t, ""), "*", "golden.safetensors"))
	if err != nil || len(cases) == 0 {
		t.Fatal(err)
	}
	for _, path := range cases {
		f, err := checkpoint.OpenTensors(path)
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := f.Int64("tokens")
		if err != nil {
			t.Fatal(err)
		}
		want, err := f.Float64("logits")
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		var c struct {
			Dims struct {
				Heads int `json:"n_head"`
			}
			Tolerance struct {
				Float32 struct {
					Logits float64 `json:"logits_abs"`
				} `json:"float32_implementation"`
			} `json:"tolerance_advice"`
		}
		b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "case.json"))
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err != nil {
			t.Fatal(err)
		}
		list := strings.ReplaceAll(strings.Trim(fmt.Sprint(tokens), "[]"), " ", ",")
		models, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "model.*"))
		for _, model := range models {
			args := []string{"--all", "--tokens", list, "--model", model}
			if strings.Contains(model, "nanogpt") {
				args = append(args, "--set", fmt.Sprintf("heads=%d", c.Dims.Heads)) // its file does not say it
			}
			for _, chunk := range []string{"0", "1", "7"} {
				var got [][]float64
				logits(t, &got, append(args, "--chunk", chunk)...)
				if d := distance([][]float64{slices.Concat(got...)}, [][]float64{want}); !(d <= c.Tolerance.Float32.Logits) {
					t.Errorf("%s, chunk %s: logits differ by %g, more than %g", model, chunk, d, c.Tolerance.Float32.Logits)
				}
			}
		}
	}
}

// TestVerifyAll holds every kind of case, files of ggml's types and containers,
// tokenisers and tasks among them, under every implementation.
func TestVerifyAll(t *testing.T) {
	data := filepath.Dir(filepath.Dir(goldenDir(t, "rwkv4")))
	if testing.Short() {
		t.Skip("short")
	}
	out, _, err := call("verify", filepath.Join(data, "golden"), filepath.Join(data, "rwkv.cpp"), "--data", data)
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, `"pass":false`) {
			t.Error(line)
		}
	}
	if err != nil || !strings.Contains(out, `"case":"gguf_blocks"`) {
		t.Errorf("%v", err)
	}
}

func TestVerifyGolden(t *testing.T) {
	dir := goldenDir(t, "rwkv4")
	out, _, err := call("verify", dir, "--impl", "generic")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var r archtest.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Case != "rwkv4" || !r.Pass || r.Impl != "generic" || len(r.Skipped) > 0 || r.MaxAbs["logits"] == 0 {
		t.Errorf("%s", out)
	}
	if _, ok := r.MaxAbs["train_loss"]; !ok {
		t.Errorf("the trajectory of train.json is not compared: %s", out)
	}

	broken := filepath.Join(t.TempDir(), "rwkv4")
	if err := os.CopyFS(broken, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(broken, "golden.safetensors")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(b) / 2; i < len(b)/2+4000; i++ {
		b[i] ^= 0x40
	}
	os.Chmod(path, 0o666)
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	out, _, err = call("verify", filepath.Dir(broken), "--impl", "generic")
	if err == nil || status(err) != 1 || !strings.Contains(out, `"pass":false`) {
		t.Errorf("a changed reference passes: %v %s", err, out)
	}
}
