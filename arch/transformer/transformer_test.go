package transformer

import (
	"maps"
	"testing"

	"workbench/arch/archtest"
)

func TestContract(t *testing.T) {
	const C, L, V, F, P = 16, 2, 19, 40, 64
	weights := L*(3*C*C+C*C+2*C*F) + 2*V*C
	norms, biases := (2*L+1)*C, L*(3*C+C+F+C)
	for _, c := range []struct {
		name   string
		config map[string]any
		params int
	}{
		{"learned", map[string]any{}, weights + P*C + 2*norms + biases},
		{"rotary", map[string]any{"positions": "rotary"}, weights + 2*norms + biases},
		{"groups", map[string]any{"heads": 4, "kv_heads": 2}, weights - L*(C*C+C) + P*C + 2*norms + biases},
		{"window", map[string]any{"window": 4}, weights + P*C + 2*norms + biases},
		{"rotary, one head of keys, window", map[string]any{"positions": "rotary", "heads": 4, "kv_heads": 1, "window": 3}, weights - L*3*C/2*(C+1) + 2*norms + biases},
		{"cache of f16", map[string]any{"cache": "f16", "positions": "rotary"}, weights + 2*norms + biases},
		{"cache of bf16, groups, window", map[string]any{"cache": "bf16", "heads": 4, "kv_heads": 2, "window": 4}, weights - L*(C*C+C) + P*C + 2*norms + biases},
		{"no cache", map[string]any{"cache": "none"}, weights + P*C + 2*norms + biases},
		{"tied, tanh, no bias", map[string]any{"tied": true, "activation": "gelu_tanh", "bias": false}, weights - V*C + P*C + norms},
	} {
		config := map[string]any{"dim": C, "layers": L, "vocab": V, "ffn": F, "heads": 2, "context": P}
		maps.Copy(config, c.config)
		t.Run(c.name, func(t *testing.T) {
			archtest.Run(archtest.Spec{Arch: "transformer", Config: config, Params: c.params}, func(clause string, err error) {
				t.Run(clause, func(t *testing.T) {
					if err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
}
