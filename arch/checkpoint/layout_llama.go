package checkpoint

import "strings"

// llamaPrefixes are the first parts of the names in a Hugging Face Llama
// without its head; with the head, "model." precedes them.
var llamaPrefixes = []string{"embed_tokens.", "layers.", "norm."}

// llamaName returns the name with that prefix.
func llamaName(name string) string {
	for _, prefix := range llamaPrefixes {
		if strings.HasPrefix(name, prefix) {
			return "model." + name
		}
	}
	return name
}

// isRotaryTable reports the RoPE angles that older Llama files hold beside
// weights.
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
