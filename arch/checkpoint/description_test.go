package checkpoint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
	"workbench/kernels"
)

// TestSquareMatrices checks that names and formats tell the orientation of
// low-rank matrices where all are square.
func TestSquareMatrices(t *testing.T) {
	web := strings.NewReplacer("time_maa", "time_mix", "time_faaaa", "time_first")
	hf := strings.NewReplacer("emb.", "rwkv.embeddings.", "blocks.", "rwkv.blocks.", "ln_out.", "rwkv.ln_out.", ".ln0.", ".pre_ln.", ".att.", ".attention.", ".ffn.", ".feed_forward.")
	wrapped := func(s string) string { return "module._orig_mod." + flaNames()(s) }
	sevens := map[string]any{"dim": 32, "layers": 2, "vocab": 11, "decay_rank": 32, "iclr_rank": 32, "value_rank": 32, "gate_rank": 32}
	sixes := map[string]any{"dim": 32, "layers": 2, "vocab": 11, "mix_rank": 32, "decay_rank": 32}
	for _, c := range []struct {
		what, arch string
		config     map[string]any
		rename     func(string) string
		turn       func(string) bool
	}{
		{"official", "rwkv7", sevens, same, never},
		{"fla", "rwkv7", sevens, flaNames(), lora.MatchString},
		{"fla, wrapped", "rwkv7", sevens, wrapped, lora.MatchString},
		{"official", "rwkv6", sixes, same, never},
		{"Hugging Face", "rwkv6", sixes, hf.Replace, never},
		{"web-rwkv", "rwkv6", sixes, web.Replace, lora.MatchString},
	} {
		m, config := jittered(t, c.arch, c.config)
		comesBack(t, c.arch+" "+c.what, rewritten(t, save(t, c.arch, m, config), c.rename, c.turn), m)
	}
}

// TestConfigOfRWKV checks the config.json beside RWKV-4 to 7: repeated settings
// must match the tensors, constants follow the head size, and unknown keys are
// refused by name.
func TestConfigOfRWKV(t *testing.T) {
	hf := strings.NewReplacer("emb.", "rwkv.embeddings.", "blocks.", "rwkv.blocks.", "ln_out.", "rwkv.ln_out.", ".ln0.", ".pre_ln.", ".att.", ".attention.", ".ffn.", ".feed_forward.")
	for _, c := range []struct{ arch, json, want string }{
		{"rwkv4", `"model_type":"rwkv","hidden_size":32,"attention_hidden_size":32,"intermediate_size":128,"num_hidden_layers":2,"vocab_size":11,"layer_norm_epsilon":1e-05,"rescale_every":6,"context_length":1024,"use_cache":true,"torch_dtype":"bfloat16"`, ""},
		{"rwkv4", `"num_hidden_layers":3`, "num_hidden_layers is 3, the tensors say layers 2"},
		{"rwkv4", `"attention_hidden_size":64`, "attention_hidden_size is 64, the tensors say dim 32"},
		{"rwkv4", `"layer_norm_epsilon":1e-6`, "layer_norm_epsilon 1e-06 is not supported, only 1e-05"},
		{"rwkv4", `"tie_word_embeddings":true`, "tie_word_embeddings true is not supported"},
		{"rwkv4", `"model_type":"rwkv5"`, `model_type "rwkv5" is not supported`},
		{"rwkv4", `"quantization_config":{"bits":4}`, `quantization_config is {"bits":4}, which this program does not know`},
		{"rwkv5", `"model_type":"rwkv5","head_size":32,"head_size_divisor":4,"num_attention_heads":1,"model_version":"5_2"`, "group_norm_eps:0.00016"},
		{"rwkv5", `"head_size":16`, "head_size is 16, the tensors say head_size 32"},
		{"rwkv6", `"model_type":"rwkv6","head_size_divisor":8,"num_attention_heads":32,"rescale_every":2`, "rescale:2"},
		{"rwkv6", `"num_attention_heads":2`, "num_attention_heads is 2, the tensors say 1 heads of 32 channels"},
		{"rwkv7", `"model_type":"rwkv7","head_dim":32,"num_heads":1,"hidden_act":"sqrelu","norm_first":true,"norm_bias":true,"norm_eps":1e-05,"value_dim":[32,32],"attn":null,"hidden_ratio":4.0,"fuse_norm":false`, "group_norm_eps:0.00032"},
		{"rwkv7", `"norm_eps":1e-06`, "norm_eps 1e-06 is not supported"},
		{"rwkv7", `"hidden_act":"silu"`, `hidden_act "silu" is not supported`},
		{"rwkv7", `"gate_low_rank_dim":16`, "gate_low_rank_dim is 16, the tensors say gate_rank 32"},
		{"rwkv7", `"attn":{"layers":[1]}`, `attn {"layers":[1]} is not supported, only null`},
		{"rwkv7", `"value_dim":64`, "value_dim 64 is not supported, only 32"},
		{"rwkv7", `"num_heads":2`, "num_heads is 2, the tensors say 1"},
	} {
		m, config := jittered(t, c.arch, small)
		rename, turn := hf.Replace, never
		if c.arch == "rwkv7" {
			rename, turn = flaNames(), lora.MatchString
		}
		path := rewritten(t, save(t, c.arch, m, config), rename, turn)
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "config.json"), []byte("{"+c.json+"}"), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := checkpoint.Open(path)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(w.Config)
			w.Close()
		}
		if !strings.Contains(got, c.want) || strings.Contains(got, "\n") || c.want == "" && err != nil {
			t.Errorf("%s %s: got %s, want %s", c.arch, c.json, got, c.want)
		}
	}
}

// TestTooLarge checks that a file of Save whose configuration asks for a far
// larger model than it holds is refused before memory is allocated.
func TestTooLarge(t *testing.T) {
	m, config := jittered(t, "rwkv7", small)
	for key, value := range map[string]any{"dim": 1 << 24, "layers": 1 << 24, "vocab": 1 << 24, "gate_rank": 1 << 24, "ffn": 1 << 24} {
		w, err := checkpoint.Open(save(t, "rwkv7", m, with(with(config, "head_size", 0), key, value)))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := arch.EmptyWithin(w.Arch, w.Config, w.Len()); err == nil || !strings.Contains(err.Error(), "the configuration asks for more than") {
			t.Errorf("%s: %v", key, err)
		}
		w.Close()
	}
}

// TestOverflow checks that the error for a weight beyond the range of a storage
// type names the weight.
func TestOverflow(t *testing.T) {
	m, config := jittered(t, "rwkv4", small)
	nn.Walk(m, func(p nn.Param) {
		if p.Name == "blocks.1.ffn.value.weight" {
			p.Tensor.Data[5] = 7e5
		}
	})
	w, err := checkpoint.Open(rewritten(t, save(t, "rwkv4", m, config), func(s string) string { return "module." + s }, never))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for as, want := range map[kernels.DType]string{kernels.F16: `tensor "module.blocks.1.ffn.value.weight": as f16: row 0: column 5: weight 700000 is beyond the range of f16`,
		kernels.Q8_0: "column 0: weight 700000 is beyond the range of q8_0", kernels.Q4_0: "is beyond the range of q4_0", kernels.BF16: ""} {
		got, _, err := arch.EmptyWithin(w.Arch, w.Config, w.Len())
		if err == nil {
			err = checkpoint.AssignAs(got, w, as)
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", as, err, want)
		}
	}
}

// TestPartOfModel checks that one of several files is refused.
func TestPartOfModel(t *testing.T) {
	m, config := jittered(t, "rwkv4", small)
	part := filepath.Join(t.TempDir(), "model-00001-of-00002.safetensors")
	if err := os.Rename(rewritten(t, save(t, "rwkv4", m, config), same, never), part); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Open(part); err == nil || !strings.Contains(err.Error(), "is part 00001 of 00002: give their index, model.safetensors.index.json") {
		t.Errorf("part 1 of 2: %v", err)
	}
}
