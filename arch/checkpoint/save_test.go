package checkpoint

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"workbench/arch/nn"
)

// rwkvModel is a small RWKV-4 without most of its vectors, as ablated models
// are.
type rwkvModel struct {
	Emb    *nn.Tensor   `w:"emb.weight,embed"`
	Blocks []*rwkvBlock `w:"blocks"`
	Head   *nn.Tensor   `w:"head.weight,embed"`
}

type rwkvBlock struct {
	MixK *nn.Tensor `w:"att.time_mix_k"`
	AttK *nn.Tensor `w:"att.key.weight"`
	AttV *nn.Tensor `w:"att.value.weight"`
	AttR *nn.Tensor `w:"att.receptance.weight"`
	AttO *nn.Tensor `w:"att.output.weight"`
	FFNK *nn.Tensor `w:"ffn.key.weight"`
	FFNR *nn.Tensor `w:"ffn.receptance.weight"`
	FFNV *nn.Tensor `w:"ffn.value.weight"`
}

// newRWKV returns a model with C=3, ffn 5, V=7 and distinct values.
func newRWKV(layers int, first float32) *rwkvModel {
	tensor := func(shape ...int) *nn.Tensor {
		t := nn.New(shape...)
		for i := range t.Data {
			t.Data[i] = first
			first++
		}
		return t
	}
	m := &rwkvModel{Emb: tensor(7, 3), Head: tensor(7, 3)}
	for range layers {
		m.Blocks = append(m.Blocks, &rwkvBlock{tensor(3), tensor(3, 3), tensor(3, 3), tensor(3, 3), tensor(3, 3),
			tensor(5, 3), tensor(3, 3), tensor(3, 5)})
	}
	return m
}

func rwkvMeta(config string) map[string]string {
	return map[string]string{"arch": "rwkv4", "config": config, "note": "two\nlines <&>"}
}

const rwkvConfig = `{"dim":3,"layers":2,"vocab":7,"ffn":5,"token_shift":"fixed"}`

func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	m := newRWKV(2, 1)
	if err := os.WriteFile(path, []byte("what was there before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, m, rwkvMeta(rwkvConfig)); err != nil {
		t.Fatal(err)
	}
	f := mustOpenTensors(t, path)
	if s := f.Shape("blocks.1.att.time_mix_k"); !slices.Equal(s, []int{1, 1, 3}) {
		t.Errorf("time_mix_k is stored as %v, officially [1 1 3]", s)
	}
	if f.Metadata["note"] != "two\nlines <&>" {
		t.Errorf("note is %q", f.Metadata["note"])
	}
	w := mustOpen(t, path)
	want := map[string]any{"dim": 3, "layers": 2, "vocab": 7, "ffn": 5, "token_shift": "fixed"}
	if w.Arch != "rwkv4" || !maps.Equal(w.Config, want) {
		t.Errorf("got %s %v, want rwkv4 %v", w.Arch, w.Config, want)
	}
	got := newRWKV(2, -1000)
	if err := Assign(got, w); err != nil {
		t.Fatal(err)
	}
	nn.Walk(m, func(p nn.Param) {
		nn.Walk(got, func(q nn.Param) {
			if p.Name == q.Name && !sameBits(p.Tensor.Data, q.Tensor.Data) {
				t.Errorf("%s came back as %v", p.Name, q.Tensor.Data)
			}
		})
	})

	again := filepath.Join(filepath.Dir(path), "again")
	if err := Save(again, got, rwkvMeta(rwkvConfig)); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(again)
	if !bytes.Equal(a, b) {
		t.Error("the same weights gave other bytes")
	}
	if a[0]%8 != 0 {
		t.Errorf("the data begins at byte %d, not aligned to 8", 8+int(a[0]))
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 2 {
		t.Errorf("%d files where two were saved", len(files))
	}
}

// TestSaveAtomic checks that a failed save leaves the old file.
func TestSaveAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, newRWKV(1, 1), nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("saving over a folder: %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Error("a temporary file was left")
	}
	if err := Save(filepath.Join(dir, "no", "such"), newRWKV(1, 1), nil); err == nil {
		t.Error("saved into a folder that is not there")
	}
}

func TestSaveEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	if err := Save(path, &rwkvModel{}, nil); err != nil {
		t.Fatal(err)
	}
	if f := mustOpenTensors(t, path); len(f.Names()) != 0 {
		t.Errorf("%v in an empty model", f.Names())
	}
}

// TestOpenDisagrees checks that a file whose parts contradict each other is
// refused before a model is built.
func TestOpenDisagrees(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *rwkvModel)
		meta   map[string]string
		want   string
	}{
		{"good", func(*rwkvModel) {}, nil, ""},
		{"no object", func(*rwkvModel) {}, rwkvMeta(`[]`), "not a JSON object"},
		{"huge number", func(*rwkvModel) {}, rwkvMeta(`{"dim":1e999}`), `the metadata says "dim" 1e999, which is no number of 64 bits`},
		{"absent matrix", func(m *rwkvModel) { m.Blocks[1].FFNV = nil }, nil, `tensor "blocks.1.ffn.value.weight" is missing`},
		{"absent block", func(m *rwkvModel) { m.Blocks[0] = &rwkvBlock{FFNK: nn.New(5, 3)} }, nil, `tensor "blocks.0.att.key.weight" is missing`},
		{"absent embedding", func(m *rwkvModel) { m.Emb = nil }, nil, `tensor "emb.weight" is missing`},
		{"shape", func(m *rwkvModel) { m.Blocks[1].AttK = nn.New(3, 4) }, nil, `"blocks.1.att.key.weight" has shape [3 4] and should have [3 3]`},
		{"rank", func(m *rwkvModel) { m.Emb = nn.New(21) }, nil, `"emb.weight" has shape [21] and should be a matrix`},
		{"empty", func(m *rwkvModel) { m.Emb = nn.New(0, 3) }, nil, `"emb.weight" has shape [0 3] and should be a matrix`},
		{"vector", func(m *rwkvModel) { m.Blocks[1].MixK = nn.New(4) }, nil, `"blocks.1.att.time_mix_k" has shape [4] and should have [3]`},
	} {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		m := newRWKV(2, 1)
		c.change(m)
		if err := Save(path, m, c.meta); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestOpenNames(t *testing.T) {
	const block = `"h.0.attn.c_attn.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]}`
	for header, want := range map[string]string{
		`{"blocks.0.att.receptance.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"blocks.0.ffn.key.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]},"emb.weight":{"dtype":"I32","shape":[1,1],"data_offsets":[8,12]}}`: `"emb.weight" is I32 and should be of floating point`,
		`{}`: "holds no tensors",
		`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}`: `its 1 tensors, such as "a"`,
		`{` + block + `}`: `"transformer.wte.weight" is missing`,
		`{` + block + `,"transformer.h.0.attn.c_attn.weight":{"dtype":"F32","shape":[0],"data_offsets":[12,12]}}`: "are one weight",
		`{"rnn.weight_hh_l0":{"dtype":"F32","shape":[3,1],"data_offsets":[0,12]}}`:                                `"emb.weight" is missing`,
		`{"rnn.weight_hh_l0":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]}}`:                                "has shape [1 3] and should have 1, 3 or 4 times as many rows",
		recurrentHeader("rnn.weight_hr_l0"):                                                                       "LSTM's projection (proj_size)",
		recurrentHeader("rnn.weight_hh_l0_reverse"):                                                               "a second direction (bidirectional)",
	} {
		data := f32(1, 2, 3)
		if header == "{}" {
			data = nil
		}
		f, err := parse(safetensorsFile(header, data))
		if err == nil {
			_, err = f.weights("absent")
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", header, err, want)
		}
	}
}

// recurrentHeader is that of a recurrent layer with one tensor more.
func recurrentHeader(name string) string {
	return `{"rnn.weight_hh_l0":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"` + name + `":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]}}`
}

// gptFile is a GPT-2 of C=1, V=2, ffn 4 in Hugging Face's layout.
func gptFile(t testing.TB, positions bool) string {
	var items []string
	at := 0
	add := func(name string, shape string, n int) {
		items = append(items, `"`+name+`":{"dtype":"F32","shape":`+shape+`,"data_offsets":[`+strconv.Itoa(at)+`,`+strconv.Itoa(at+4*n)+`]}`)
		at += 4 * n
	}
	add("wte.weight", "[2,1]", 2)
	if positions {
		add("wpe.weight", "[3,1]", 3)
	}
	add("h.0.attn.c_attn.weight", "[1,3]", 3)
	add("h.0.attn.c_proj.weight", "[1,1]", 1)
	add("h.0.mlp.c_fc.weight", "[1,4]", 4)
	add("h.0.mlp.c_proj.weight", "[4,1]", 4)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := os.WriteFile(path, safetensorsFile(`{`+strings.Join(items, ",")+`}`, make([]byte, at)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigJSON(t *testing.T) {
	for _, c := range []struct{ json, want string }{
		{`{"model_type":"gpt2","n_head":1,"activation_function":"gelu_new","layer_norm_epsilon":1e-05}`, "gelu_tanh 1"},
		{`{"model_type":"gpt2","activation_function":"gelu"}`, "gelu <nil>"},
		{`{"model_type":"llama","n_head":9}`, `model_type "llama" is not supported for tensors of these names, only gpt2`},
		{``, "gelu_tanh <nil>"},
		{`{"model_type":"gpt2","activation_function":"relu"}`, `activation_function "relu" is not supported`},
		{`{"n_layer":1,"n_embd":1,"n_positions":3,"n_ctx":3,"n_inner":null,"vocab_size":2,"resid_pdrop":0.1,"use_cache":true}`, "gelu_tanh <nil>"},
		{`{"n_layer":2}`, "n_layer is 2, the tensors say layers 1"},
		{`{"n_positions":4}`, "n_positions is 4, the tensors say context 3"},
		{`{"tie_word_embeddings":false}`, `tie_word_embeddings is false, and tensor "lm_head.weight" is missing`},
		{`{"rope_theta":10000}`, "rope_theta is 10000, which this program does not know"},
		{`{"model_type":"gpt2","layer_norm_epsilon":1e-6}`, "layer_norm_epsilon 1e-06 is not supported"},
		{`{"model_type":"gpt2","scale_attn_weights":false}`, "scale_attn_weights false is not supported"},
		{`{"model_type":"gpt2"`, "config.json: unexpected end"},
	} {
		path := gptFile(t, true)
		if c.json != "" {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), "config.json"), []byte(c.json), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w, err := Open(path)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprintln(w.Config["activation"], w.Config["heads"])
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.json, got, c.want)
		}
	}
}

func TestPositions(t *testing.T) {
	if _, err := Open(gptFile(t, false)); err == nil || !strings.Contains(err.Error(), `tensor "transformer.wpe.weight" is missing`) {
		t.Errorf("no positions: %v", err)
	}
}
