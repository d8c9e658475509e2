package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// huggingFaceRWKV maps the names of Hugging Face's RWKV-4 to 6, without their
// prefix "rwkv.", to the official ones.
var huggingFaceRWKV = strings.NewReplacer(
	"embeddings.", "emb.",
	".pre_ln.", ".ln0.",
	".attention.", ".att.",
	".feed_forward.", ".ffn.",
	"time_mix_key", "time_mix_k",
	"time_mix_value", "time_mix_v",
	"time_mix_receptance", "time_mix_r",
	"time_mix_gate", "time_mix_g",
)

// wrappers are prefixes that training tools add to the names of a model or,
// those that begin with '_', of a part of it: torch's DataParallel and compile,
// Lightning, FSDP, activation checkpointing, PEFT.
var wrappers = []string{"module.", "model.", "base_model.", "_orig_mod.", "_forward_module.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."}

// plainName removes these prefixes, in any order and number.
// Note: the names of Llama and fla begin with "model." themselves, which is put
// back.
func plainName(name string) string {
	for _, w := range wrappers {
		if w[0] == '_' {
			name = strings.ReplaceAll(name, w, "")
		}
	}
	for again := true; again; {
		again = false
		for _, w := range wrappers {
			var cut bool
			name, cut = strings.CutPrefix(name, w)
			again = again || cut
		}
	}
	return name
}

// ourName is the name of a weight in this program: the official name of RWKV,
// that of nanoGPT, that of torch.nn.RNN.
func ourName(name string) string {
	if s, ok := strings.CutPrefix(name, "rwkv."); ok {
		return huggingFaceRWKV.Replace(s)
	}
	for _, prefix := range []string{"wte.", "wpe.", "h.", "ln_f."} { // GPT-2 without its head
		if strings.HasPrefix(name, prefix) {
			return "transformer." + name
		}
	}
	return llamaName(name)
}

// isMask reports buffers that are not weights: GPT-2's causal mask and its fill
// value, Llama's angles.
func isMask(name string, t *stored) bool {
	return strings.HasSuffix(name, ".attn.bias") && len(t.Shape) == 4 ||
		strings.HasSuffix(name, ".attn.masked_bias") && len(t.Shape) == 0 ||
		isRotaryTable(name)
}

// signs identify an architecture by a part of a name; the first match decides.
var signs = []struct{ part, arch string }{
	{".att.k_k", "rwkv7"},
	{".att.r_k", "rwkv7"},
	{".att.time_maa_x", "rwkv6"},
	{".att.time_mix_x", "rwkv6"}, // web-rwkv's
	{".att.gate.", "rwkv5"},
	{".att.ln_x.", "rwkv5"},
	{".att.receptance.", "rwkv4"},
	{".attn.c_attn.", "transformer"},
	{".self_attn.", "llama"},
}

// detect identifies the architecture of the weights.
func detect(ts tensors) (string, error) {
	names := ts.names()
	for _, s := range signs {
		if slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, s.part) }) {
			return s.arch, nil
		}
	}
	if kind, err := recurrent(ts); kind != "" || err != nil {
		return kind, err
	}
	if len(names) == 0 {
		return "", errors.New("holds no tensors")
	}
	return "", fmt.Errorf("the architecture cannot be told from the names of its %d tensors, such as %.80q", len(names), names[0])
}
