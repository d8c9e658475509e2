package rwkv

import (
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/nn"
)

func TestContract(t *testing.T) {
	const C, L, V, F = 16, 2, 19, 40
	// 5 square matrices, 2 of the channel mixing; 9 vectors in the parts and
	// 4 in the norms of a block; ln0 and ln_out.
	full := 2*V*C + L*(5*C*C+2*C*F+11*C) + 4*C
	for _, c := range []struct {
		name   string
		config map[string]any
		params int
	}{
		{"learned", nil, full},
		{"shift fixed", map[string]any{"token_shift": "fixed"}, full},
		{"shift none", map[string]any{"token_shift": "none"}, full - L*5*C},
		{"decay fixed", map[string]any{"time_decay": "fixed"}, full},
		{"decay none", map[string]any{"time_decay": "none"}, full - L*C},
		{"neither", map[string]any{"time_decay": "none", "token_shift": "none"}, full - L*6*C},
	} {
		config := map[string]any{"dim": C, "layers": L, "vocab": V, "ffn": F}
		for k, v := range c.config {
			config[k] = v
		}
		t.Run(c.name, func(t *testing.T) {
			archtest.Run(archtest.Spec{Arch: "rwkv4", Config: config, Params: c.params}, func(clause string, err error) {
				t.Run(clause, func(t *testing.T) {
					if err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
}

// TestFixedIsFrozen: the ablation "fixed" freezes its weights and no others.
func TestFixedIsFrozen(t *testing.T) {
	for _, c := range []struct{ key, contains string }{{"token_shift", "time_mix"}, {"time_decay", "time_decay"}} {
		m, _, err := arch.New("rwkv4", map[string]any{"dim": 8, "layers": 1, c.key: "fixed"}, 1)
		if err != nil {
			t.Fatal(err)
		}
		nn.Walk(m, func(p nn.Param) {
			if want := strings.Contains(p.Name, c.contains); p.Tensor.Const != want {
				t.Errorf("%s=fixed: %s frozen is %v", c.key, p.Name, p.Tensor.Const)
			}
		})
	}
}
