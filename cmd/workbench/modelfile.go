package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/settings"
	"workbench/arch/tokenizer"
	"workbench/kernels"
)

// modelFlags are the flags of every command that reads a model file.
type modelFlags struct{ path, set, dtype, vocabulary string }

// asFile keeps a file's matrices as they are stored, where a kernel reads them.
const asFile = "file"

// declare adds --model, --set and --dtype.
func (f *modelFlags) declare(fs *flag.FlagSet, dtype string) {
	fs.StringVar(&f.path, "model", "", "model `FILE`: safetensors, .pth, GGUF or rwkv.cpp")
	fs.StringVar(&f.set, "set", "", "what the file does not say of the model, `key=value,...` (heads=4)")
	fs.StringVar(&f.dtype, "dtype", dtype, "`TYPE` that matrices are kept as: f32 (exact), file (as it holds them: less memory, and quantised ones round what they meet), bf16, f16, q8_0 or q4_0")
}

// declareTokens adds --tokenizer.
func (f *modelFlags) declareTokens(fs *flag.FlagSet) {
	fs.StringVar(&f.vocabulary, "tokenizer", "", "`NAME`: bytes, chars, world or a vocabulary file (default: the one the model file holds or names, else by the number of its tokens)")
}

// fileModel is a model with what its file says of it.
type fileModel struct {
	arch.Model
	path    string
	config  map[string]any // resolved
	weights *checkpoint.Weights
	outline *arch.Outline
	sum     string // of the weights, once it was wanted
}

// close gives the file back; the model stays.
func (m *fileModel) close() { m.weights.Close() }

// open reads the model.
func (f *modelFlags) open() (*fileModel, error) {
	if f.path == "" {
		return nil, usageError{errors.New("a model is needed: --model FILE")}
	}
	return openModel(f.path, f.set, f.dtype)
}

// openModel reads a model file; set adds to the configuration that it implies.
func openModel(path, set, dtype string) (*fileModel, error) {
	more, err := settings.Parse(set)
	if err != nil {
		return nil, usageError{fmt.Errorf("--set: %w", err)}
	}
	t, err := kernels.ParseDType(dtype)
	if err != nil && dtype != asFile {
		return nil, usageError{fmt.Errorf("--dtype %q is not file or one of f32, bf16, f16, q8_0, q4_0", dtype)}
	}
	w, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	m := &fileModel{path: path, weights: w}
	stored := dtype == asFile
	if err = m.build(more, stored, t); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	} else if stored {
		err = checkpoint.AssignStored(m.Model, w)
	} else {
		err = checkpoint.AssignAs(m.Model, w, t)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return m, nil
}

// build makes the model of the file's configuration and more, without weights,
// where memory holds it with matrices as the file has them or as t.
func (m *fileModel) build(more map[string]any, stored bool, t kernels.DType) (err error) {
	w := m.weights
	if m.outline, err = outlineFor(w, more); err != nil {
		return err
	}
	if err := fitsFile(w, m.outline, t, stored); err != nil {
		return err
	}
	m.Model, m.config, err = arch.Empty(w.Arch, w.Config)
	return err
}

// outlineFor is the outline of the model of a file's configuration and more.
func outlineFor(w *checkpoint.Weights, more map[string]any) (*arch.Outline, error) {
	for key, value := range more {
		w.Config[key] = value
	}
	hasHeads := slices.ContainsFunc(arch.Options(w.Arch), func(o settings.Option) bool { return o.Key == "heads" })
	if _, ok := w.Config["heads"]; !ok && hasHeads {
		return nil, errors.New("the file does not say how many attention heads the model has: give --set heads=N")
	}
	return arch.OutlineWithin(w.Arch, w.Config, w.Len())
}

// tokens is the vocabulary to read and write text with.
func (f *modelFlags) tokens(m *fileModel) (tokenizer.Tokenizer, error) {
	return modelVocabulary(m, f.vocabulary)
}

// fits tells whether m can read the tokens, after some that it has read.
func (m *fileModel) fits(ids []int32, read int) error {
	for i, id := range ids {
		if int(id) >= m.Vocab() {
			return fmt.Errorf("token %d (number %d) is outside the model's vocabulary of %d", id, i+1, m.Vocab())
		}
	}
	if limit := arch.Context(m.Model); limit > 0 && read+len(ids) > limit {
		return fmt.Errorf("%d tokens are more than the model's %d positions: give fewer", read+len(ids), limit)
	}
	return nil
}
