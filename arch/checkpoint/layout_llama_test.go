package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// llamaFile writes a Llama of 2 layers of 4 channels, 4 heads of 2 and 2 of
// keys and values, with a config.json unless config is "". Every element is 0
// but those of head, which is left out where it is "".
func llamaFile(t testing.TB, prefix, head, config string) string {
	shapes := map[string][]int{prefix + "embed_tokens.weight": {5, 4}, prefix + "norm.weight": {4}}
	for l := range 2 {
		for name, shape := range map[string][]int{
			"input_layernorm": {4}, "post_attention_layernorm": {4},
			"self_attn.q_proj": {8, 4}, "self_attn.k_proj": {4, 4}, "self_attn.v_proj": {4, 4}, "self_attn.o_proj": {4, 8},
			"mlp.gate_proj": {6, 4}, "mlp.up_proj": {6, 4}, "mlp.down_proj": {4, 6},
		} {
			shapes[fmt.Sprintf("%slayers.%d.%s.weight", prefix, l, name)] = shape
		}
		shapes[fmt.Sprintf("%slayers.%d.self_attn.rotary_emb.inv_freq", prefix, l)] = []int{1}
	}
	if head != "" {
		shapes["lm_head.weight"] = []int{5, 4}
	}
	header, data := map[string]any{}, []byte(nil)
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		n, _ := elements(shapes[name])
		x := make([]float32, n)
		if name == "lm_head.weight" && head == "other" {
			x[0] = 1
		}
		from := len(data)
		data = append(data, f32(x...)...)
		header[name] = map[string]any{"dtype": "F32", "shape": shapes[name], "data_offsets": []int{from, len(data)}}
	}
	b, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, safetensorsFile(string(b), data), 0o600); err != nil {
		t.Fatal(err)
	}
	if config != "" {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestLlamaConfig(t *testing.T) {
	const heads = `"num_attention_heads":4,"num_key_value_heads":2,"head_dim":2`
	for _, c := range []struct{ head, config, want string }{
		{"other", `{"model_type":"llama",` + heads + `,"rope_scaling":null,"rope_theta":500000.0,"rms_norm_eps":1e-05}`,
			"map[dim:4 ffn:6 head_size:2 heads:4 kv_heads:2 layers:2 norm_eps:1e-05 rope:half rope_theta:500000 tied:false vocab:5 window:0]"},
		{"", `{"model_type":"mistral",` + heads + `,"sliding_window":3,"tie_word_embeddings":true,"rope_scaling":{"rope_type":"default"}}`,
			"map[dim:4 ffn:6 head_size:2 heads:4 kv_heads:2 layers:2 norm_eps:1e-06 rope:half rope_theta:10000 tied:true vocab:5 window:3]"},
		{"same", `{` + heads + `,"sliding_window":3,"use_sliding_window":false,"tie_word_embeddings":true,"rope_parameters":{"rope_type":"default","rope_theta":7.5}}`,
			"map[dim:4 ffn:6 head_size:2 heads:4 kv_heads:2 layers:2 norm_eps:1e-06 rope:half rope_theta:7.5 tied:true vocab:5 window:0]"},
		{"other", "", "map[dim:4 ffn:6 layers:2 tied:false vocab:5]"},
		{"other", `{` + heads + `,"tie_word_embeddings":true}`, "is not the embedding"},
		{"", `{` + heads + `,"tie_word_embeddings":false}`, `"lm_head.weight" is missing`},
		{"", `{` + heads + `,"rope_scaling":{"type":"linear","factor":2.0}}`, "rope_scaling.factor 2 is not supported"},
		{"", `{` + heads + `,"rope_scaling":{"rope_type":"llama3"}}`, `rope_scaling.rope_type "llama3" is not supported`},
		{"", `{` + heads + `,"rope_scaling":{"factor":2}}`, "rope_scaling.factor 2 is not supported"},
		{"", `{` + heads + `,"rope_scaling":3}`, "rope_scaling is 3 and should be null or an object"},
		{"", `{` + heads + `,"rope_parameters":{"rope_type":"yarn"}}`, `rope_parameters.rope_type "yarn" is not supported`},
		{"other", `{` + heads + `,"num_hidden_layers":3}`, "num_hidden_layers is 3, the tensors say layers 2"},
		{"other", `{` + heads + `,"intermediate_size":7}`, "intermediate_size is 7, the tensors say ffn 6"},
		{"other", `{` + heads + `,"rope_scaling":{"rope_type":"linear","factor":1.0},"pretraining_tp":2,"max_position_embeddings":64}`, "rope_theta:10000"},
		{"other", `{` + heads + `,"rope_theta":5.0,"rope_parameters":{"rope_theta":6.0}}`, "rope_theta is 5, and "},
		{"other", `{` + heads + `,"rope_parameters":{"rope_type":"default","low_freq_factor":1}}`, "rope_parameters.low_freq_factor is 1, which this program does not know"},
		{"other", `{` + heads + `,"query_pre_attn_scalar":2}`, "query_pre_attn_scalar is 2, which this program does not know"},
		{"other", `{` + heads + `,"final_logit_softcapping":null,"num_local_experts":8}`, "num_local_experts 8 is not supported"},
		{"other", `{` + heads + `,"layer_types":["full_attention","sliding_attention"]}`, "layer_types is not supported"},
		{"other", `{"model_type":"mistral",` + heads + `}`, "window:4096"},
		{"", `{` + heads + `,"partial_rotary_factor":0.5}`, "partial_rotary_factor 0.5 is not supported"},
		{"", `{` + heads + `,"attention_bias":true}`, "attention_bias"},
		{"", `{` + heads + `,"hidden_act":"gelu"}`, `hidden_act "gelu" is not supported`},
		{"", `{` + heads + `,"model_type":"gemma"}`, `model_type "gemma" is not supported`},
		{"", `{` + heads + `,"rope_theta":-1}`, "not a model"},
		{"", `{"num_attention_heads":0}`, "not a model"},
		{"", `{"num_attention_heads":4}`, "4 heads of 1 channels are not the 8 rows"},
		{"", `{"num_attention_heads":4,"head_dim":2}`, `4 heads of 2 channels are not the 4 rows of tensor "model.layers.0.self_attn.k_proj.weight"`},
		{"", `{`, "config.json: unexpected end"},
	} {
		w, err := Open(llamaFile(t, "model.", c.head, c.config))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(w.Config)
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.config, got, c.want)
		}
	}
}

// TestLlamaWithoutHead reads the names of a model saved without its head.
func TestLlamaWithoutHead(t *testing.T) {
	w, err := Open(llamaFile(t, "", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	if w.Arch != "llama" || len(w.Names()) != 20 || w.Shape("model.layers.1.self_attn.o_proj.weight") == nil || w.Shape("model.norm.weight") == nil {
		t.Errorf("got %s of %d tensors", w.Arch, len(w.Names()))
	}
}
