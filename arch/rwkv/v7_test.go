package rwkv

import "testing"

func TestContract7(t *testing.T) {
	const C, V, F, N = 16, 19, 56, 8
	const rw, ra, rv, rg = 3, 4, 5, 6
	L := 2
	// 4 square matrices, 2 of the channel mixing; low-rank ones, those of the
	// value residual but for the first layer; vectors: 6+1 mixes, w0, a0, k_k,
	// k_a, r_k, 2 of ln_x, 4 of the norms, and v0.
	full := func() int { return 2*V*C + L*(4*C*C+2*C*F+2*C*(rw+ra+rg)+18*C) + (L-1)*(2*C*rv+C) + 4*C }
	config := map[string]any{"dim": C, "layers": L, "vocab": V, "ffn": F, "head_size": N,
		"decay_rank": rw, "iclr_rank": ra, "value_rank": rv, "gate_rank": rg, "group_norm_eps": smooth}
	contract(t, "rwkv7", config, full(), append([]ablation{
		{"token_shift", "none", -L * 7 * C}, {"channel_shift", "none", -L * C},
		{"time_decay", "static", -L * (2*C*rw + C)}, {"time_decay", "fixed", -L * (2*C*rw + C)},
		{"time_decay", "shared", -L * (2*C*rw + 2*C - 1)}, {"time_decay", "none", -L * (2*C*rw + 2*C)},
		{"iclr", "static", -L * (2*C*ra + C)}, {"iclr", "fixed", -L * (2*C*ra + C)}, {"iclr", "off", -L * (2*C*ra + 3*C)},
		{"removal", "off", -L * C}, {"value_residual", "off", -(L - 1) * (2*C*rv + C)},
		{"bonus", "off", -L * C}, {"output_gate", "off", -L * (2*C*rg + C)}, {"group_norm", "off", -L * 2 * C},
		{"ln0", "off", -2 * C},
	}, unweighed...))
	L = 3 // has a layer that takes the first one's values and hands them on
	config["layers"] = L
	contract(t, "rwkv7", config, full(), nil)
}
