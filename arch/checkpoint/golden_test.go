package checkpoint

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch/nn"
)

// shared returns a path in the golden data beside the repository; it skips
// where that is absent.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
	}
	path := filepath.Join(append([]string{dir, "..", "shared", "data"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skip("no golden data at ../shared/data")
	}
	return path
}

func mustOpen(t testing.TB, path string) *Weights {
	t.Helper()
	w, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// loaded is every weight of a file in float32.
func loaded(t testing.TB, w *Weights) map[string]*nn.Tensor {
	t.Helper()
	all := map[string]*nn.Tensor{}
	for _, name := range w.Names() {
		x, err := w.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = &nn.Tensor{Shape: w.Shape(name), Data: x}
	}
	return all
}

func mustOpenTensors(t testing.TB, path string) *File {
	t.Helper()
	f, err := OpenTensors(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func TestGoldenModels(t *testing.T) {
	for _, c := range []struct {
		name, arch string
		both       bool
		config     map[string]any
	}{
		{"rwkv4", "rwkv4", true, map[string]any{"dim": 48, "layers": 3, "vocab": 61, "ffn": 192}},
		{"rwkv4_hf_bf16", "rwkv4", true, map[string]any{"dim": 64, "layers": 2, "vocab": 80, "ffn": 160}},
		{"rwkv4_stress", "rwkv4", false, map[string]any{"dim": 32, "layers": 2, "vocab": 50, "ffn": 128}},
		{"nanogpt", "transformer", false, map[string]any{"dim": 40, "layers": 2, "vocab": 59, "ffn": 160,
			"context": 64, "positions": "learned", "activation": "gelu", "tied": true, "bias": true}},
		{"gpt2_hf", "transformer", true, map[string]any{"dim": 48, "layers": 3, "vocab": 67, "ffn": 192, "heads": 4,
			"context": 96, "positions": "learned", "activation": "gelu_tanh", "tied": true, "bias": true}},
		{"rnn", "rnn", true, map[string]any{"dim": 40, "emb": 24, "layers": 2, "vocab": 53}},
		{"lstm", "lstm", true, map[string]any{"dim": 40, "emb": 24, "layers": 2, "vocab": 53}},
		{"gru", "gru", true, map[string]any{"dim": 40, "emb": 24, "layers": 2, "vocab": 53}},
		{"rwkv5_small", "rwkv5", true, map[string]any{"dim": 48, "layers": 3, "vocab": 57, "ffn": 160, "head_size": 16,
			"per_head": false, "exp_bonus": false, "output_gate": "on"}},
		{"rwkv5_fp16", "rwkv5", false, map[string]any{"dim": 128, "layers": 2, "vocab": 90, "ffn": 448, "head_size": 64,
			"per_head": false, "exp_bonus": false, "output_gate": "on"}},
		{"rwkv6_small", "rwkv6", false, map[string]any{"dim": 48, "layers": 3, "vocab": 59, "ffn": 160, "head_size": 16, "mix_rank": 12, "decay_rank": 20}},
		{"rwkv6_bf16", "rwkv6", false, map[string]any{"dim": 128, "layers": 2, "vocab": 90, "ffn": 448, "head_size": 64, "mix_rank": 32, "decay_rank": 64}},
		{"rwkv7", "rwkv7", false, map[string]any{"dim": 128, "layers": 3, "vocab": 97, "ffn": 512, "head_size": 64,
			"decay_rank": 32, "iclr_rank": 32, "value_rank": 32, "gate_rank": 64}},
		{"rwkv7_small", "rwkv7", true, map[string]any{"dim": 48, "layers": 2, "vocab": 57, "ffn": 192, "head_size": 16,
			"decay_rank": 8, "iclr_rank": 12, "value_rank": 6, "gate_rank": 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shared(t, "golden", c.name)
			w := mustOpen(t, filepath.Join(dir, "model.pth"))
			if w.Arch != c.arch || !maps.Equal(w.Config, c.config) {
				t.Errorf("got %s %v, want %s %v", w.Arch, w.Config, c.arch, c.config)
			}
			checkCase(t, dir, w)
			if c.both {
				sameWeights(t, w, mustOpen(t, filepath.Join(dir, "model.safetensors")))
			}
		})
	}
}

func sameWeights(t *testing.T, a, b *Weights) {
	t.Helper()
	if a.Arch != b.Arch || !maps.Equal(a.Config, b.Config) || !slices.Equal(a.Names(), b.Names()) {
		t.Errorf("%s %v of %v and %s %v of %v", a.Arch, a.Config, a.Names(), b.Arch, b.Config, b.Names())
	}
	others := loaded(t, b)
	for name, x := range loaded(t, a) {
		y := others[name]
		if y == nil || !slices.Equal(x.Shape, y.Shape) || !sameBits(x.Data, y.Data) {
			t.Errorf("%s differs", name)
		}
	}
}

// checkCase compares with the description of the case: the number of
// parameters, the tensors of golden.safetensors, and the shape of every
// weight's gradient.
func checkCase(t *testing.T, dir string, w *Weights) {
	var c struct {
		Params int              `json:"num_parameters"`
		Golden map[string][]any `json:"golden_tensors"`
	}
	b, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	params := 0
	weights := loaded(t, w)
	for _, x := range weights {
		params += x.Len()
	}
	if w.Arch == "rwkv7" && c.Params == 745344 {
		params += 128 + 2*32*128 // the first block's v0, v1 and v2, which nothing reads
	}
	if params != c.Params {
		t.Errorf("%d parameters, want %d", params, c.Params)
	}
	f := mustOpenTensors(t, filepath.Join(dir, "golden.safetensors"))
	for name, want := range c.Golden {
		got, _ := json.Marshal([]any{f.tensors[name].DType, f.Shape(name)})
		if want, _ := json.Marshal(want); string(got) != string(want) {
			t.Errorf("golden %s: %s, want %s", name, got, want)
		}
	}
	pth := mustOpenTensors(t, filepath.Join(dir, "model.pth"))
	for name, x := range weights {
		grad := f.tensors["grad."+w.Source[name]]
		if grad == nil {
			t.Errorf("%s comes from %s, which has no gradient", name, w.Source[name])
			continue
		}
		if !slices.Equal(grad.Shape, pth.Shape(w.Source[name])) {
			t.Errorf("%s: shape %v in the file, its gradient %v", name, pth.Shape(w.Source[name]), grad.Shape)
		}
		shape := grad.squeezed().Shape
		if w.Transposed[name] {
			shape = grad.transposed().Shape
		}
		if !slices.Equal(shape, x.Shape) {
			t.Errorf("%s: shape %v, its gradient %v", name, x.Shape, grad.Shape)
		}
	}
}

func TestTransposed(t *testing.T) {
	path := shared(t, "golden", "gpt2_hf", "model.safetensors")
	w, f := mustOpen(t, path), mustOpenTensors(t, path)
	if len(w.Transposed) != 4*3 {
		t.Errorf("%d matrices transposed, want 4 in each of 3 layers", len(w.Transposed))
	}
	for name := range w.Transposed {
		stored, err := f.Float32(w.Source[name]) // [in,out]
		if err != nil {
			t.Fatal(err)
		}
		x := loaded(t, w)[name]
		out, in := x.Dim(0), x.Dim(1)
		for o := range out {
			for i := range in {
				if x.Data[o*in+i] != stored[i*out+o] {
					t.Fatalf("%s[%d,%d] is not the file's [%d,%d]", name, o, i, i, o)
				}
			}
		}
	}
}

func TestGoldenRWKVCpp(t *testing.T) {
	const file = "tiny-rwkv-4v0-660K-FP32.bin"
	path := shared(t, "rwkv.cpp", file)
	w := mustOpen(t, path)
	half := mustOpen(t, strings.Replace(path, "FP32", "FP16", 1))
	want := map[string]any{"dim": 128, "layers": 4, "vocab": 256, "ffn": 256}
	if w.Arch != "rwkv4" || !maps.Equal(w.Config, want) || !maps.Equal(half.Config, want) {
		t.Errorf("%s %v and %v, want %v", w.Arch, w.Config, half.Config, want)
	}
	params := 0
	f := mustOpenTensors(t, path)
	weights, halves := loaded(t, w), loaded(t, half)
	for name, x := range weights {
		params += x.Len()
		for i, v := range x.Data {
			if d := math.Abs(float64(v - halves[name].Data[i])); d > 1e-3*math.Abs(float64(v))+1e-7 {
				t.Fatalf("%s[%d]: %v in FP32, %v in FP16", name, i, v, halves[name].Data[i])
			}
		}
		if strings.HasSuffix(name, "time_decay") {
			stored, _ := f.Float64(name)
			for i, v := range x.Data {
				if d := -math.Exp(float64(v))/stored[i] - 1; math.Abs(d) > 1e-6 {
					t.Fatalf("%s[%d] is %v, whose -exp is not %v", name, i, v, stored[i])
				}
			}
		}
	}
	if params != 661504 {
		t.Errorf("%d parameters, want 661504", params)
	}
	if k := weights["blocks.0.ffn.key.weight"]; !slices.Equal(k.Shape, []int{256, 128}) {
		t.Errorf("ffn.key is %v, want [256 128]: dims are innermost first", k.Shape)
	}
}

func TestGoldenTorchFormats(t *testing.T) {
	for _, name := range []string{"views", "dtypes", "nested_checkpoint", "parameters"} {
		got := mustOpenTensors(t, shared(t, "golden", "pth_formats", name+".pth"))
		want := mustOpenTensors(t, shared(t, "golden", "pth_formats", name+".expected.safetensors"))
		if !slices.Equal(got.Names(), want.Names()) {
			t.Errorf("%s: tensors %v, want %v", name, got.Names(), want.Names())
		}
		for i, w := range want.Tensors() {
			g := got.Tensors()[i]
			if g.DType != w.DType || !slices.Equal(g.Shape, w.Shape) {
				t.Errorf("%s: %v, want %v", name, g, w)
			}
			x, err := got.Float64(w.Name)
			y, werr := want.Float64(w.Name)
			if err != nil || werr != nil || !slices.Equal(x, y) {
				t.Errorf("%s: values of %s differ", name, w.Name)
			}
			gi, gerr := got.Int64(w.Name)
			wi, werr := want.Int64(w.Name)
			if (gerr == nil) != (werr == nil) || (gerr == nil) == want.tensors[w.Name].isFloat() || !slices.Equal(gi, wi) {
				t.Errorf("%s: %s as whole numbers: %v %v, want %v %v", name, w.Name, gi, gerr, wi, werr)
			}
		}
	}
	f := mustOpenTensors(t, shared(t, "golden", "pth_formats", "nested_checkpoint.pth"))
	if f.Metadata["iter_num"] != "250" || f.Metadata["model_args.n_layer"] != "2" {
		t.Errorf("metadata %v lacks iter_num 250 or model_args.n_layer 2", f.Metadata)
	}
}

// TestRefused checks the errors for models that this program does not have.
func TestRefused(t *testing.T) {
	for path, want := range map[string]string{
		"golden/pth_formats/legacy.pth":             "legacy torch format: re-save with torch>=1.6",
		"golden/pth_formats/views.pth":              "architecture cannot be told",
		"golden/gguf_blocks/model.gguf":             "of GGUF files rwkv6, rwkv7, llama and gpt2 are read",
		"golden/rwkv4/case.json":                    "a JSON file without a weight_map",
		"golden/README.md":                          "not a safetensors, .pth, GGUF or rwkv.cpp file",
		"golden/init_rwkv4_L4_C64/init.safetensors": "architecture cannot be told",
	} {
		full := shared(t, filepath.FromSlash(path))
		_, err := Open(full)
		if err == nil || !strings.HasPrefix(err.Error(), full) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestAssign(t *testing.T) {
	type model struct {
		A *nn.Tensor `w:"a"`
		B *nn.Tensor `w:"b"`
	}
	a := `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	b := func(shape string) string { return `,"b":{"dtype":"F32","shape":` + shape + `,"data_offsets":[8,20]}` }
	for _, c := range []struct {
		header string
		data   []float32
		want   string
	}{
		{a + b("[3,1]"), []float32{1, 1, 2, 2, 2}, ""},
		{a, []float32{1, 1}, `tensor "b" is missing`},
		{a + b("[1,3]"), []float32{1, 1, 2, 2, 2}, `tensor "b" has shape [1 3] and the model wants [3 1]`},
		{a + b("[3,1]") + `,"d":{"dtype":"F32","shape":[0],"data_offsets":[20,20]},"c":{"dtype":"F32","shape":[0],"data_offsets":[20,20]}`,
			[]float32{1, 1, 2, 2, 2}, `unexpected tensor "c"`},
		{a + b("[3,1]"), []float32{1, 1, 2, float32(math.NaN()), 2}, `tensor "b": element 1 is NaN`},
		{a + b("[3,1]"), []float32{1, 1, 2, 2, float32(math.Inf(-1))}, `tensor "b": element 2 is -Inf`},
	} {
		f, err := parse(safetensorsFile("{"+c.header+"}", f32(c.data...)))
		if err != nil {
			t.Fatal(err)
		}
		m := model{nn.New(2), nn.New(3, 1)}
		err = Assign(&m, &Weights{tensors: f.tensors, file: f})
		switch {
		case c.want != "":
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if !strings.Contains(c.want, "element") && m.A.Data[0] != 0 {
				t.Errorf("%s: the model was changed", c.want)
			}
		case err != nil || m.A.Data[1] != 1 || m.B.Data[2] != 2:
			t.Errorf("%v, a=%v b=%v", err, m.A.Data, m.B.Data)
		}
	}
}
