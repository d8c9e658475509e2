package main

import (
	"fmt"
	"path/filepath"

	"workbench/arch/checkpoint"
	"workbench/arch/tokenizer"
)

// The keys of a model file's metadata that say what its tokens are.
const (
	tokenizerKey = "tokenizer"
	alphabetKey  = "alphabet"         // of chars
	tokenSumKey  = "tokenizer_sha256" // of the vocabulary
)

// trainVocabulary is the vocabulary of that name; text is what characters come
// from.
func trainVocabulary(name string, text []byte) (tokenizer.Tokenizer, error) {
	if name == "chars" {
		return tokenizer.Chars(text)
	}
	return tokenizer.Find(name, ".")
}

// vocabularyNotes is what a model file says of its tokens.
func vocabularyNotes(name string, v tokenizer.Tokenizer) map[string]string {
	notes := map[string]string{tokenizerKey: name, tokenSumKey: v.SHA256()}
	if c, ok := v.(*tokenizer.Characters); ok {
		notes[alphabetKey] = c.Alphabet()
	}
	return notes
}

// modelVocabulary is the vocabulary of a model file of size tokens: the one
// named, else the one it says it was trained with, else bytes for a model of
// 256 tokens.
func modelVocabulary(path, name string, w *checkpoint.Weights, size int) (tokenizer.Tokenizer, error) {
	alphabet, said := w.Metadata[alphabetKey]
	if name == "" {
		if name = w.Metadata[tokenizerKey]; name == "" && size == 256 {
			name = "bytes"
		}
	}
	if name == "" {
		return nil, fmt.Errorf("%s does not say what its %d tokens are: give --tokenizer world or FILE", path, size)
	}
	var v tokenizer.Tokenizer
	var err error
	if name == "chars" && said {
		v, err = tokenizer.Chars([]byte(alphabet))
	} else {
		v, err = tokenizer.Find(name, filepath.Dir(path), ".")
	}
	if err != nil {
		return nil, err
	}
	if sum := w.Metadata[tokenSumKey]; sum != "" && sum != v.SHA256() {
		return nil, fmt.Errorf("%s was trained with another vocabulary than %s: its sha256 is %.12s, not %.12s", path, name, sum, v.SHA256())
	}
	return v, nil
}
