package main

import (
	"errors"
	"flag"
	"fmt"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/tokenizer"
)

// modelFlags are the flags of every command that reads a model file.
type modelFlags struct{ path, set, vocabulary string }

// declare adds --model and --set.
func (f *modelFlags) declare(fs *flag.FlagSet) {
	fs.StringVar(&f.path, "model", "", "model `FILE`: safetensors, .pth, GGUF or rwkv.cpp")
	fs.StringVar(&f.set, "set", "", "what the file does not say of the model, `key=value,...` (heads=4)")
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
	vocab   int            // tokens it knows
	weights *checkpoint.Weights
	sum     string // of the weights, once it was wanted
}

// open reads the model.
func (f *modelFlags) open() (*fileModel, error) {
	if f.path == "" {
		return nil, usageError{errors.New("a model is needed: --model FILE")}
	}
	return openModel(f.path, f.set)
}

// openModel reads a model file; set adds to the configuration that it implies.
func openModel(path, set string) (*fileModel, error) {
	more, err := arch.ParseSet(set)
	if err != nil {
		return nil, usageError{fmt.Errorf("--set: %w", err)}
	}
	w, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	for key, value := range more {
		w.Config[key] = value
	}
	if _, ok := w.Config["heads"]; !ok && w.Arch == "transformer" {
		return nil, fmt.Errorf("%s does not say how many attention heads the model has: give --set heads=N", path)
	}
	m, config, err := arch.Empty(w.Arch, w.Config)
	if err == nil {
		err = checkpoint.Assign(m, w)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	vocab, _ := config["vocab"].(float64)
	return &fileModel{Model: m, path: path, config: config, vocab: int(vocab), weights: w}, nil
}

// tokens is the vocabulary to read and write text with.
func (f *modelFlags) tokens(m *fileModel) (tokenizer.Tokenizer, error) {
	return modelVocabulary(m, f.vocabulary)
}

// fits tells whether m can read the tokens, after some that it has read.
func (m *fileModel) fits(ids []int32, read int) error {
	for i, id := range ids {
		if int(id) >= m.vocab {
			return fmt.Errorf("token %d (number %d) is outside the model's vocabulary of %d", id, i+1, m.vocab)
		}
	}
	if limit := arch.Context(m.Model); limit > 0 && read+len(ids) > limit {
		return fmt.Errorf("%d tokens are more than the model's %d positions: give fewer", read+len(ids), limit)
	}
	return nil
}
