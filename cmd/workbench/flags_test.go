package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A flag that a mode does not use, two that contradict each other, and numbers
// that cannot be are mistakes of usage, each on a line that names them.
func TestFlags(t *testing.T) {
	dir := t.TempDir()
	model := saveModel(t, dir, "rwkv4", map[string]any{"dim": 8, "layers": 1, "vocab": 256})
	for _, c := range []struct{ args, says string }{
		{"bench kernels --arch rwkv4", "bench kernels does not use --arch"},
		{"bench kernels --batch 2", "bench kernels does not use --batch"},
		{"bench train --chunk 4", "bench train does not use --chunk"},
		{"bench decode --cascade", "bench decode does not use --cascade"},
		{"bench train --batch 4 --tokens 2048", "--batch 4 of 128 tokens each and --tokens 2048 contradict"},
		{"bench train --tokens 200", "--tokens 200 are not whole sequences of 128"},
		{"bench decode --arch rwkv4 --model " + model, "--model and --arch contradict"},
		{"bench train --context 0", "--context 0"},
		{"bench train --dtype q8_0", "--dtype q8_0"},
		{"bench decode --tokens 0", "--tokens 0"},
		{"bench decode --batch 0", "--batch 0"},
		{"bench decode --batch -1", "--batch -1"},
		{"bench decode --repeat 0", "--repeat 0"},
		{"bench decode --repeat -3", "--repeat -3"},
		{"bench decode --threads -1", "--threads -1"},
		{"bench decode --threads 100000", "--threads 100000"},
		{"bench decode --context 9223372036854775807", "--context 9223372036854775807"},
		{"run --resume " + dir + " --seed 3", "run --resume does not use --seed"},
		{"run --resume " + dir + " article", `"article"`},
		{"run --seed 0", "--seed 0"},
		{"run --threads 100000", "--threads 100000"},
		{"train --resume " + dir + " --steps 3", "train --resume does not use --steps"},
		{"train --threads -1", "--threads -1"},
		{"train --steps -1", "--steps -1"},
		{"train --batch 0", "--batch 0"},
		{"train --context -5", "--context -5"},
		{"train --warmup -2", "--warmup -2"},
		{"train --min-lr -1", "--min-lr -1"},
		{"train --min-lr NaN", "--min-lr NaN"},
		{"train --lr NaN", "NaN"},
		{"train --dropout NaN", "NaN"},
		{"train --clip -1", "clip"},
		{"train --held-out 0", "--held-out 0"},
		{"train --held-out NaN", "--held-out NaN"},
		{"train --accumulate 0", "--accumulate 0"},
		{"train --val-tokens 0", "--val-tokens 0"},
		{"train --mix 1,2 --corpus go", "one --corpus"},
		{"train --mix 1,2", "--mix does nothing without --corpus"},
		{"train --schedule constant --min-lr 0.1", "--min-lr and --schedule constant"},
		{"train --patience 3 --val-every 0", "--patience"},
		{"train --context-steps 5", "--context-steps does nothing without --context-from"},
		{"train --context-from 16", "--context-from does nothing without --context-steps"},
		{"generate --model " + model + " --tokens -1", "--tokens -1"},
		{"generate --model " + model + " --batch 0", "--batch 0"},
		{"generate --model " + model + " --temperature NaN", "--temperature"},
		{"generate --model " + model + " --temperature -1", "--temperature"},
		{"generate --model " + model + " --temperature +Inf", "--temperature"},
		{"generate --model " + model + " --top-p 2", "--top-p"},
		{"generate --model " + model + " --top-k -1", "--top-k"},
		{"generate --model " + model + " --temperature 0 --top-p 0.5", "--top-p"},
		{"generate --model " + model + " --penalty-decay 0.5", "--penalty-decay does nothing"},
		{"eval --model " + model + " --context 0", "--context 0"},
		{"eval --model " + model + " --batch -1", "--batch -1"},
		{"eval --model " + model + " --tokens -1", "--tokens -1"},
		{"logits --model " + model + " --tokens 1 --chunk -5", "--chunk -5"},
	} {
		out, _, err := call(strings.Fields(c.args)...)
		if err == nil {
			t.Errorf("%s: no error, printed %q", c.args, out)
		} else if status(err) != 2 || !strings.Contains(oneLine(err), c.says) || out != "" {
			t.Errorf("%s: status %d, want 2; says %q, want %q; printed %q", c.args, status(err), oneLine(err), c.says, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, jobFile), []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := call("report", "--format", "csv", dir); err == nil || status(err) != 2 || !strings.Contains(err.Error(), "not as csv") {
		t.Errorf("a training run as csv: %v", err)
	}
}

// Every flag of a command is used by some mode of it, and no mode names one
// that there is not.
func TestModes(t *testing.T) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	benchCommand.setup(fs)
	used := map[string]bool{}
	for kind := range benchUses {
		m, _ := benchMode(nil, []string{kind})
		for _, name := range m.uses {
			used[name] = true
			if fs.Lookup(name) == nil {
				t.Errorf("%s uses --%s, which there is not", m.name, name)
			}
		}
	}
	fs.VisitAll(func(f *flag.Flag) {
		if !used[f.Name] {
			t.Errorf("no kind of bench uses --%s", f.Name)
		}
	})
	for _, c := range commands {
		fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.setup(fs)
		for _, r := range c.rules {
			for _, name := range append([]string{r.flag}, r.other...) {
				if fs.Lookup(name) == nil {
					t.Errorf("a rule of %s is about --%s, which there is not", c.name, name)
				}
			}
		}
	}
}

// The number of sequences is --batch, in training too.
func TestBenchBatch(t *testing.T) {
	for args, want := range map[string]string{
		"bench train --batch 3 --context 8":               "B=3 T=8",
		"bench train --batch 3 --context 8 --tokens 24":   "B=3 T=8",
		"bench train --tokens 32 --context 8":             "B=4 T=8",
		"bench train --tokens 24":                         "B=1 T=24",
		"bench layer --batch 2 --context 8":               "B=2 T=8 C=16",
		"bench prefill --batch 2 --tokens 8":              "B=2 T=8",
		"bench prefill --batch 2 --tokens 8 --context 16": "B=2 T=8 after=16",
		"bench decode --batch 2 --context 4 --tokens 2":   "B=2",
	} {
		out, _, err := call(append(strings.Fields(args), "--set", "dim=16,layers=1", "--repeat", "1", "--format", "json")...)
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if got := rowsOf(t, out)[0].Shape; got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}

// What memory cannot hold is a failure on one line that says what to change,
// before any of it is taken.
func TestTooLarge(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory that is free is known on Linux")
	}
	dir := t.TempDir()
	model := saveModel(t, dir, "rwkv4", map[string]any{"dim": 8, "layers": 1, "vocab": 256})
	attention := saveModel(t, dir, "transformer", map[string]any{"dim": 8, "layers": 1, "heads": 1, "vocab": 256, "positions": "rotary"})
	study := filepath.Join(dir, "large.yaml")
	text := "name: large\narch:\n  - {use: llama, dim: 512}\nmeasure:\n  decode: {depth: [1048576], batch: 4096}\n"
	if err := os.WriteFile(study, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, says string }{
		{"bench decode --set dim=1000000", "smaller dim"},
		{"bench decode --set dim=16777216,layers=16777216,vocab=16777216", "smaller dim"},
		{"bench train --arch lstm --set layers=16777216,dim=1 --batch 1 --context 1", "fewer layers"},
		{"bench decode --arch llama --context 100000000 --batch 4096", "smaller --context or --batch"},
		{"bench prefill --arch rnn --tokens 1000000000000", "smaller --tokens"},
		{"bench train --batch 1000000000", "--batch"},
		{"bench layer --batch 1000000000", "--batch"},
		{"train --arch gru --set dim=1000000 --corpus grammar --out " + filepath.Join(dir, "a"), "smaller dim"},
		{"train --batch 100000000 --corpus grammar --out " + filepath.Join(dir, "b"), "smaller --batch"},
		{"eval --model " + model + " --corpus grammar --batch 1000000000000", "smaller --context or --batch"},
		{"generate --model " + attention + " --prompt a --tokens 1000000000000", "fewer --tokens"},
		{"logits --model " + model + " --tokens 1 --set dim=1000000", "the configuration asks for more than"},
		{"convert --in " + model + " --out " + filepath.Join(dir, "c") + " --set layers=1000000", "the configuration asks for more than"},
		{"run " + study + " --out " + filepath.Join(dir, "d"), "decode.depth"},
	} {
		_, _, err := call(strings.Fields(c.args)...)
		if err == nil {
			t.Errorf("%s: no error", c.args)
		} else if status(err) != 1 || !strings.Contains(oneLine(err), c.says) {
			t.Errorf("%s: status %d, want 1; says %q, want %q", c.args, status(err), oneLine(err), c.says)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "[a-d]")); err != nil || left != nil {
		t.Errorf("folders were made: %v, %v", left, err)
	}
}

// full is a writer that cannot.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// Output that cannot be written is an error of every command.
func TestOutputThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	model := saveModel(t, dir, "rwkv4", map[string]any{"dim": 8, "layers": 1, "vocab": 256})
	for _, c := range commands {
		if err := run([]string{c.name, "--help"}, full{}, io.Discard); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s --help: %v", c.name, err)
		}
	}
	for _, args := range []string{"--help", "help", "list", "list --json", "show article", "doctor",
		"bench kernels ^sum_squares --repeat 1 --threads 1", "bench decode --set dim=8,layers=1 --repeat 1 --format table",
		"bench decode --set dim=8,layers=1 --repeat 1 --format json", "bench decode --set dim=8,layers=1 --repeat 1 --format bench",
		"logits --model " + model + " --tokens 1,2", "generate --model " + model + " --tokens 3", "generate --model " + model + " --tokens 3 --json",
		"eval --model " + model + " --corpus grammar --tokens 100",
		"train --arch rnn --set dim=4,layers=1 --corpus grammar --steps 1 --batch 1 --context 4 --val-tokens 8 --out " + filepath.Join(dir, "t"),
		"report --format png " + filepath.Join(dir, "t"),
	} {
		err := run(strings.Fields(args), full{}, io.Discard)
		if !errors.Is(err, syscall.ENOSPC) || status(err) != 1 || strings.Count(err.Error(), "no space left") != 1 {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// A panic ends in one line.
func TestFault(t *testing.T) {
	defer func(before []command) { commands = before }(commands)
	commands = []command{{name: "break", setup: func(*flag.FlagSet) body {
		return func([]string, output) error { panic("at the seams") }
	}}}
	for _, trace := range []string{"", "1"} {
		t.Setenv(traceKey, trace)
		_, stderr, err := call("break")
		if err == nil || status(err) != 1 || !strings.Contains(err.Error(), "internal error: at the seams") || strings.Contains(stderr, "goroutine") != (trace != "") {
			t.Errorf("%q: %v, %q", trace, err, stderr)
		}
	}
}
