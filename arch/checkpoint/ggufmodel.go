package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ggufArch maps the tensor names of an architecture in GGUF files.
type ggufArch struct {
	arch   string
	layers string // prefix of the number of a layer
	// names outside layers, and of the parts of a layer; the endings ".weight" and
	// ".bias" are kept
	top, part map[string]string
	// bare are the parts whose names lose that ending
	bare map[string]string
}

// ggufArchs are the supported architectures.
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

// fromGGUF adds the tensors of a GGUF file, whose matrices are all [out,in].
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
		if name == "rope_freqs.weight" {
			if err := neutralRope(t); err != nil {
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

// neutralRope refuses divisors of the RoPE frequencies other than 1.
func neutralRope(t *stored) error {
	if t.len() > 1<<16 {
		return fmt.Errorf("tensor %q has shape %v", t.Name, clipInts(t.Shape))
	}
	x, err := gather[float32](t)
	if err == nil && slices.ContainsFunc(x, func(v float32) bool { return v != 1 }) {
		err = fmt.Errorf("tensor %q scales the rotary positions (rope scaling of type llama3 or longrope), which is not supported", t.Name)
	}
	return err
}

// take adds a weight.
func (w *Weights) take(ours, name string, t *stored) error {
	if w.tensors[ours] != nil {
		return fmt.Errorf("tensors %.80q and %.80q are one weight", w.Source[ours], name)
	}
	w.tensors[ours], w.Source[ours] = t, name
	return nil
}

// ours returns the name of a tensor in this program.
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

// number returns an integer of the metadata, 0 where there is none.
func (f *File) number(key string) int {
	n, _ := strconv.Atoi(f.Metadata[key])
	return n
}

// unpermute restores the order of the rows of a Llama's queries and keys: rows
// 2i and 2i+1 of a head in the file are rows i and i+D/2 here.
func (f *File) unpermute(w *Weights) error {
	s := f.ggufDescription("llama.")
	heads, err := s.count("attention.head_count", 0)
	kv, err1 := s.count("attention.head_count_kv", 0)
	if err := cmp.Or(err, err1); err != nil {
		return err
	}
	kv = cmp.Or(kv, heads)
	for _, name := range w.Names() {
		H, t := heads, w.tensors[name]
		switch {
		case strings.HasSuffix(name, ".self_attn.k_proj.weight"):
			H = kv
		case !strings.HasSuffix(name, ".self_attn.q_proj.weight"):
			continue
		}
		if len(t.Shape) != 2 || H < 1 || t.Shape[0]%(2*H) != 0 {
			return fmt.Errorf("tensor %.80q has shape %v and should hold %d heads", t.Name, clipInts(t.Shape), H)
		}
		if t.len() > 0 {
			w.tensors[name] = t.permuted([]int{H, t.Shape[0] / H / 2, 2, t.Shape[1]}, []int{0, 2, 1, 3})
		}
	}
	return nil
}

// unscale undoes rescale_every_n_layers: to keep float16 in range, the two
// matrices of layer l that write to the residual stream were divided by
// 2^(l/n), and programs that read them halve the stream after every n layers.
// Powers of two are exact; the effect of halving on the eps of norms is the
// setting rescale of rwkv6.
func (f *File) unscale(w *Weights) error {
	n := f.number("rwkv6.rescale_every_n_layers")
	if n < 0 {
		return fmt.Errorf("rwkv6.rescale_every_n_layers is %d", n)
	}
	for _, name := range w.Names() {
		t := w.tensors[name]
		rest, ok := strings.CutPrefix(name, "blocks.")
		number, part, _ := strings.Cut(rest, ".")
		l, err := strconv.Atoi(number)
		if n == 0 || !ok || err != nil || l < n || part != "att.output.weight" && part != "ffn.value.weight" {
			continue
		}
		factor := float32(math.Ldexp(1, l/n))
		w.tensors[name] = t.transformed(func(x []float32) error {
			for i := range x {
				x[i] *= factor
			}
			return nil
		})
	}
	return nil
}

// headsOfRK gives r_k, which is flat in the file, the shape [H,N].
func (f *File) headsOfRK(w *Weights) error {
	N := f.number("rwkv7.wkv.head_size")
	for _, name := range w.Names() {
		t := w.tensors[name]
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

// ggufConfig adds what the tensors do not tell, and compares keys that repeat
// it with the tensors.
func (f *File) ggufConfig(w *Weights, config map[string]any) error {
	if kind, ok := f.Metadata["general.type"]; ok && kind != "model" {
		return fmt.Errorf("general.type is %.40q: only whole models are read", kind)
	}
	kind := f.Metadata["general.architecture"]
	s := f.ggufDescription(kind + ".")
	if err := s.check(ggufRules[kind], config); err != nil {
		return err
	}
	heads, err := s.count("attention.head_count", 0)
	kv, err1 := s.count("attention.head_count_kv", heads)
	if err := cmp.Or(err, err1); err != nil {
		return err
	}
	switch kind {
	case "gpt2":
		config["activation"] = "gelu_tanh"
		if heads > 0 {
			config["heads"] = heads
		}
		if kv != heads {
			return fmt.Errorf("gpt2.attention.head_count_kv %d is not supported, only head_count, which is %d", kv, heads)
		}
		return nil
	case "llama":
		return s.ggufLlama(config, heads, cmp.Or(kv, heads))
	}
	if H := config["dim"].(int) / config["head_size"].(int); heads != 0 && heads != H {
		return fmt.Errorf("%s.attention.head_count is %d, the tensors say %d", kind, heads, H)
	}
	n, err := s.count("rescale_every_n_layers", 0)
	if err == nil && n > 0 && n <= config["layers"].(int) {
		config["rescale"] = n
	}
	return err
}

// ggufDescription returns the keys of a namespace. A list is represented by an empty
// one, as no setting is a list.
func (f *File) ggufDescription(namespace string) description {
	s := description{namespace, map[string]any{}}
	for key, v := range f.values {
		name, ok := strings.CutPrefix(key, namespace)
		text := f.Metadata[key]
		x, err := strconv.ParseFloat(text, 64) // the shortest decimal of the float32
		switch {
		case !ok:
		case v.kind == ggufArray:
			s.values[name] = []any{}
		case v.kind == ggufBool:
			s.values[name] = text == "true"
		case v.kind == ggufString || err != nil:
			s.values[name] = text
		default:
			s.values[name] = x
		}
	}
	return s
}

// ggufLlama adds what a Llama's tensors do not tell.
func (s description) ggufLlama(config map[string]any, heads, kv int) error {
	if heads < 1 {
		return errors.New("llama.attention.head_count is missing")
	}
	D, err := s.count("attention.key_length", config["dim"].(int)/heads)
	DV, err1 := s.count("attention.value_length", D)
	turned, err2 := s.count("rope.dimension_count", D)
	theta, err3 := s.number("rope.freq_base", 10000)
	eps, err4 := s.number("attention.layer_norm_rms_epsilon", 1e-5)
	window, err5 := s.count("attention.sliding_window", 0)
	if err := cmp.Or(err, err1, err2, err3, err4, err5); err != nil {
		return err
	}
	switch {
	case DV != D:
		return fmt.Errorf("llama.attention.value_length %d is not supported, only that of keys, %d", DV, D)
	case turned != D:
		return fmt.Errorf("llama.rope.dimension_count %d is not supported, only the whole head of %d", turned, D)
	case !(theta > 0):
		return fmt.Errorf("llama.rope.freq_base is %v", theta)
	case !(eps >= 0):
		return fmt.Errorf("llama.attention.layer_norm_rms_epsilon is %v", eps)
	}
	config["heads"], config["kv_heads"], config["head_size"] = heads, kv, D
	config["rope"], config["rope_theta"], config["norm_eps"] = "half", theta, eps
	if window > 0 {
		config["window"] = window
	}
	return nil
}
