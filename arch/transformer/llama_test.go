package transformer

import (
	"maps"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
)

func TestLlamaContract(t *testing.T) {
	const C, L, V, F = 16, 2, 19, 40
	weights := func(heads, kv, head int) int {
		return L*(2*heads*head*C+2*kv*head*C+3*F*C+2*C) + C + 2*V*C
	}
	for _, c := range []struct {
		name   string
		config map[string]any
		params int
	}{
		{"two heads of keys, interleaved", map[string]any{"rope": "interleaved"}, weights(4, 2, 4)},
		{"one head of keys", map[string]any{"heads": 2, "kv_heads": 1}, weights(2, 1, 8)},
		{"as many, tied, theta", map[string]any{"kv_heads": 0, "tied": true, "rope_theta": 500000}, weights(4, 4, 4) - V*C},
		{"window", map[string]any{"window": 4}, weights(4, 2, 4)},
		{"window, interleaved, one head of keys", map[string]any{"window": 2, "rope": "interleaved", "kv_heads": 1}, weights(4, 1, 4)},
		{"cache of bf16", map[string]any{"cache": "bf16"}, weights(4, 2, 4)},
		{"cache of f16, window", map[string]any{"cache": "f16", "window": 4}, weights(4, 2, 4)},
		{"no cache, window", map[string]any{"cache": "none", "window": 4}, weights(4, 2, 4)},
		{"window, tied, wide heads, eps", map[string]any{"window": 4, "tied": true, "head_size": 6, "norm_eps": 1e-3}, weights(4, 2, 6) - V*C},
	} {
		config := map[string]any{"dim": C, "layers": L, "vocab": V, "ffn": F, "heads": 4, "kv_heads": 2}
		maps.Copy(config, c.config)
		t.Run(c.name, func(t *testing.T) {
			archtest.Run(archtest.Spec{Arch: "llama", Config: config, Params: c.params}, func(clause string, err error) {
				t.Run(clause, func(t *testing.T) {
					if err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
}

func TestLlamaRefuses(t *testing.T) {
	for _, c := range []struct {
		config map[string]any
		want   string
	}{
		{map[string]any{"heads": 3}, "set head_size"},
		{map[string]any{"head_size": 7}, "even"},
		{map[string]any{"kv_heads": 3}, "kv_heads 3 does not divide heads 4"},
		{map[string]any{"rope_theta": 0}, "rope_theta"},
		{map[string]any{"vocab": 0}, "at least 1"},
		{map[string]any{"rope": "spiral"}, "half, interleaved"},
	} {
		if _, _, err := arch.New("llama", c.config, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.config, err, c.want)
		}
	}
}
