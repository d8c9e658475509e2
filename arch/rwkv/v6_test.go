package rwkv

import "testing"

func TestContract6(t *testing.T) {
	const C, L, V, F, N = 16, 2, 19, 40, 8
	const rm, rd = 3, 5
	// 6 square matrices, 2 of the channel mixing; the low-rank ones of 5 mixes
	// and of the decay; vectors: 6+2 mixes, decay, bonus, 2 of ln_x, 4 of the
	// norms.
	full := 2*V*C + L*(6*C*C+2*C*F+2*C*(5*rm+rd)+16*C) + 4*C
	const mix = 2*C*rm + C // and what chooses it
	config := map[string]any{"dim": C, "layers": L, "vocab": V, "ffn": F, "head_size": N, "mix_rank": rm, "decay_rank": rd, "group_norm_eps": smooth}
	contract(t, "rwkv6", config, full, append([]ablation{
		{"token_shift", "learned", -L * (10*C*rm + C)}, {"token_shift", "fixed", -L * (10*C*rm + C)},
		{"token_shift", "none", -L * (10*C*rm + 8*C)}, {"channel_shift", "none", -L * 2 * C},
		{"time_decay", "static", -L * (2*C*rd + mix)}, {"time_decay", "fixed", -L * (2*C*rd + mix)},
		{"time_decay", "shared", -L * (2*C*rd + mix + C - 1)}, {"time_decay", "none", -L * (2*C*rd + mix + C)},
		{"bonus", "off", -L * C}, {"output_gate", "off", -L * (C*C + mix)}, {"group_norm", "off", -L * 2 * C},
		{"channel_receptance", "off", -L * (C*C + C)}, {"ln0", "off", -2 * C},
	}, unweighed[:len(unweighed)-1]...)) // all but a fixed token shift
}
