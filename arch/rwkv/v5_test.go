package rwkv

import (
	"math"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/nn"
)

func TestContract5(t *testing.T) {
	const C, L, V, F, N = 16, 2, 19, 40, 8
	const H = C / N
	// 6 square matrices, 2 of the channel mixing; vectors: 6 mixes, decay,
	// bonus, 2 of ln_x, 4 of the norms.
	full := 2*V*C + L*(6*C*C+2*C*F+14*C) + 4*C
	config := map[string]any{"dim": C, "layers": L, "vocab": V, "ffn": F, "head_size": N, "group_norm_eps": smooth}
	contract(t, "rwkv5", config, full, append([]ablation{
		{"token_shift", "none", -L * 6 * C}, {"channel_shift", "none", -L * 2 * C},
		{"time_decay", "fixed", 0}, {"time_decay", "shared", L * (1 - C)}, {"time_decay", "none", -L * C},
		{"bonus", "off", -L * C}, {"output_gate", "off", -L * (C*C + C)}, {"group_norm", "off", -L * 2 * C},
		{"channel_receptance", "off", -L * (C*C + C)}, {"ln0", "off", -2 * C},
		{"per_head", true, L * 2 * (H - C)}, {"exp_bonus", true, 0},
	}, unweighed...))
	config["per_head"], config["exp_bonus"], config["output_gate"] = true, true, "off" // 5.0
	contract(t, "rwkv5", config, full+L*2*(H-C)-L*(C*C+C), nil)
}

// TestLinearAttention checks that without decay, token shift and bonus the
// memory is the plain sum of kᵀv, as in linear attention without a feature map.
// Source: Katharopoulos et al., arXiv 2006.16236, equation 9.
func TestLinearAttention(t *testing.T) {
	const C, N, V, T = 24, 8, 17, 9
	m, _, err := arch.New("rwkv5", map[string]any{"dim": C, "layers": 1, "vocab": V, "head_size": N,
		"time_decay": "none", "token_shift": "none", "channel_shift": "none", "bonus": "off", "output_gate": "off", "group_norm": "off"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	archtest.Jitter(m, 3)
	a := m.(*stack[*state5]).Blocks[0].(*block[*state5]).Att.(*timeMix5)
	g := nn.Inference()
	x := nn.Uniform(nn.New(1, T, C), nn.Rand(4, "x"), 1)
	zero := nn.New(1, T, C)
	got := a.forward(g, zero, x, &state5{})

	q, k, v := nn.Linear(g, a.Receptance, x).Data, nn.Linear(g, a.Key, x).Data, nn.Linear(g, a.Value, x).Data
	sums := nn.New(1, T, C)
	for i := range T * C {
		t, c := i/C, i%C
		for s := range t + 1 {
			score := 0.0
			for j := c / N * N; j < c/N*N+N; j++ {
				score += float64(q[t*C+j]) * float64(k[s*C+j])
			}
			sums.Data[i] += float32(score * float64(v[s*C+c]))
		}
	}
	want := nn.Linear(g, a.Output, sums)
	for i, w := range want.Data {
		if d := math.Abs(float64(got.Data[i] - w)); d > 1e-4*(1+math.Abs(float64(w))) {
			t.Fatalf("[%d]: %v, linear attention says %v", i, got.Data[i], w)
		}
	}
}
