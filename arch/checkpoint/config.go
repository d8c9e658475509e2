package checkpoint

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// config adds what the shapes do not tell, and refuses contradictions.
func (f *File) config(w *Weights, config map[string]any) error {
	if w.Arch == "transformer" && config["positions"] == nil {
		return fmt.Errorf("tensor %q is missing", w.inFile("transformer.wpe.weight"))
	}
	if w.Arch == "rwkv5" && f.format == formatRWKVCpp {
		config["group_norm_eps"] = 1e-5
	}
	switch {
	case f.format == formatGGUF:
		return f.ggufConfig(w, config)
	case f.format == formatRWKVCpp:
		return f.textDescription("").check(rwkvCppRules, config)
	case w.huggingFace():
		if w.Arch == "transformer" {
			config["activation"] = "gelu_tanh"
		}
		return w.fromHF(config, filepath.Join(w.dir, "config.json"))
	case w.Arch == "transformer":
		return f.nanoGPT(config)
	}
	return nil
}

// huggingFace reports names of Hugging Face, whose models come with a
// config.json.
func (w *Weights) huggingFace() bool {
	switch w.Arch {
	case "transformer":
		return len(w.Transposed) > 0
	case "rwkv4", "rwkv5", "rwkv6", "rwkv7":
		return w.fla || strings.HasSuffix(w.Source["emb.weight"], "embeddings.weight")
	}
	return w.Arch == "llama"
}

// rwkvCppRules are the rules for the numbers in the header of an rwkv.cpp file.
var rwkvCppRules = map[string]rule{
	"n_vocab": is("vocab"), "n_embed": is("dim"), "n_layer": is("layers"),
	"version": harmless("of the file"), "data_type": harmless(isStored),
}

// nanoGPTRules are the rules for the arguments that nanoGPT stores with a
// model.
var nanoGPTRules = map[string]rule{
	"n_layer": is("layers"), "n_embd": is("dim"), "vocab_size": is("vocab"), "block_size": is("context"), "bias": is("bias"),
	"n_head": applied, "dropout": harmless(isTraining),
}

// nanoGPT adds what the tensors of a nanoGPT do not tell.
func (f *File) nanoGPT(config map[string]any) error {
	config["activation"] = "gelu"
	s := f.textDescription("model_args.")
	if err := s.check(nanoGPTRules, config); err != nil {
		return err
	}
	heads, err := s.count("n_head", 0)
	if err == nil && heads > 0 {
		config["heads"] = heads
	}
	return err
}

// textDescription returns the metadata under a namespace.
func (f *File) textDescription(namespace string) description {
	s := description{namespace, map[string]any{}}
	for _, key := range slices.Sorted(maps.Keys(f.Metadata)) {
		name, ok := strings.CutPrefix(key, namespace)
		text := f.Metadata[key]
		if x, err := strconv.ParseFloat(text, 64); ok && err == nil {
			s.values[name] = x
		} else if b, err := strconv.ParseBool(text); ok && err == nil {
			s.values[name] = b
		} else if ok {
			s.values[name] = text
		}
	}
	return s
}
