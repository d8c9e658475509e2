package checkpoint

import (
	"regexp"
	"strings"
)

// flaRWKV maps the names of fla's RWKV-7 on Hugging Face to the official ones;
// its low-rank matrices are [out,in].
// Source: fla-org/flash-linear-attention fla/models/rwkv7, fla/layers/rwkv7.py.
var flaRWKV = strings.NewReplacer(
	"embeddings.", "emb.",
	"layers.", "blocks.",
	"lm_head.", "head.",
	".pre_norm.", ".ln0.",
	".attn_norm.", ".ln1.",
	".ffn_norm.", ".ln2.",
	".attn.r_proj.", ".att.receptance.",
	".attn.k_proj.", ".att.key.",
	".attn.v_proj.", ".att.value.",
	".attn.o_proj.", ".att.output.",
	".attn.g_norm.", ".att.ln_x.",
	".attn.", ".att.",
)

var flaLoRA = regexp.MustCompile(`\.([wavg])_lora\.lora\.(0\.weight|2\.weight|2\.bias)$`)

// flaName returns the official name for a name of fla without the prefix
// "model.".
func flaName(name string) string {
	if last, ok := strings.CutPrefix(name, "norm."); ok {
		return "ln_out." + last
	}
	name = flaRWKV.Replace(name)
	if m := flaLoRA.FindStringSubmatch(name); m != nil {
		digit := map[string]string{"0.weight": "1", "2.weight": "2", "2.bias": "0"}[m[2]]
		return strings.TrimSuffix(name, m[0]) + "." + m[1] + digit
	}
	return name
}

// isFLA reports whether the names are those of fla's RWKV-7.
func isFLA(names []string) bool {
	for _, name := range names {
		if name = plainName(name); strings.HasPrefix(name, "layers.") && strings.HasSuffix(name, ".attn.r_proj.weight") {
			return true
		}
	}
	return false
}

// fromWebRWKV renames weights with web-rwkv's names to the official ones: in
// web-rwkv, version 6 calls time_maa time_mix and stores its matrices [out,in],
// and 5 and 6 call time_faaaa time_first. It reports whether the file is such a
// version 6.
func (w *Weights) fromWebRWKV() (six bool) {
	six = w.tensors["blocks.0.att.time_mix_x"] != nil
	for _, name := range w.tensors.names() {
		ours := name
		t := w.tensors[name]
		if six {
			ours = strings.Replace(ours, ".time_mix_", ".time_maa_", 1)
		}
		if first, ok := strings.CutSuffix(ours, ".time_first"); ok && len(t.Shape) == 2 {
			ours = first + ".time_faaaa"
		}
		if ours != name {
			w.tensors[ours], w.Source[ours] = t, w.Source[name]
			delete(w.tensors, name)
			delete(w.Source, name)
		}
	}
	return six
}
