package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func number32(key string, n uint32) []byte { return ggufKV(key, 4, u32(n)) }
func float32Of(key string, x float32) []byte {
	return ggufKV(key, 6, f32(x))
}
func boolean(key string, b byte) []byte  { return ggufKV(key, ggufBool, []byte{b}) }
func textOf(key, value string) []byte    { return ggufKV(key, ggufString, ggufText(value)) }
func listOf(key string, n uint32) []byte { return ggufKV(key, ggufArray, ggufArrayOf(4, u32(n))) }

// ggufLlamaFile is a Llama of 2 layers of 4 channels, 2 heads, with keys that
// replace those of the same name.
func ggufLlamaFile(more ...[]byte) []byte {
	keys := [][]byte{textOf("general.architecture", "llama"), number32("llama.block_count", 2), number32("llama.embedding_length", 4),
		number32("llama.attention.head_count", 2), number32("llama.attention.head_count_kv", 1), float32Of("llama.attention.layer_norm_rms_epsilon", 1e-5)}
	name := func(b []byte) string { return string(b[8 : 8+b[0]]) }
	for _, m := range more {
		keys = slices.DeleteFunc(keys, func(k []byte) bool { return name(k) == name(m) })
		keys = append(keys, m)
	}
	infos, at := [][]byte{}, uint64(0)
	add := func(name string, dims ...uint64) {
		infos = append(infos, ggufInfo(name, 0, at, dims...))
		n := uint64(4)
		for _, d := range dims {
			n *= d
		}
		at += (n + 31) / 32 * 32
	}
	add("token_embd.weight", 4, 5)
	add("output_norm.weight", 4)
	for l := range 2 {
		p := fmt.Sprintf("blk.%d.", l)
		add(p+"attn_norm.weight", 4)
		add(p+"ffn_norm.weight", 4)
		add(p+"attn_q.weight", 4, 4)
		add(p+"attn_k.weight", 4, 2)
		add(p+"attn_v.weight", 4, 2)
		add(p+"attn_output.weight", 4, 4)
		add(p+"ffn_gate.weight", 4, 6)
		add(p+"ffn_up.weight", 4, 6)
		add(p+"ffn_down.weight", 6, 4)
	}
	return ggufFile(keys, infos, make([]byte, at))
}

// opened opens a file and returns its configuration or the error.
func opened(b []byte, dir string) string {
	f, err := parse(b)
	var w *Weights
	if err == nil {
		w, err = f.weights(dir)
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(w.Config)
}

// TestGGUFKeys checks that a key is applied, is known to change nothing, or is
// refused by its name.
func TestGGUFKeys(t *testing.T) {
	const plain = "map[dim:4 ffn:6 head_size:2 heads:2 kv_heads:1 layers:2 norm_eps:1e-05 rope:half rope_theta:10000 tied:true vocab:5]"
	for _, c := range []struct {
		more [][]byte
		want string
	}{
		{nil, plain},
		{[][]byte{number32("llama.context_length", 64), textOf("general.name", "x"), textOf("quantize.imatrix.file", "x"), number32("mradermacher.quantize_version", 2)}, plain},
		{[][]byte{textOf("llama.rope.scaling.type", "none")}, plain},
		{[][]byte{textOf("llama.rope.scaling.type", "linear"), float32Of("llama.rope.scaling.factor", 1)}, plain},
		{[][]byte{float32Of("llama.rope.scale_linear", 1), float32Of("llama.rope.scaling.attn_factor", 1), boolean("llama.rope.scaling.finetuned", 1)}, plain},
		{[][]byte{float32Of("llama.rope.freq_base", 5e5)}, "rope_theta:500000"},
		{[][]byte{float32Of("llama.attention.layer_norm_rms_epsilon", 1e-6)}, "norm_eps:1e-06"},
		{[][]byte{number32("llama.attention.sliding_window", 3)}, "window:3"},
		{[][]byte{textOf("llama.rope.scaling.type", "yarn")}, `llama.rope.scaling.type "yarn" is not supported`},
		{[][]byte{float32Of("llama.rope.scaling.factor", 4)}, "llama.rope.scaling.factor 4 is not supported"},
		{[][]byte{float32Of("llama.rope.scale_linear", 4)}, "llama.rope.scale_linear 4 is not supported"},
		{[][]byte{float32Of("llama.rope.scaling.attn_factor", 2)}, "llama.rope.scaling.attn_factor 2 is not"},
		{[][]byte{float32Of("llama.rope.scaling.yarn_log_multiplier", 0.1)}, "llama.rope.scaling.yarn_log_multiplier is 0.1, which this program does not know"},
		{[][]byte{number32("llama.rope.dimension_count", 1)}, "llama.rope.dimension_count 1 is not supported"},
		{[][]byte{number32("llama.expert_count", 8)}, "llama.expert_count 8 is not supported"},
		{[][]byte{float32Of("llama.final_logit_softcapping", 30)}, "llama.final_logit_softcapping 30"},
		{[][]byte{float32Of("llama.logit_scale", 0.5)}, "llama.logit_scale 0.5"},
		{[][]byte{float32Of("llama.attention.scale", 0.5)}, "llama.attention.scale 0.5"},
		{[][]byte{boolean("llama.attention.causal", 0)}, "llama.attention.causal false"},
		{[][]byte{listOf("llama.attention.head_count", 2)}, "llama.attention.head_count is [] and should be a number"},
		{[][]byte{textOf("llama.something", "x")}, `llama.something is "x", which this program does not know`},
		{[][]byte{number32("llama.block_count", 3)}, "llama.block_count is 3, the tensors say layers 2"},
		{[][]byte{number32("llama.embedding_length", 8)}, "llama.embedding_length is 8, the tensors say dim 4"},
		{[][]byte{number32("llama.feed_forward_length", 7)}, "llama.feed_forward_length is 7, the tensors say ffn 6"},
		{[][]byte{number32("llama.vocab_size", 6)}, "llama.vocab_size is 6, the tensors say vocab 5"},
		{[][]byte{textOf("general.type", "adapter")}, `general.type is "adapter"`},
		{[][]byte{number32("split.count", 2)}, "is one of 2 parts"},
		{[][]byte{number32("split.tensors.count", 21)}, "split.tensors.count is 21, the parts hold 20 tensors"},
	} {
		if got := opened(ggufLlamaFile(c.more...), "absent"); !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%q: got %s, want %s", c.more, got, c.want)
		}
	}
}

// TestGGUFParts opens the first of two files, with and without the other.
func TestGGUFParts(t *testing.T) {
	part := func(no, count, tensors uint32, name string) []byte {
		return ggufFile([][]byte{number32("split.no", no), number32("split.count", count), number32("split.tensors.count", tensors)},
			[][]byte{ggufInfo(name, 0, 0, 1)}, f32(float32(no), 0, 0, 0, 0, 0, 0, 0))
	}
	for _, c := range []struct {
		open, want    string
		first, second []byte
	}{
		{"m-00001-of-00002.gguf", "", part(0, 2, 2, "a"), part(1, 2, 2, "b")},
		{"m-00001-of-00002.gguf", "part 2 of 2: ", part(0, 2, 2, "a"), nil},
		{"m-00001-of-00002.gguf", "the parts hold 2 tensors", part(0, 2, 3, "a"), part(1, 2, 3, "b")},
		{"m-00001-of-00002.gguf", "says that it is part 1 of 2", part(0, 2, 2, "a"), part(0, 2, 2, "b")},
		{"m-00001-of-00002.gguf", `tensor "a" occurs twice`, part(0, 2, 2, "a"), part(1, 2, 2, "a")},
		{"m-00002-of-00002.gguf", "is part 2 of 2: give the first, m-00001-of-00002.gguf", part(0, 2, 2, "a"), part(1, 2, 2, "b")},
		{"m-00001-of-00003.gguf", "its name says of 00003", nil, nil},
		{"other.gguf", "is one of 2 parts", nil, nil},
	} {
		dir := t.TempDir()
		for name, b := range map[string][]byte{"m-00001-of-00002.gguf": c.first, "m-00002-of-00002.gguf": c.second,
			"m-00001-of-00003.gguf": part(0, 2, 2, "a"), "other.gguf": part(0, 2, 2, "a")} {
			if b != nil && os.WriteFile(filepath.Join(dir, name), b, 0o600) != nil {
				t.Fatal(name)
			}
		}
		f, err := OpenTensors(filepath.Join(dir, c.open))
		if err != nil {
			if c.want == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.open, err, c.want)
			}
			continue
		}
		if b, err := f.Float32("b"); c.want != "" || err != nil || b[0] != 1 || len(f.Names()) != 2 {
			t.Errorf("%s: %v %v %v, want %q", c.open, f.Names(), b, err, c.want)
		}
		f.Close()
	}
}

// TestMarks checks the begin and end tokens of a GGUF file and of the files
// beside a Hugging Face model.
func TestMarks(t *testing.T) {
	id := func(name string, n uint32) []byte { return number32("tokenizer.ggml."+name+"_token_id", n) }
	marks := func(w *Weights, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		m, err := w.Marks()
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(m.Begin, m.Ends)
	}
	for _, c := range []struct {
		more [][]byte
		want string
	}{
		{nil, "-1 []"},
		{[][]byte{id("eos", 1), id("eot", 2), id("eom", 3), id("bos", 4)}, "-1 [1 2 3]"},
		{[][]byte{id("bos", 4), boolean("tokenizer.ggml.add_bos_token", 1)}, "4 []"},
		{[][]byte{id("bos", 4), textOf("tokenizer.ggml.model", "llama")}, "4 []"},
		{[][]byte{id("bos", 4), textOf("tokenizer.ggml.model", "llama"), boolean("tokenizer.ggml.add_bos_token", 0)}, "-1 []"},
		{[][]byte{boolean("tokenizer.ggml.add_bos_token", 1)}, "bos_token_id is missing"},
		{[][]byte{boolean("tokenizer.ggml.add_eos_token", 1)}, "add_eos_token is true"},
	} {
		f, err := parse(ggufLlamaFile(c.more...))
		if err != nil {
			t.Fatal(err)
		}
		if got := marks(f.weights("absent")); !strings.Contains(got, c.want) {
			t.Errorf("%q: got %s, want %s", c.more, got, c.want)
		}
	}
	const heads = `"num_attention_heads":4,"num_key_value_heads":2,"head_dim":2`
	for _, c := range []struct{ config, generation, tokens, want string }{
		{`{` + heads + `}`, "", "", "-1 []"},
		{`{` + heads + `,"eos_token_id":[2,3]}`, "", "", "-1 [2 3]"},
		{`{` + heads + `,"eos_token_id":2}`, `{"eos_token_id":[4,1]}`, "", "-1 [4 1]"},
		{`{` + heads + `,"bos_token_id":1}`, "", `{"add_bos_token":true,"bos_token":"<s>"}`, "1 []"},
		{`{` + heads + `,"bos_token_id":1}`, "", `{"tokenizer_class":"LlamaTokenizer","bos_token":{"content":"<s>"},"added_tokens_decoder":{"3":{"content":"<s>"}}}`, "3 []"},
		{`{` + heads + `}`, "", `{"add_bos_token":true,"bos_token":"<s>"}`, "tells the number of bos_token"},
		{`{` + heads + `}`, "", `{"add_eos_token":true}`, "add_eos_token is true"},
		{`{` + heads + `,"eos_token_id":"x"}`, "", "", `eos_token_id is "x" and should be a number`},
	} {
		path := llamaFile(t, "model.", "other", c.config)
		for name, text := range map[string]string{"generation_config.json": c.generation, "tokenizer_config.json": c.tokens} {
			if text != "" && os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600) != nil {
				t.Fatal(name)
			}
		}
		if got := marks(Open(path)); !strings.Contains(got, c.want) {
			t.Errorf("%s %s %s: got %s, want %s", c.config, c.generation, c.tokens, got, c.want)
		}
	}
}

// TestPlainName checks that the prefixes that training adds to names are
// removed.
func TestPlainName(t *testing.T) {
	for name, want := range map[string]string{
		"blocks.0.att.key.weight":                                                     "blocks.0.att.key.weight",
		"module._orig_mod.blocks.0.att.key.weight":                                    "blocks.0.att.key.weight",
		"_orig_mod.module.module.blocks.0._orig_mod.att.key.weight":                   "blocks.0.att.key.weight",
		"_forward_module.model.emb.weight":                                            "emb.weight",
		"base_model.model.rwkv.embeddings.weight":                                     "rwkv.embeddings.weight",
		"_fsdp_wrapped_module.transformer.h.0._checkpoint_wrapped_module.ln_1.weight": "transformer.h.0.ln_1.weight",
		"model.model.layers.0.self_attn.q_proj.weight":                                "layers.0.self_attn.q_proj.weight",
	} {
		if got := plainName(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	const header = `{"emb.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"module.emb.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]}}`
	if got := opened(safetensorsFile(header, f32(1, 2)), "absent"); got != `tensors "emb.weight" and "module.emb.weight" are one weight` {
		t.Errorf("two names of one weight: %s", got)
	}
}

// TestNamesOfTheFile checks that a missing tensor is named as the file names
// others.
func TestNamesOfTheFile(t *testing.T) {
	b := ggufLlamaFile()
	for i := range 50 {
		f, err := parse(b)
		if err != nil {
			t.Fatal(err)
		}
		delete(f.tensors, "blk.1.ffn_up.weight")
		delete(f.tensors, "blk.1.attn_v.weight")
		if _, err = f.weights("absent"); err == nil || err.Error() != `tensor "blk.1.ffn_up.weight" is missing` {
			t.Fatalf("run %d: %v", i, err)
		}
	}
}
