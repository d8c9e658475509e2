package main

import (
	"encoding/json"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
)

// Every architecture is timed in every workload, and the ceiling is that of its
// work.
func TestBenchModels(t *testing.T) {
	for _, name := range arch.Names() {
		for _, c := range []struct{ kind, dtype, ceiling string }{
			{"prefill", "q8_0", "fma_peak"}, {"decode", "q4_0", "read_bandwidth"}, {"train", "f32", "fma_peak"},
		} {
			out, _, err := call("bench", c.kind, "--arch", name, "--set", "dim=64,layers=2,vocab=300", "--dtype", c.dtype, "--context", "8", "--tokens", "16", "--repeat", "2", "--format", "json")
			if err != nil {
				t.Errorf("%s %s: %v", name, c.kind, err)
				continue
			}
			r := rowsOf(t, out)[0]
			if r.Bench != c.kind || r.Arch != name || r.DType != c.dtype || r.Params == 0 || r.Unit != "tokens/s" || !strings.HasPrefix(r.CeilingName, c.ceiling) {
				t.Errorf("row %+v", r)
			}
			if len(r.Samples) != 2 || r.Value <= 0 || r.Ceiling <= 0 || r.Percent <= 0 || (c.kind == "decode") != (r.Depth != nil) {
				t.Errorf("figures of %+v", r)
			}
		}
	}
}

// A row's ceiling is in tokens a second: as many times that of one token's
// operations, or of the bytes that a step of all sequences reads.
func TestBenchCeiling(t *testing.T) {
	m, _, err := arch.Filled("rnn", map[string]any{"dim": 64, "layers": 2}, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := newCeilings([]int{1})
	for kind, b := range map[string]*bench{kindDecode: {batch: 3, tokens: 4}, kindPrefill: {tokens: 16}, kindTrain: {tokens: 32, context: 16}} {
		h, point, err := b.harness(kind, m, "rnn")
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		r, err := h.Sample(point, 1)
		if err != nil {
			t.Fatal(err)
		}
		name, want := "operations_per_token", fmaCeiling
		if kind == kindDecode {
			name, want = "bytes_per_token", c.Level(math.MaxFloat64, 1)
		}
		each, _ := r.Value(name)
		c.Caches = map[string]int64{"L1d": int64(2 * each)} // a step of three reads more
		if scale, ceiling := b.binding(kind, r, c); ceiling != want || scale != 1e9/each || each == 0 {
			t.Errorf("%s: %s times %g, want %s times 1e9/%g", kind, ceiling, scale, want, each)
		}
	}
}

// Up to the last position of a model it is timed; what goes beyond it is
// refused on one line.
func TestBenchAtLimit(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"decode --context 24 --tokens 16", ""},
		{"decode --context 25 --tokens 16", "41 tokens exceed the model's limit of 40 positions: set context or rotary positions"},
		{"prefill --context 24 --tokens 16", ""},
		{"prefill --context 25 --tokens 16", "41 tokens exceed the model's limit of 40 positions: set context or rotary positions"},
		{"prefill --context 24 --tokens 16 --chunk 3 --cascade", ""},
		{"train --context 40 --batch 1", ""},
		{"train --context 41 --batch 1", "41 tokens exceed the model's limit of 40 positions: set context or rotary positions"},
		{"layer --context 41 --batch 1", "41 tokens exceed the model's limit of 40 positions: set context or rotary positions"},
	} {
		args := append([]string{"bench"}, strings.Fields(c.args)...)
		_, _, err := call(append(args, "--arch", "transformer", "--set", "dim=16,layers=1,heads=2,context=40", "--repeat", "1")...)
		if c.says == "" && err != nil || c.says != "" && (err == nil || err.Error() != "bench: "+c.says || status(err) != 1) {
			t.Errorf("%s: %v, want %q", c.args, err, c.says)
		}
	}
}

// Programs read these keys.
func TestBenchKeys(t *testing.T) {
	all := []string{"arch", "bench", "ceiling", "ceiling_name", "dtype", "impl", "paired_percent", "params", "percent", "samples", "threads", "unit", "value"}
	for kind, more := range map[string]string{"decode": "depth", "prefill": "shape", "train": "shape"} {
		out, _, err := call("bench", kind, "--set", "dim=16,layers=1", "--tokens", "16", "--repeat", "1", "--format", "json")
		if err != nil {
			t.Fatal(err)
		}
		var row map[string]any
		if err := json.Unmarshal([]byte(out), &row); err != nil {
			t.Fatal(err)
		}
		delete(row, "fault") // where the ceiling was disturbed
		if got, want := slices.Sorted(maps.Keys(row)), slices.Sorted(slices.Values(append(all, more))); !slices.Equal(got, want) {
			t.Errorf("bench %s has the keys %q, want %q", kind, got, want)
		}
	}
}

// A model file is read with its matrices as it holds them.
func TestBenchStoredFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"rwkv4", "transformer"} {
		from, to := saveModel(t, dir, name, map[string]any{"dim": 64, "layers": 2, "vocab": 96}), filepath.Join(dir, name+"-q8_0.safetensors")
		if _, _, err := call("convert", "--in", from, "--out", to, "--dtype", "q8_0"); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"decode --context 40", "prefill --context 3 --tokens 8", "prefill --tokens 8 --chunk 3 --cascade"} {
			call := func(more ...string) row {
				out, _, err := call(append(append([]string{"bench"}, strings.Fields(args)...), append(more, "--model", to, "--repeat", "1", "--format", "json")...)...)
				if err != nil {
					t.Fatal(err)
				}
				return rowsOf(t, out)[0]
			}
			if stored, wide := call(), call("--dtype", "f32"); stored.DType != "q8_0" || wide.DType != "f32" || stored.Model != to || stored.Arch != name {
				t.Errorf("%s %s: %+v, in f32 %+v", name, args, stored, wide)
			}
		}
	}
}
