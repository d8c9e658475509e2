package checkpoint

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Open opens a model: one that Save wrote; RWKV-4 to 7 with the names of the
// official code, Hugging Face, fla or web-rwkv, or from rwkv.cpp; a GPT-2 of
// nanoGPT or Hugging Face; a Llama; torch's recurrent layers between embedding
// and head; a GGUF of rwkv6, rwkv7, llama or gpt2. It identifies the
// architecture by the names, maps them to ours and undoes the changes of
// converters. Where a head equals the embedding, only the embedding is kept.
// Weights stay in the file until Assign; the caller must close it. What a file
// says of its model is applied, or refused by name.
func Open(path string) (*Weights, error) {
	f, err := OpenTensors(path)
	if err != nil {
		return nil, err
	}
	w, err := f.weights(filepath.Dir(path))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

// weights returns the weights of an open file; dir is the folder of
// accompanying files.
func (f *File) weights(dir string) (*Weights, error) {
	w := &Weights{Source: map[string]string{}, Metadata: f.Metadata, Transposed: map[string]bool{}, tensors: tensors{}, file: f, dir: dir}
	if f.ours() {
		return w, w.fromOurs()
	}
	if err := f.onePart(); err != nil {
		return nil, err
	}
	var err error
	if f.format == formatGGUF {
		err = f.fromGGUF(w)
	} else {
		err = f.fromNames(w)
	}
	if err != nil {
		return nil, err
	}
	if err := w.dropTiedHead(); err != nil {
		return nil, err
	}
	s := &sizes{ts: w.tensors, shown: w.inFile}
	config, want := layouts[w.Arch](s)
	if s.err != nil {
		return nil, s.err
	}
	if err := w.tensors.bounded(want, f.size); err != nil {
		return nil, err
	}
	if err := w.check(want); err != nil {
		return nil, err
	}
	w.Config = config
	return w, f.config(w, config)
}

// onePart refuses one part of a model in several files.
func (f *File) onePart() error {
	m := partName.FindStringSubmatch(filepath.Base(f.path))
	if m == nil || f.format == formatGGUF || strings.Trim(m[3], "0") == "1" {
		return nil
	}
	return fmt.Errorf("is part %s of %s: give their index, %s.%s.index.json", m[2], m[3], m[1], m[4])
}

// fromNames adds the tensors of a file other than GGUF.
func (f *File) fromNames(w *Weights) (err error) {
	ts, names := w.tensors, f.Names()
	w.fla = isFLA(names)
	called := ourName
	if w.fla {
		called = flaName
	}
	for _, name := range names {
		ours, t := called(plainName(name)), f.tensors[name]
		if isMask(ours, t) {
			continue
		}
		if err := w.take(ours, name, t.squeezed()); err != nil {
			return err
		}
	}
	if w.Arch, err = detect(ts); err != nil {
		return err
	}
	switch {
	case f.format == formatRWKVCpp:
		err = w.fromRWKVCpp()
	case w.Arch == "transformer":
		w.Transposed = ts.transposeConv1D()
	case w.Arch == "rwkv5":
		w.fromWebRWKV()
	case w.Arch == "rwkv6":
		if web := w.fromWebRWKV(); !web {
			w.Transposed = ts.transposeLoRA("rwkv6")
		}
	case w.Arch == "rwkv7" && !w.fla && ts.officialLoRA("rwkv7"):
		w.Transposed = ts.transposeLoRA("rwkv7")
	}
	ts.dropValueMix(w.Arch)
	return err
}

// embeddings are the matrices that a head may share.
var embeddings = []string{"transformer.wte.weight", "model.embed_tokens.weight"}

// dropTiedHead removes a head that equals the embedding.
func (w *Weights) dropTiedHead() error {
	const head = "lm_head.weight"
	t := w.tensors[head]
	if t == nil {
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
			w.tiedHead = true
		}
	}
	return nil
}
