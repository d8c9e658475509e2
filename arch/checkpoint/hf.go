package checkpoint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// fromHF adds what the shapes do not tell, from the config.json beside a model
// with Hugging Face's names and from the defaults of transformers.
func (w *Weights) fromHF(config map[string]any, path string) error {
	if w.fla { // fla/layers/rwkv7.py; the official code uses 64e-5 for every head size
		config["group_norm_eps"] = float64(config["head_size"].(int)) * 1e-5
	}
	s, err := readDescription(path)
	if err != nil || s.values == nil {
		return err
	}
	model, err := s.text("model_type", hfModels[w.Arch][0])
	if err != nil {
		return err
	}
	if types := hfModels[w.Arch]; !slices.Contains(types, model) {
		return fmt.Errorf("%smodel_type %.40q is not supported for tensors of these names, only %s", s.from, model, strings.Join(types, " and "))
	}
	if err := s.check(hfRules[w.Arch], config); err != nil {
		return err
	}
	switch w.Arch {
	case "transformer":
		return s.gpt2(w, config)
	case "llama":
		return s.llama(w, config, model == "mistral")
	case "rwkv7":
		return s.fla(config)
	}
	return s.rwkv(config)
}

// gpt2 adds what a GPT-2's tensors do not tell.
func (s description) gpt2(w *Weights, config map[string]any) error {
	activation, err := s.text("activation_function", "gelu_new")
	if err != nil {
		return err
	}
	switch activation {
	case "gelu_new", "gelu_pytorch_tanh", "gelu_fast":
		config["activation"] = "gelu_tanh"
	case "gelu":
		config["activation"] = "gelu"
	default:
		return fmt.Errorf("%sactivation_function %.40q is not supported, only gelu_new and gelu", s.from, activation)
	}
	heads, err := s.count("n_head", 0)
	if err == nil && heads > 0 {
		config["heads"] = heads
	}
	if err != nil {
		return err
	}
	return s.tied(w, config, true)
}

// tied compares tie_word_embeddings with the tensors: config says "tied" where
// the head is absent or equals the embedding.
func (s description) tied(w *Weights, config map[string]any, otherwise bool) error {
	tied, err := s.boolean("tie_word_embeddings", otherwise)
	switch {
	case err != nil:
		return err
	case tied && config["tied"] != true:
		return fmt.Errorf("%stie_word_embeddings is true, and tensor %q is not the embedding", s.from, w.Source["lm_head.weight"])
	case !tied && config["tied"] == true && !w.tiedHead:
		return fmt.Errorf("%stie_word_embeddings is false, and tensor \"lm_head.weight\" is missing", s.from)
	}
	return nil
}

// llama adds what a Llama's tensors do not tell.
func (s description) llama(w *Weights, config map[string]any, mistral bool) error {
	heads, err := s.count("num_attention_heads", 0)
	kv, window := heads, 0
	if mistral {
		kv, window = 8, 4096
	}
	kv, err1 := s.count("num_key_value_heads", kv)
	D, err2 := s.count("head_dim", 0)
	eps, err3 := s.number("rms_norm_eps", 1e-6)
	theta, err4 := s.rope()
	window, err5 := s.window(window)
	if err := cmp.Or(err, err1, err2, err3, err4, err5); err != nil {
		return err
	}
	if heads < 1 || kv < 1 || !(eps >= 0) || !(theta > 0) {
		return fmt.Errorf("%snum_attention_heads %d, num_key_value_heads %d, rms_norm_eps %v, rope_theta %v: not a model", s.from, heads, kv, eps, theta)
	}
	if D == 0 {
		D = config["dim"].(int) / heads
	}
	for _, p := range []struct {
		name  string
		heads int
	}{{"q_proj", heads}, {"k_proj", kv}} {
		t := w.tensors["model.layers.0.self_attn."+p.name+".weight"]
		if t.Shape[0] != p.heads*D {
			return fmt.Errorf("%s%d heads of %d channels are not the %d rows of tensor %q", s.from, p.heads, D, t.Shape[0], t.Name)
		}
	}
	config["heads"], config["kv_heads"], config["head_size"] = heads, kv, D
	config["rope"], config["rope_theta"], config["norm_eps"], config["window"] = "half", theta, eps, window
	return s.tied(w, config, false)
}

// window is the number of positions that a query sees, 0 for all.
func (s description) window(otherwise int) (int, error) {
	if v, ok := s.values["sliding_window"]; ok && v == nil {
		otherwise = 0
	}
	n, err := s.count("sliding_window", otherwise)
	use, err1 := s.boolean("use_sliding_window", true)
	if err := cmp.Or(err, err1); err != nil {
		return 0, err
	}
	if !use {
		n = 0
	}
	kind := "full_attention"
	if n > 0 {
		kind = "sliding_attention"
	}
	list, ok := s.values["layer_types"].([]any)
	if s.has("layer_types") && (!ok || slices.ContainsFunc(list, func(v any) bool { return v != kind })) {
		return 0, fmt.Errorf("%slayer_types is not supported with layers other than %s", s.from, kind)
	}
	return n, nil
}

// ropeRules are the rules for the keys inside rope_scaling and rope_parameters;
// the latter replaces rope_theta and rope_scaling since transformers 5.
var ropeRules = map[string]rule{
	"rope_type": only("default", "linear"), "type": only("default", "linear"), "factor": only(1.0), "rope_theta": applied,
	"partial_rotary_factor": only(1.0), "attention_factor": only(1.0), "original_max_position_embeddings": harmless("other types alone read it"),
}

// rope returns the base of the RoPE angles. Scaled angles are refused.
func (s description) rope() (float64, error) {
	theta, err := s.number("rope_theta", 0)
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		if err != nil || !s.has(key) {
			continue
		}
		inside, ok := s.values[key].(map[string]any)
		if !ok {
			return 0, fmt.Errorf("%s%s is %.40s and should be null or an object", s.from, key, show(s.values[key]))
		}
		in := description{s.from + key + ".", inside}
		if err := in.check(ropeRules, nil); err != nil {
			return 0, err
		}
		other, err := in.number("rope_theta", 0)
		if err != nil {
			return 0, err
		}
		if theta != 0 && other != 0 && theta != other {
			return 0, fmt.Errorf("%srope_theta is %v, and %srope_theta is %v", s.from, theta, in.from, other)
		}
		if other != 0 {
			theta = other
		}
	}
	if theta == 0 && !s.has("rope_theta") {
		theta = 10000
	}
	return theta, err
}

// rwkv adds what the tensors of versions 4 to 6 do not tell.
func (s description) rwkv(config map[string]any) error {
	if s.has("head_size_divisor") { // GroupNorm of y/d with eps 1e-5 is that of y with eps d²·1e-5
		d, err := s.number("head_size_divisor", 8)
		if err != nil || !(d > 0) {
			return fmt.Errorf("%shead_size_divisor is %.40s: not a model", s.from, show(s.values["head_size_divisor"]))
		}
		config["group_norm_eps"] = d * d * 1e-5
	}
	if n, ok := config["head_size"].(int); ok && s.has("num_attention_heads") {
		// Note: the code of rwkv5 and rwkv6 also uses this name for the size of a
		// head.
		if v := show(s.values["num_attention_heads"]); v != show(n) && v != show(config["dim"].(int)/n) {
			return fmt.Errorf("%snum_attention_heads is %.40s, the tensors say %d heads of %d channels", s.from, v, config["dim"].(int)/n, n)
		}
	}
	if config["mix_rank"] == nil { // not version 6
		return nil
	}
	n, err := s.count("rescale_every", 6)
	if err == nil && n > 0 && n <= config["layers"].(int) {
		config["rescale"] = n
	}
	return err
}

// fla compares what fla's config.json repeats with the tensors.
func (s description) fla(config map[string]any) error {
	C, N := config["dim"].(int), config["head_size"].(int)
	if s.has("num_heads") && show(s.values["num_heads"]) != show(C/N) {
		return fmt.Errorf("%snum_heads is %.40s, the tensors say %d", s.from, show(s.values["num_heads"]), C/N)
	}
	list, ok := s.values["value_dim"].([]any)
	if !ok && s.has("value_dim") {
		list = []any{s.values["value_dim"]}
	}
	for _, v := range list {
		if show(v) != show(C) {
			return fmt.Errorf("%svalue_dim %.40s is not supported, only %d", s.from, show(v), C)
		}
	}
	return nil
}
