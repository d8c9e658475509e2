package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/kernels"
)

// TestConvert writes every architecture in every type: what is read back is
// what a matrix of that type holds, and a second conversion changes no byte.
func TestConvert(t *testing.T) {
	for _, name := range arch.Names() {
		dir := t.TempDir()
		from := saveModel(t, dir, name, map[string]any{"dim": 64, "layers": 2, "vocab": 40})
		for _, dtype := range []string{"f32", "bf16", "f16", "q8_0", "q4_0"} {
			to, again := filepath.Join(dir, dtype), filepath.Join(dir, dtype+".again")
			for _, step := range [][2]string{{from, to}, {to, again}} {
				if _, _, err := call("convert", "--in", step[0], "--out", step[1], "--dtype", dtype); err != nil {
					t.Fatalf("%s to %s: %v", name, dtype, err)
				}
			}
			a, _ := os.ReadFile(to)
			b, _ := os.ReadFile(again)
			if !bytes.Equal(a, b) {
				t.Errorf("%s: what is %s changes when it is converted to %s", name, dtype, dtype)
			}
			rounded(t, name, from, to, dtype)
		}
		if files, _ := os.ReadDir(dir); len(files) != 11 {
			t.Errorf("%s: %d files, want the model and ten others", name, len(files))
		}
	}
}

// rounded compares the weights of a file with those of another in the type
// that the file has them in.
func rounded(t *testing.T, what, from, to, dtype string) {
	t.Helper()
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
	f, err := checkpoint.OpenTensors(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]int{}
	for _, x := range f.Tensors() {
		seen[strings.ToLower(x.DType)]++
		as, err := kernels.ParseDType(strings.ToLower(x.DType))
		if err != nil {
			t.Fatal(err)
		}
		want, err1 := a.Float32(x.Name)
		got, err2 := b.Float32(x.Name)
		if err1 != nil || err2 != nil {
			t.Fatalf("%s: %v %v", what, err1, err2)
		}
		K := x.Shape[len(x.Shape)-1]
		m, err := kernels.NewMatrix(as, want, len(want)/K, K)
		if err != nil {
			t.Fatal(err)
		}
		row := make([]float32, K)
		for n := range m.N {
			m.Row(row, n)
			if !slices.Equal(row, got[n*K:(n+1)*K]) {
				t.Fatalf("%s: row %d of %s is not what %s holds", what, n, x.Name, as)
			}
		}
	}
	if seen[dtype] < 4 {
		t.Errorf("%s: %v of its tensors where %s was wanted", what, seen, dtype)
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
