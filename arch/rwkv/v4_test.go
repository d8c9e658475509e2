package rwkv

import (
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
)

// unweighed are ablations that change the number of weights of no version.
var unweighed = []ablation{
	{"channel_activation", "relu", 0}, {"channel_activation", "gelu", 0}, {"channel_activation", "silu", 0},
	{"small_init", "off", 0}, {"decay_spread", 0.0, 0}, {"channel_shift", "learned", 0}, {"channel_shift", "fixed", 0},
	{"token_shift", "fixed", 0},
}

func TestContract4(t *testing.T) {
	const C, L, V, F = 16, 2, 19, 40
	// 5 square matrices, 2 of the channel mixing; 9 vectors in the parts and
	// 4 in the norms of a block; ln0 and ln_out.
	full := 2*V*C + L*(5*C*C+2*C*F+11*C) + 4*C
	config := map[string]any{"dim": C, "layers": L, "vocab": V, "ffn": F}
	contract(t, "rwkv4", config, full, append([]ablation{
		{"token_shift", "none", -L * 5 * C}, {"channel_shift", "none", -L * 2 * C},
		{"time_decay", "fixed", 0}, {"time_decay", "shared", L * (1 - C)}, {"time_decay", "none", -L * C},
		{"bonus", "off", -L * C}, {"receptance", "off", -L * (C*C + C)}, {"channel_receptance", "off", -L * (C*C + C)},
		{"ln0", "off", -2 * C},
	}, unweighed...))
	config["token_shift"], config["time_decay"] = "none", "none"
	contract(t, "rwkv4", config, full-L*6*C, nil)
}

// TestFixedIsFrozen: the ablation "fixed" freezes its weights and no others.
func TestFixedIsFrozen(t *testing.T) {
	type frozen struct{ arch, key, parts string }
	for _, c := range []frozen{
		{"rwkv4", "token_shift", "time_mix"}, {"rwkv4", "channel_shift", "ffn.time_mix"}, {"rwkv4", "time_decay", "time_decay"},
		{"rwkv5", "token_shift", "time_mix"}, {"rwkv5", "channel_shift", "ffn.time_mix"}, {"rwkv5", "time_decay", "time_decay"},
		{"rwkv6", "token_shift", "time_maa"}, {"rwkv6", "channel_shift", "ffn.time_maa"}, {"rwkv6", "time_decay", "time_decay"},
		{"rwkv7", "token_shift", ".x_"}, {"rwkv7", "channel_shift", "ffn.x_"}, {"rwkv7", "time_decay", ".w0"}, {"rwkv7", "iclr", ".a0"},
	} {
		m, _, err := arch.New(c.arch, map[string]any{"dim": 8, "layers": 2, c.key: "fixed"}, 1)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		nn.Walk(m, func(p nn.Param) {
			want := strings.Contains(p.Name, c.parts)
			if p.Tensor.Const != want {
				t.Errorf("%s %s=fixed: %s frozen is %v", c.arch, c.key, p.Name, p.Tensor.Const)
			}
			if want {
				n++
			}
		})
		if n == 0 {
			t.Errorf("%s %s=fixed freezes nothing", c.arch, c.key)
		}
	}
}
