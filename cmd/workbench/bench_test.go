package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/kernels"
	"workbench/kernels/kerneltest"
)

// rowsOf parses what --format json prints.
func rowsOf(t *testing.T, out string) (rows []row) {
	t.Helper()
	for line := range strings.Lines(out) {
		var r row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		rows = append(rows, r)
	}
	return rows
}

func TestBenchKernels(t *testing.T) {
	impl, threads := kernels.Impl(), kernels.Threads()
	out, notes, err := call("bench", "kernels", "^matmul_nt M=(8|256) N=256", "--repeat", "3", "--format", "json", "--threads", "1")
	if err != nil {
		t.Fatal(err)
	}
	rows := rowsOf(t, out)
	if want := 2 * len(kernels.Impls()); len(rows) != want { // M=8, and M=256 with K=64
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, r := range rows {
		if r.Bench != "kernels" || r.Kernel != "matmul_nt" || r.Unit != "GFLOP/s" || r.CeilingName != "fma_peak" || r.Threads != 1 || r.DType != "f32" {
			t.Errorf("row %+v", r)
		}
		if len(r.Samples) != 3 || r.Value <= 0 || math.Abs(r.Percent-100*r.Value/r.Ceiling) > 1e-9 {
			t.Errorf("figures of %+v", r)
		}
	}
	if kernels.Impl() != impl || kernels.Threads() != threads {
		t.Errorf("bench leaves %s with %d threads in use", kernels.Impl(), kernels.Threads())
	}
	if strings.Contains(notes, "geometric mean") {
		t.Errorf("a mean of shapes below 256: %s", notes)
	}
}

// A kernel that disagrees with its reference has no speed.
func TestBenchGate(t *testing.T) {
	var out, errs bytes.Buffer
	ran := false
	wrong := kerneltest.Case{Kernel: "wrong", Bytes: 1, Check: func() error { return errors.New("y[3] is 1, want 2") },
		Make: func() func() { return func() { ran = true } }}
	b := &bench{repeat: 1, threads: 1, format: "json", out: output{&out, &errs}}
	err := b.kernels("", []kerneltest.Case{wrong})
	if err == nil || ran {
		t.Errorf("it was timed: %v, error %v", ran, err)
	}
	for _, r := range rowsOf(t, out.String()) {
		if r.Value != 0 || !strings.Contains(r.Error, "y[3] is 1, want 2") {
			t.Errorf("row %+v", r)
		}
	}
	if !strings.Contains(errs.String(), "no speed") {
		t.Errorf("stderr: %s", errs.String())
	}
}

// A share above the ceiling is shown as a fault and not cut.
func TestBenchFault(t *testing.T) {
	r := row{Samples: []float64{30, 10, 12}}
	r.finish(10, "read_bandwidth")
	if r.Value != 12 || r.Percent != 120 || r.Fault == "" {
		t.Errorf("%+v", r)
	}
	var b bytes.Buffer
	printRows(&b, []*row{&r})
	if !strings.Contains(b.String(), "120.0 % FAULT") {
		t.Error(b.String())
	}
}

// All ways to read a text ask for the same products.
func TestBenchChunks(t *testing.T) {
	m, _, err := arch.New("rwkv4", map[string]any{"dim": 64, "layers": 3}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var first float64
	for shape, b := range map[string]*bench{
		"B=1 T=30":                         {},
		"B=1 T=30 after=9":                 {context: 9},
		"B=1 T=30 chunk=8":                 {chunk: 8},
		"B=1 T=30 chunk=8 cascade":         {chunk: 8, cascade: true},
		"B=1 T=30 after=9 chunk=8 cascade": {context: 9, chunk: 8, cascade: true},
	} {
		b.tokens, b.batch = 30, 1
		h, point, err := b.harness(kindPrefill, m, "rwkv4")
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		sampled, err := h.Sample(point, 3)
		if err != nil {
			t.Fatal(err)
		}
		operations, _ := sampled.Value("operations_per_token")
		if first == 0 {
			first = operations
		}
		var r row
		if b.describe(kindPrefill, &r); r.Shape != shape || operations != first || first == 0 {
			t.Errorf("%s is called %q and asks for %g operations, another way for %g", shape, r.Shape, operations, first)
		}
	}
}

func TestBenchText(t *testing.T) {
	out, _, err := call("bench", "decode", "--set", "dim=32,layers=1", "--context", "3", "--repeat", "2", "--format", "bench", "--threads", "1")
	if err != nil {
		t.Fatal(err)
	}
	want := "BenchmarkDecode/rwkv4/impl=" + kernels.Impl() + "/dtype=f32/depth=3-1 1 "
	if strings.Count(out, want) != 2 || !strings.Contains(out, " tokens/s\n") {
		t.Errorf("not Go's benchmark text:\n%s", out)
	}
}

// The gradient that a step begins with is of the last layer's width.
func TestBenchLayerOfNarrowEmbedding(t *testing.T) {
	out, _, err := call("bench", "layer", "--arch", "gru", "--set", "dim=32,emb=16,layers=2", "--context", "8", "--tokens", "16", "--repeat", "2", "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rowsOf(t, out)[0].Shape, "B=2 T=8 C=32"; got != want {
		t.Errorf("shape %q, want %q", got, want)
	}
}

// The parts of a layer's step add up to the step.
func TestBenchLayer(t *testing.T) {
	out, _, err := call("bench", "layer", "--arch", "rwkv4", "--set", "dim=128,layers=1", "--context", "64", "--tokens", "512", "--repeat", "5", "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	rows := rowsOf(t, out)
	whole, sum, seen := rows[0], 0.0, map[string]bool{}
	for _, r := range rows[1:] {
		sum += r.Percent
		seen[r.Kernel] = true
		if r.Unit != "ms" || r.CeilingName != "layer_step" || len(r.Samples) != 5 {
			t.Errorf("row %+v", r)
		}
	}
	if whole.Arch != "rwkv4" || whole.Unit != "tokens/s" || !seen["linear"] || !seen["wkv4"] {
		t.Errorf("whole %+v, operations %v", whole, seen)
	}
	if sum < 80 || sum > 120 {
		t.Errorf("operations make up %.0f %% of the step", sum)
	}
}
