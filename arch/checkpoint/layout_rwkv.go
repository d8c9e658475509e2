package checkpoint

import (
	"fmt"
	"slices"
	"strings"
)

func layoutRWKV4(s *sizes) (map[string]any, map[string][]int) {
	config, want := s.rwkv()
	C, F, L := config["dim"].(int), config["ffn"].(int), config["layers"].(int)
	s.each(want, "blocks.%d.", L, map[string][]int{
		"att.time_mix_k": {C}, "att.time_mix_v": {C}, "att.time_mix_r": {C},
		"att.time_decay": {C}, "att.time_first": {C},
		"att.key.weight": {C, C}, "att.value.weight": {C, C}, "att.receptance.weight": {C, C}, "att.output.weight": {C, C},
		"ffn.time_mix_k": {C}, "ffn.time_mix_r": {C},
		"ffn.key.weight": {F, C}, "ffn.receptance.weight": {C, C}, "ffn.value.weight": {C, F},
	})
	return config, want
}

// layoutRWKV5 distinguishes 5.2 (decay and bonus [H,N]), 5.1 ([H], with or
// without the gate) and 5.0, whose bonus is the exponential of time_first.
func layoutRWKV5(s *sizes) (map[string]any, map[string][]int) {
	config, want := s.rwkv()
	C, F, L := config["dim"].(int), config["ffn"].(int), config["layers"].(int)
	bonus, gate := "time_faaaa", s.has("blocks.0.att.gate.weight")
	if s.has("blocks.0.att.time_first") {
		bonus = "time_first"
	}
	perHead := s.rank("blocks.0.att.time_decay", "blocks.0.att."+bonus) == 1
	H, N := s.heads(C, "blocks.0.att.time_decay", "blocks.0.att."+bonus)
	decay := []int{H, N}
	if perHead {
		decay = []int{H}
	}
	config["head_size"], config["per_head"], config["exp_bonus"] = N, perHead, bonus == "time_first"
	config["output_gate"] = onOff(gate)
	s.each(want, "blocks.%d.", L, map[string][]int{
		"att.time_mix_k": {C}, "att.time_mix_v": {C}, "att.time_mix_r": {C},
		"att.time_decay": decay, "att." + bonus: decay,
		"att.key.weight": {C, C}, "att.value.weight": {C, C}, "att.receptance.weight": {C, C}, "att.output.weight": {C, C},
		"att.ln_x.weight": {C}, "att.ln_x.bias": {C},
		"ffn.time_mix_k": {C}, "ffn.time_mix_r": {C},
		"ffn.key.weight": {F, C}, "ffn.receptance.weight": {C, C}, "ffn.value.weight": {C, F},
	})
	if gate {
		s.each(want, "blocks.%d.", L, map[string][]int{"att.time_mix_g": {C}, "att.gate.weight": {C, C}})
	}
	return config, want
}

func layoutRWKV6(s *sizes) (map[string]any, map[string][]int) {
	config, want := s.rwkv()
	C, F, L := config["dim"].(int), config["ffn"].(int), config["layers"].(int)
	H, N := s.heads(C, "blocks.0.att.time_faaaa")
	rm := s.axis("blocks.0.att.time_maa_w2", 2)
	rd := s.axis("blocks.0.att.time_decay_w1", 0)
	config["head_size"], config["mix_rank"], config["decay_rank"] = N, rm, rd
	s.each(want, "blocks.%d.", L, map[string][]int{
		"att.time_maa_x": {C}, "att.time_maa_w": {C}, "att.time_maa_k": {C}, "att.time_maa_v": {C}, "att.time_maa_r": {C}, "att.time_maa_g": {C},
		"att.time_maa_w1": {5 * rm, C}, "att.time_maa_w2": {5, C, rm},
		"att.time_decay": {C}, "att.time_decay_w1": {rd, C}, "att.time_decay_w2": {C, rd}, "att.time_faaaa": {H, N},
		"att.key.weight": {C, C}, "att.value.weight": {C, C}, "att.receptance.weight": {C, C}, "att.gate.weight": {C, C}, "att.output.weight": {C, C},
		"att.ln_x.weight": {C}, "att.ln_x.bias": {C},
		"ffn.time_maa_k": {C}, "ffn.time_maa_r": {C},
		"ffn.key.weight": {F, C}, "ffn.receptance.weight": {C, C}, "ffn.value.weight": {C, F},
	})
	return config, want
}

func layoutRWKV7(s *sizes) (map[string]any, map[string][]int) {
	config, want := s.rwkv()
	C, F, L := config["dim"].(int), config["ffn"].(int), config["layers"].(int)
	H, N := s.heads(C, "blocks.0.att.r_k")
	config["head_size"] = N
	block := map[string][]int{
		"att.x_r": {C}, "att.x_w": {C}, "att.x_k": {C}, "att.x_v": {C}, "att.x_a": {C}, "att.x_g": {C},
		"att.k_k": {C}, "att.k_a": {C}, "att.r_k": {H, N},
		"att.key.weight": {C, C}, "att.value.weight": {C, C}, "att.receptance.weight": {C, C}, "att.output.weight": {C, C},
		"att.ln_x.weight": {C}, "att.ln_x.bias": {C},
		"ffn.x_k": {C}, "ffn.key.weight": {F, C}, "ffn.value.weight": {C, F},
	}
	for _, lora := range []struct{ letter, key string }{{"w", "decay_rank"}, {"a", "iclr_rank"}, {"g", "gate_rank"}} {
		r := s.axis("blocks.0.att."+lora.letter+"1", 0)
		config[lora.key] = r
		block["att."+lora.letter+"1"], block["att."+lora.letter+"2"] = []int{r, C}, []int{C, r}
		if lora.letter != "g" {
			block["att."+lora.letter+"0"] = []int{C}
		}
	}
	s.each(want, "blocks.%d.", L, block)
	if L > 1 { // the first block has no earlier values to mix
		r := s.axis("blocks.1.att.v1", 0)
		config["value_rank"] = r
		for l := 1; l < L; l++ {
			p := fmt.Sprintf("blocks.%d.att.", l)
			want[p+"v0"], want[p+"v1"], want[p+"v2"] = []int{C}, []int{r, C}, []int{C, r}
		}
	}
	return config, want
}

// rwkv returns the configuration and tensors that all versions have.
func (s *sizes) rwkv() (config map[string]any, want map[string][]int) {
	V, C := s.matrix("emb.weight")
	F, _ := s.matrix("blocks.0.ffn.key.weight")
	L := s.layers("blocks.")
	want = map[string][]int{
		"emb.weight": {V, C}, "head.weight": {V, C},
		"blocks.0.ln0.weight": {C}, "blocks.0.ln0.bias": {C}, "ln_out.weight": {C}, "ln_out.bias": {C},
	}
	s.each(want, "blocks.%d.", L, map[string][]int{"ln1.weight": {C}, "ln1.bias": {C}, "ln2.weight": {C}, "ln2.bias": {C}})
	return map[string]any{"dim": C, "layers": L, "vocab": V, "ffn": F}, want
}

// heads returns the number H and size N of heads of C channels, from the first
// existing tensor of shape [H,N] or [H].
func (s *sizes) heads(C int, names ...string) (H, N int) {
	i := slices.IndexFunc(names, s.has)
	if i < 0 {
		s.missing(names[0])
		return 0, 1
	}
	t := s.ts[names[i]]
	if len(t.Shape) == 1 || len(t.Shape) == 2 {
		N = C / max(1, t.Shape[0])
	} else {
		s.fail("tensor %q has shape %v and should be [heads, head size]", t.Name, clipInts(t.Shape))
	}
	if s.err == nil && (N < 1 || C%N != 0) {
		s.fail("%d channels are not whole heads of %d", C, N)
	}
	return C / max(1, N), N
}

// loraParts are the endings of the names of matrices that RWKV-6 and 7 store
// [in,out].
var loraParts = map[string][]string{
	"rwkv6": {".att.time_maa_w1", ".att.time_maa_w2", ".att.time_decay_w1", ".att.time_decay_w2"},
	"rwkv7": {".att.w1", ".att.w2", ".att.a1", ".att.a2", ".att.v1", ".att.v2", ".att.g1", ".att.g2"},
}

// officialLoRA distinguishes official files, which store low-rank matrices
// [in,out], from those of web-rwkv's RWKV-7, which use the same names for
// [out,in], by the first matrix that is not square. Where all are square, the
// file is taken to be official.
func (ts tensors) officialLoRA(arch string) bool {
	emb := ts["emb.weight"]
	if emb == nil || len(emb.Shape) != 2 {
		return true
	}
	for _, name := range ts.names() {
		t := ts[name]
		if !isLoRA(arch, name) || len(t.Shape) != 2 || t.Shape[0] == t.Shape[1] {
			continue
		}
		return strings.HasSuffix(name, "1") == (t.Shape[0] == emb.Shape[1])
	}
	return true
}

// transposeLoRA transposes RWKV's low-rank matrices to [out,in], and returns the
// names of those transposed.
func (ts tensors) transposeLoRA(arch string) map[string]bool {
	turned := map[string]bool{}
	for _, name := range ts.names() {
		if t := ts[name]; isLoRA(arch, name) && len(t.Shape) >= 2 {
			ts[name], turned[name] = t.transposed(), true
		}
	}
	return turned
}

func isLoRA(arch, name string) bool {
	return slices.ContainsFunc(loraParts[arch], func(s string) bool { return strings.HasSuffix(name, s) })
}

// dropValueMix removes the weights that the first block of RWKV-7 does not use.
func (ts tensors) dropValueMix(arch string) {
	if arch != "rwkv7" {
		return
	}
	for _, part := range []string{"v0", "v1", "v2"} {
		delete(ts, "blocks.0.att."+part)
	}
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
