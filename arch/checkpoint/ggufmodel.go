package checkpoint

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ggufArch is how the tensors of an architecture are called in GGUF files.
type ggufArch struct {
	arch   string
	layers string // before the number of a layer
	// names of what is no layer's, and of a layer's parts; their endings ".weight" and
	// ".bias" are kept
	top, part map[string]string
	// bare are parts whose names lose the ending
	bare map[string]string
}

// ggufArchs are the architectures that are read.
// Source: ggml-org/llama.cpp gguf-py/gguf/constants.py, convert_hf_to_gguf.py.
var ggufArchs = map[string]ggufArch{
	"gpt2": {"transformer", "transformer.h.",
		map[string]string{"token_embd": "transformer.wte", "position_embd": "transformer.wpe", "output_norm": "transformer.ln_f", "output": "lm_head"},
		map[string]string{"attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2",
			"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}, nil},
	"llama": {"llama", "model.layers.",
		map[string]string{"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"},
		map[string]string{"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
			"attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
			"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}, nil},
	"rwkv6": {"rwkv6", "blocks.", ggufRWKVTop,
		map[string]string{"attn_norm": "ln1", "attn_norm_2": "ln2", "time_mix_ln": "att.ln_x",
			"time_mix_receptance": "att.receptance", "time_mix_key": "att.key", "time_mix_value": "att.value", "time_mix_gate": "att.gate", "time_mix_output": "att.output",
			"channel_mix_key": "ffn.key", "channel_mix_value": "ffn.value", "channel_mix_receptance": "ffn.receptance"},
		map[string]string{"time_mix_first": "att.time_faaaa", "time_mix_decay": "att.time_decay", "time_mix_decay_w1": "att.time_decay_w1", "time_mix_decay_w2": "att.time_decay_w2",
			"time_mix_w1": "att.time_maa_w1", "time_mix_w2": "att.time_maa_w2", "time_mix_lerp_x": "att.time_maa_x",
			"time_mix_lerp_w": "att.time_maa_w", "time_mix_lerp_k": "att.time_maa_k", "time_mix_lerp_v": "att.time_maa_v", "time_mix_lerp_r": "att.time_maa_r", "time_mix_lerp_g": "att.time_maa_g",
			"channel_mix_lerp_k": "ffn.time_maa_k", "channel_mix_lerp_r": "ffn.time_maa_r"}},
	"rwkv7": {"rwkv7", "blocks.", ggufRWKVTop,
		map[string]string{"attn_norm": "ln1", "attn_norm_2": "ln2", "time_mix_ln": "att.ln_x",
			"time_mix_receptance": "att.receptance", "time_mix_key": "att.key", "time_mix_value": "att.value", "time_mix_output": "att.output",
			"channel_mix_key": "ffn.key", "channel_mix_value": "ffn.value"},
		map[string]string{"time_mix_w0": "att.w0", "time_mix_w1": "att.w1", "time_mix_w2": "att.w2", "time_mix_a0": "att.a0", "time_mix_a1": "att.a1", "time_mix_a2": "att.a2",
			"time_mix_v0": "att.v0", "time_mix_v1": "att.v1", "time_mix_v2": "att.v2", "time_mix_g1": "att.g1", "time_mix_g2": "att.g2",
			"time_mix_k_k": "att.k_k", "time_mix_k_a": "att.k_a", "time_mix_r_k": "att.r_k", "channel_mix_lerp_k": "ffn.x_k"}},
}

var ggufRWKVTop = map[string]string{"token_embd": "emb", "token_embd_norm": "blocks.0.ln0", "output_norm": "ln_out", "output": "head"}

// ggufFused are the mix vectors that time_mix_lerp_fused stacks.
var ggufFused = map[string][]string{
	"rwkv6": {"time_maa_w", "time_maa_k", "time_maa_v", "time_maa_r", "time_maa_g"},
	"rwkv7": {"x_r", "x_w", "x_k", "x_v", "x_a", "x_g"},
}

// fromGGUF takes in the tensors of a GGUF file. Its matrices are [out,in]
// throughout.
func (f *File) fromGGUF(w *Weights) error {
	kind := f.Metadata["general.architecture"]
	a, ok := ggufArchs[kind]
	if !ok {
		return fmt.Errorf("general.architecture is %.40q: of GGUF files rwkv6, rwkv7, llama and gpt2 are read", kind)
	}
	w.Arch = a.arch
	for _, name := range f.Names() {
		t := f.tensors[name].squeezed()
		ours, ok := a.ours(name)
		if layer, fused := strings.CutSuffix(ours, "time_mix_lerp_fused"); fused && ok {
			if err := w.unfuse(t, name, layer+"att.", ggufFused[kind]); err != nil {
				return err
			}
			continue
		}
		if !ok {
			return fmt.Errorf("unexpected tensor %.80q", name)
		}
		if err := w.take(ours, name, t); err != nil {
			return err
		}
	}
	w.tensors.dropValueMix(w.Arch)
	switch kind {
	case "llama":
		return f.unpermute(w)
	case "rwkv6":
		return f.unscale(w)
	case "rwkv7":
		return f.headsOfRK(w)
	}
	return nil
}

// take adds a weight.
func (w *Weights) take(ours, name string, t *stored) error {
	if w.tensors[ours] != nil {
		return fmt.Errorf("tensors %.80q and %.80q are one weight", w.Source[ours], name)
	}
	w.tensors[ours], w.Source[ours] = t, name
	return nil
}

// ours is a tensor's name in this program.
func (a ggufArch) ours(name string) (string, bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return "", false
	}
	stem, ending := name[:dot], name[dot:]
	layer, ok := strings.CutPrefix(stem, "blk.")
	if !ok {
		ours, ok := a.top[stem]
		return ours + ending, ok && (ending == ".weight" || ending == ".bias")
	}
	number, stem, _ := strings.Cut(layer, ".")
	if ours, ok := a.part[stem]; ok && (ending == ".weight" || ending == ".bias") {
		return a.layers + number + "." + ours + ending, true
	}
	if ours, ok := a.bare[stem]; ok && ending == ".weight" {
		return a.layers + number + "." + ours, true
	}
	return a.layers + number + "." + stem, a.bare != nil && stem == "time_mix_lerp_fused" && ending == ".weight"
}

// unfuse splits a stack of vectors [n,1,1,C].
func (w *Weights) unfuse(t *stored, name, prefix string, parts []string) error {
	if len(t.Shape) < 2 || t.Shape[0] != len(parts) || t.len() == 0 {
		return fmt.Errorf("tensor %.80q has shape %v and should hold %d vectors", name, clipInts(t.Shape), len(parts))
	}
	for i, part := range parts {
		if err := w.take(prefix+part, name, t.part(i, t.len()/len(parts))); err != nil {
			return err
		}
	}
	return nil
}

// number is a whole number of the metadata, 0 where there is none.
func (f *File) number(key string) int {
	n, _ := strconv.Atoi(f.Metadata[key])
	return n
}

// unpermute undoes the order of the rows of a Llama's queries and keys: row 2i
// of a head is there what row i is here, and 2i+1 what i+D/2 is.
func (f *File) unpermute(w *Weights) error {
	heads := f.number("llama.attention.head_count")
	kv := f.number("llama.attention.head_count_kv")
	if kv == 0 {
		kv = heads
	}
	for name, t := range w.tensors {
		H := heads
		switch {
		case strings.HasSuffix(name, ".self_attn.k_proj.weight"):
			H = kv
		case !strings.HasSuffix(name, ".self_attn.q_proj.weight"):
			continue
		}
		if len(t.Shape) != 2 || H < 1 || t.Shape[0]%(2*H) != 0 {
			return fmt.Errorf("tensor %.80q has shape %v and should hold %d heads", w.Source[name], clipInts(t.Shape), H)
		}
		if t.len() > 0 {
			w.tensors[name] = t.permuted([]int{H, t.Shape[0] / H / 2, 2, t.Shape[1]}, []int{0, 2, 1, 3})
		}
	}
	return nil
}

// unscale undoes rescale_every_n_layers: layer l's two matrices that write to
// the residual stream were divided by 2^(l/n), to keep float16 in range, and
// who reads them halves the stream after every n layers. The powers of two are
// exact; what the halving does to the eps of norms is the setting rescale of
// rwkv6.
func (f *File) unscale(w *Weights) error {
	n := f.number("rwkv6.rescale_every_n_layers")
	if n < 0 {
		return fmt.Errorf("rwkv6.rescale_every_n_layers is %d", n)
	}
	for name, t := range w.tensors {
		rest, ok := strings.CutPrefix(name, "blocks.")
		number, part, _ := strings.Cut(rest, ".")
		l, err := strconv.Atoi(number)
		if n == 0 || !ok || err != nil || l < n || part != "att.output.weight" && part != "ffn.value.weight" {
			continue
		}
		factor := float32(math.Ldexp(1, l/n))
		w.tensors[name] = t.mended(func(x []float32) error {
			for i := range x {
				x[i] *= factor
			}
			return nil
		})
	}
	return nil
}

// headsOfRK gives r_k, which is flat there, its shape [H,N].
func (f *File) headsOfRK(w *Weights) error {
	N := f.number("rwkv7.wkv.head_size")
	for name, t := range w.tensors {
		if !strings.HasSuffix(name, ".att.r_k") {
			continue
		}
		if N < 1 || t.len()%N != 0 {
			return fmt.Errorf("rwkv7.wkv.head_size is %d of %d channels", N, t.len())
		}
		w.tensors[name] = t.reshaped(t.len()/N, N)
	}
	return nil
}

// ggufConfig adds what the tensors do not tell.
func (f *File) ggufConfig(w *Weights, config map[string]any) error {
	kind := f.Metadata["general.architecture"]
	eps := 1e-5
	for _, key := range []string{".attention.layer_norm_epsilon", ".attention.layer_norm_rms_epsilon"} {
		if text, ok := f.Metadata[kind+key]; ok {
			x, err := strconv.ParseFloat(text, 64) // as short as its float32 allows
			if err != nil || !(x >= 0) || w.Arch != "llama" && x != eps {
				return fmt.Errorf("%s%s %.20s is not supported, only %v", kind, key, text, eps)
			}
			eps = x
		}
	}
	switch kind {
	case "gpt2":
		config["activation"] = "gelu_tanh"
		if n := f.number("gpt2.attention.head_count"); n > 0 {
			config["heads"] = n
		}
	case "llama":
		return f.ggufLlama(config, eps)
	case "rwkv6", "rwkv7":
		if n := f.number(kind + ".wkv.head_size"); n != 0 && n != config["head_size"] {
			return fmt.Errorf("%s.wkv.head_size is %d, the tensors say %v", kind, n, config["head_size"])
		}
		if n := f.number("rwkv6.rescale_every_n_layers"); n > 0 && n <= config["layers"].(int) {
			config["rescale"] = n
		}
	}
	return nil
}

// ggufLlama refuses by its name what this program would compute differently.
func (f *File) ggufLlama(config map[string]any, eps float64) error {
	heads, kv := f.number("llama.attention.head_count"), f.number("llama.attention.head_count_kv")
	if heads < 1 {
		return fmt.Errorf("llama.attention.head_count is missing")
	}
	if kv == 0 {
		kv = heads
	}
	D := f.number("llama.attention.key_length")
	if D == 0 {
		D = config["dim"].(int) / heads
	}
	if n := f.number("llama.rope.dimension_count"); n != 0 && n != D {
		return fmt.Errorf("llama.rope.dimension_count %d is not supported, only the whole head of %d", n, D)
	}
	if kind, ok := f.Metadata["llama.rope.scaling.type"]; ok && kind != "none" {
		return fmt.Errorf("llama.rope.scaling.type %.40q is not supported, only none", kind)
	}
	theta := 10000.0
	if text, ok := f.Metadata["llama.rope.freq_base"]; ok {
		var err error
		if theta, err = strconv.ParseFloat(text, 64); err != nil || !(theta > 0) {
			return fmt.Errorf("llama.rope.freq_base is %.20s", text)
		}
	}
	config["heads"], config["kv_heads"], config["head_size"] = heads, kv, D
	config["rope"], config["rope_theta"], config["norm_eps"] = "half", theta, eps
	return nil
}
