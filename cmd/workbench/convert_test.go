package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"workbench/arch"
	"workbench/arch/checkpoint"
)

// TestConvert writes every architecture in every type: what is read back is
// what was rounded, and a second conversion changes no byte.
func TestConvert(t *testing.T) {
	for _, name := range arch.Names() {
		dir := t.TempDir()
		from := saveModel(t, dir, name, map[string]any{"dim": 64, "layers": 2, "vocab": 40})
		var exact [][]float64
		logits(t, &exact, "--tokens", "3,1,4", "--all", "--model", from)
		for dtype, tol := range map[string]float64{"f32": 0, "bf16": 0.05, "f16": 0.01, "q8_0": 0.1, "q4_0": 2} {
			to, again := filepath.Join(dir, dtype), filepath.Join(dir, dtype+".again")
			if _, _, err := call("convert", "--in", from, "--out", to, "--dtype", dtype); err != nil {
				t.Errorf("%s to %s: %v", name, dtype, err)
				continue
			}
			var got [][]float64
			logits(t, &got, "--tokens", "3,1,4", "--all", "--model", to)
			if d := distance(exact, got); !(d <= tol) || dtype != "f32" && d == 0 {
				t.Errorf("%s as %s: logits differ by %g", name, dtype, d)
			}
			if _, _, err := call("convert", "--in", to, "--out", again, "--dtype", dtype); err != nil {
				t.Errorf("%s to %s again: %v", name, dtype, err)
				continue
			}
			a, _ := os.ReadFile(to)
			b, _ := os.ReadFile(again)
			if !bytes.Equal(a, b) {
				t.Errorf("%s: what is %s changes when it is converted to %s", name, dtype, dtype)
			}
		}
		if files, _ := os.ReadDir(dir); len(files) != 11 {
			t.Errorf("%s: %d files, want the model and ten others", name, len(files))
		}
	}
}

// TestConvertGolden turns files of other programs into ours: the logits are
// the same to the bit.
func TestConvertGolden(t *testing.T) {
	for _, name := range []string{"gguf_llama_q4_0/model.gguf", "gguf_gpt2_q8_0/model.gguf", "rwkv4/model.pth", "gpt2_hf/model.safetensors"} {
		from, to := goldenDir(t, filepath.FromSlash(name)), filepath.Join(t.TempDir(), "m.safetensors")
		if _, _, err := call("convert", "--in", from, "--out", to); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var a, b [][]float64
		logits(t, &a, "--tokens", "3,1,4", "--all", "--model", from)
		logits(t, &b, "--tokens", "3,1,4", "--all", "--model", to)
		if d := distance(a, b); d != 0 {
			t.Errorf("%s: logits differ by %g", name, d)
		}
	}
}

// TestConvertKeepsBlocks copies quantised matrices to the bit.
func TestConvertKeepsBlocks(t *testing.T) {
	from, to := goldenDir(t, "gguf_gpt2_q8_0/model.gguf"), filepath.Join(t.TempDir(), "m")
	if _, _, err := call("convert", "--in", from, "--out", to, "--dtype", "q8_0"); err != nil {
		t.Fatal(err)
	}
	a, err := checkpoint.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := checkpoint.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, name := range a.Names() {
		x, err1 := a.Float32(name)
		y, err2 := b.Float32(name)
		if err1 != nil || err2 != nil || len(x) != len(y) {
			t.Fatalf("%s: %v %v", name, err1, err2)
		}
		for i := range x {
			if x[i] != y[i] && name != "transformer.wpe.weight" { // float32 in the GGUF
				t.Fatalf("%s[%d] is %v, was %v", name, i, y[i], x[i])
			}
		}
	}
}
