package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// llamaPrefixes begin the names of a Hugging Face Llama without its head; with
// it they follow "model.".
var llamaPrefixes = []string{"embed_tokens.", "layers.", "norm."}

// llamaName is the name with the prefix.
func llamaName(name string) string {
	for _, prefix := range llamaPrefixes {
		if strings.HasPrefix(name, prefix) {
			return "model." + name
		}
	}
	return name
}

// isRotaryTable tells the angles that older Llama files hold beside weights.
func isRotaryTable(name string) bool { return strings.HasSuffix(name, ".rotary_emb.inv_freq") }

func layoutLlama(s *sizes) (map[string]any, map[string][]int) {
	V, C := s.matrix("model.embed_tokens.weight")
	F, _ := s.matrix("model.layers.0.mlp.gate_proj.weight")
	Q, _ := s.matrix("model.layers.0.self_attn.q_proj.weight")
	KV, _ := s.matrix("model.layers.0.self_attn.k_proj.weight")
	L := s.layers("model.layers.")
	want := map[string][]int{"model.embed_tokens.weight": {V, C}, "model.norm.weight": {C}}
	if s.ts["lm_head.weight"] != nil {
		want["lm_head.weight"] = []int{V, C}
	}
	s.each(want, "model.layers.%d.", L, map[string][]int{
		"input_layernorm.weight": {C}, "post_attention_layernorm.weight": {C},
		"self_attn.q_proj.weight": {Q, C}, "self_attn.k_proj.weight": {KV, C},
		"self_attn.v_proj.weight": {KV, C}, "self_attn.o_proj.weight": {C, Q},
		"mlp.gate_proj.weight": {F, C}, "mlp.up_proj.weight": {F, C}, "mlp.down_proj.weight": {C, F},
	})
	return map[string]any{"dim": C, "layers": L, "vocab": V, "ffn": F, "tied": s.ts["lm_head.weight"] == nil}, want
}

// llamaHF is what matters here of a Hugging Face config.json.
type llamaHF struct {
	Model         string          `json:"model_type"`
	Heads         int             `json:"num_attention_heads"`
	KVHeads       int             `json:"num_key_value_heads"`
	HeadDim       int             `json:"head_dim"`
	Theta         float64         `json:"rope_theta"`
	Eps           float64         `json:"rms_norm_eps"`
	Tied          *bool           `json:"tie_word_embeddings"`
	Scaling       json.RawMessage `json:"rope_scaling"`
	Rope          json.RawMessage `json:"rope_parameters"` // rope_theta and rope_scaling since transformers 5
	Partial       *float64        `json:"partial_rotary_factor"`
	Window        int             `json:"sliding_window"`
	UseWindow     *bool           `json:"use_sliding_window"`
	Activation    string          `json:"hidden_act"`
	AttentionBias bool            `json:"attention_bias"`
	MLPBias       bool            `json:"mlp_bias"`
}

// ropeHF is how a config.json says that angles are not those of the positions.
type ropeHF struct {
	Type  string  `json:"rope_type"`
	Old   string  `json:"type"`
	Theta float64 `json:"rope_theta"`
}

// llamaConfig adds what a Llama's tensors do not tell: config.json's word, and
// transformers' defaults for what it leaves out.
func (f *File) llamaConfig(w *Weights, config map[string]any, path string) error {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	hf := llamaHF{Theta: 10000, Eps: 1e-6}
	if err == nil {
		err = json.Unmarshal(b, &hf)
	}
	if err == nil {
		err = hf.supported()
	}
	if err == nil {
		err = hf.complete(f, w, config)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// supported refuses by its name what this program would compute differently.
func (c *llamaHF) supported() error {
	if c.Model != "" && c.Model != "llama" && c.Model != "mistral" {
		return fmt.Errorf("model_type %.40q is not supported, only llama and mistral", c.Model)
	}
	for _, r := range []struct {
		key string
		raw json.RawMessage
	}{{"rope_scaling", c.Scaling}, {"rope_parameters", c.Rope}} {
		var rope ropeHF
		if len(r.raw) == 0 || string(r.raw) == "null" {
			continue
		}
		if err := json.Unmarshal(r.raw, &rope); err != nil {
			return fmt.Errorf("%s: %w", r.key, err)
		}
		for _, kind := range []string{rope.Type, rope.Old} {
			if kind != "" && kind != "default" {
				return fmt.Errorf("%s %.40q is not supported, only null or default", r.key, kind)
			}
		}
		if r.key == "rope_scaling" && rope.Type+rope.Old == "" {
			return fmt.Errorf("rope_scaling %.40s is not supported, only null or default", r.raw)
		}
		if rope.Theta != 0 {
			c.Theta = rope.Theta
		}
	}
	switch {
	case c.Activation != "" && c.Activation != "silu":
		return fmt.Errorf("hidden_act %.40q is not supported, only silu", c.Activation)
	case c.AttentionBias || c.MLPBias:
		return fmt.Errorf("attention_bias and mlp_bias are not supported")
	case c.Partial != nil && *c.Partial != 1:
		return fmt.Errorf("partial_rotary_factor %v is not supported, only 1", *c.Partial)
	case c.Heads < 1 || c.KVHeads < 0 || c.HeadDim < 0 || c.Window < 0:
		return fmt.Errorf("num_attention_heads %d, num_key_value_heads %d, head_dim %d, sliding_window %d: not a model",
			c.Heads, c.KVHeads, c.HeadDim, c.Window)
	case !(c.Theta > 0) || !(c.Eps >= 0):
		return fmt.Errorf("rope_theta %v, rms_norm_eps %v: not a model", c.Theta, c.Eps)
	}
	return nil
}

// complete fills in config, and holds it against the tensors.
func (c *llamaHF) complete(f *File, w *Weights, config map[string]any) error {
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadDim == 0 {
		c.HeadDim = config["dim"].(int) / c.Heads
	}
	for _, p := range []struct {
		name  string
		heads int
	}{{"q_proj", c.Heads}, {"k_proj", c.KVHeads}} {
		name := w.Source["model.layers.0.self_attn."+p.name+".weight"]
		if rows := f.Shape(name)[0]; rows != p.heads*c.HeadDim {
			return fmt.Errorf("%d heads of %d channels are not the %d rows of tensor %q", p.heads, c.HeadDim, rows, name)
		}
	}
	switch head := f.Shape("lm_head.weight") != nil; {
	case c.Tied == nil:
	case *c.Tied && !config["tied"].(bool):
		return errors.New(`tie_word_embeddings is true, and tensor "lm_head.weight" is not the embedding`)
	case !*c.Tied && !head:
		return errors.New(`tie_word_embeddings is false, and tensor "lm_head.weight" is missing`)
	}
	config["heads"], config["kv_heads"], config["head_size"] = c.Heads, c.KVHeads, c.HeadDim
	config["rope"], config["rope_theta"], config["norm_eps"] = "half", c.Theta, c.Eps
	if c.UseWindow == nil || *c.UseWindow {
		config["window"] = c.Window
	}
	return nil
}
