package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// config completes what the shapes say.
func (f *File) config(w *Weights, own, config map[string]any, configFile string) (map[string]any, error) {
	if own != nil {
		return agree(w.Arch, own, config)
	}
	if w.Arch == "transformer" && config["positions"] == nil {
		return nil, errNoPositions
	}
	if w.Arch == "rwkv5" && f.format == formatRWKVCpp {
		config["group_norm_eps"] = 1e-5
	}
	switch {
	case f.format == formatGGUF:
		return config, f.ggufConfig(w, config)
	case f.format == formatRWKVCpp:
		for key, ours := range map[string]string{"n_vocab": "vocab", "n_embed": "dim", "n_layer": "layers"} {
			if f.Metadata[key] != strconv.Itoa(config[ours].(int)) {
				return nil, fmt.Errorf("the header says %s %s, the tensors %v", key, f.Metadata[key], config[ours])
			}
		}
	case w.Arch == "rwkv4" && w.Source["emb.weight"] != "emb.weight": // Hugging Face
		_, err := readHF(configFile, "rwkv")
		return config, err
	case w.Arch == "transformer":
		return config, f.gptConfig(config, len(w.Transposed) > 0, configFile)
	case w.Arch == "llama":
		return config, f.llamaConfig(w, config, configFile)
	}
	return config, nil
}

// ownConfig is the configuration that Save stored, nil where f is not of ours.
func (f *File) ownConfig() (map[string]any, error) {
	own := f.Metadata["config"]
	if f.format != formatSafetensors || own == "" || f.Metadata["arch"] == "" {
		return nil, nil
	}
	dec := json.NewDecoder(strings.NewReader(own))
	dec.UseNumber()
	var config map[string]any
	if err := dec.Decode(&config); err != nil || config == nil {
		return nil, fmt.Errorf("metadata %q is not a JSON object", "config")
	}
	for key, v := range config {
		n, ok := v.(json.Number)
		if !ok {
			continue
		}
		if i, err := strconv.Atoi(n.String()); err == nil {
			config[key] = i
		} else if x, err := n.Float64(); err == nil {
			config[key] = x
		} else {
			return nil, fmt.Errorf("the metadata says %.40q %.40v, which is no number of 64 bits", key, v)
		}
	}
	return config, nil
}

// ablated are the keys that the tensors of a model with parts taken out do not
// tell.
var ablated = []string{"head_size", "per_head", "exp_bonus", "output_gate"}

// agree completes our own configuration by what the shapes say, which must
// not contradict it: a model is built from it before the tensors are read.
func agree(arch string, own, shapes map[string]any) (map[string]any, error) {
	for key, v := range shapes {
		c, ok := own[key]
		if ok && slices.Contains(ablated, key) {
			continue
		}
		if ok && c != v {
			return nil, fmt.Errorf("the metadata says %s %.40s, the tensors %v", key, fmt.Sprint(c), v)
		}
		own[key] = v
	}
	if arch == "transformer" && shapes["positions"] == nil && own["positions"] != "rotary" {
		return nil, errNoPositions
	}
	return own, nil
}

var errNoPositions = errors.New(`tensor "transformer.wpe.weight" is missing`)
