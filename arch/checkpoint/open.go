package checkpoint

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Open opens a model: one that Save wrote; RWKV-4 to 7 under official names,
// those of Hugging Face, of fla or of web-rwkv, or from rwkv.cpp; a GPT-2 of
// nanoGPT or Hugging Face; a Llama; torch's recurrent layers between embedding
// and head; a GGUF of rwkv6, rwkv7, llama or gpt2. It tells the architecture
// from the names, maps them to ours and undoes what a converter did. Where a
// head shares its values with the embedding, only the embedding is kept. The
// weights stay in the file until Assign; the caller closes it.
func Open(path string) (*Weights, error) {
	f, err := OpenTensors(path)
	if err != nil {
		return nil, err
	}
	w, err := f.weights(filepath.Join(filepath.Dir(path), "config.json"))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

func (f *File) weights(configFile string) (*Weights, error) {
	w := &Weights{Source: map[string]string{}, Metadata: f.Metadata, Transposed: map[string]bool{}, tensors: tensors{}, file: f}
	own, err := f.ownConfig()
	if err != nil {
		return nil, err
	}
	if f.format == formatGGUF {
		err = f.fromGGUF(w)
	} else {
		err = f.fromNames(w, own)
	}
	if err != nil {
		return nil, err
	}
	if err := w.dropTiedHead(own); err != nil {
		return nil, err
	}
	s := &sizes{ts: w.tensors, own: own}
	config, want := layouts[w.Arch](s)
	if s.err != nil {
		return nil, s.err
	}
	if err := w.tensors.bounded(want, f.size); err != nil {
		return nil, err
	}
	if own == nil { // of ours, Assign knows what the configuration leaves
		if err := w.tensors.check(want); err != nil {
			return nil, err
		}
	}
	w.Config, err = f.config(w, own, config, configFile)
	return w, err
}

// fromNames takes in the tensors of a file that is no GGUF.
func (f *File) fromNames(w *Weights, own map[string]any) (err error) {
	ts, names := w.tensors, f.Names()
	called := ourName
	if isFLA(names) {
		called = flaName
	}
	for _, name := range names {
		ours, t := called(name), f.tensors[name]
		if isMask(ours, t) {
			continue
		}
		if err := w.take(ours, name, t.squeezed()); err != nil {
			return err
		}
	}
	if own != nil {
		w.Arch = f.Metadata["arch"]
	} else if w.Arch, err = detect(ts); err != nil {
		return err
	}
	if layouts[w.Arch] == nil {
		return fmt.Errorf("the architecture is %.40s, and this program has only %s", w.Arch,
			strings.Join(slices.Sorted(maps.Keys(layouts)), ", "))
	}
	switch {
	case f.format == formatRWKVCpp:
		err = w.fromRWKVCpp()
	case w.Arch == "transformer":
		w.Transposed = ts.transposeConv1D()
	case own == nil && (w.Arch == "rwkv5" || w.Arch == "rwkv6"):
		w.fromWebRWKV()
	}
	if w.Arch == "rwkv6" || w.Arch == "rwkv7" {
		if f.format != formatRWKVCpp {
			w.Transposed = ts.turnLoRA(w.Arch)
		}
		ts.dropValueMix(w.Arch)
	}
	return err
}

// embeddings are the matrices that heads may share their values with.
var embeddings = []string{"transformer.wte.weight", "model.embed_tokens.weight"}

// dropTiedHead takes away a head that equals the embedding.
func (w *Weights) dropTiedHead(own map[string]any) error {
	const head = "lm_head.weight"
	t := w.tensors[head]
	if t == nil || own != nil && own["tied"] == false {
		return nil
	}
	for _, e := range embeddings {
		same, err := t.same(w.tensors[e])
		if err != nil {
			return err
		}
		if same {
			delete(w.tensors, head)
			delete(w.Source, head)
		}
	}
	return nil
}
