package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"workbench/arch/tokenizer"
)

// The keys of a model file's metadata that say what its tokens are.
const (
	tokenizerKey = "tokenizer"
	alphabetKey  = "alphabet"         // of chars
	tokenSumKey  = "tokenizer_sha256" // of the vocabulary
)

// Those that say how a text was read in training.
const (
	contextKey   = "context"   // tokens a row
	documentsKey = "documents" // the text that ends one
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

// modelVocabulary is the vocabulary of a model's tokens: the one named, else
// the one that its file names or holds, else what its number of tokens says.
func modelVocabulary(m *fileModel, name string) (tokenizer.Tokenizer, error) {
	said := m.weights.Metadata
	if name == "" {
		name = said[tokenizerKey]
	}
	v, err := m.vocabulary(name)
	if err != nil {
		return nil, err
	}
	if sum := said[tokenSumKey]; sum != "" && sum != v.SHA256() {
		return nil, fmt.Errorf("%s was trained with another vocabulary than %s: its sha256 is %.12s, not %.12s", m.path, name, sum, v.SHA256())
	}
	if v = tokenizer.Fit(v, m.Vocab()); v.Vocab() > m.Vocab() {
		return nil, fmt.Errorf("%s knows %d tokens, the vocabulary %s has %d: give the model's own with --tokenizer", m.path, m.Vocab(), cmp.Or(name, "found"), v.Vocab())
	}
	return v, nil
}

// vocabulary is the one of that name, "" for the one that suits the model.
func (m *fileModel) vocabulary(name string) (tokenizer.Tokenizer, error) {
	dir := filepath.Dir(m.path)
	alphabet, ok := m.weights.Metadata[alphabetKey]
	switch {
	case name == "chars" && ok:
		return tokenizer.Chars([]byte(alphabet))
	case name != "":
		return tokenizer.Find(name, dir, ".")
	}
	if v, err := m.weights.Vocabulary(); v != nil || err != nil {
		if err != nil {
			return nil, err
		}
		t, err := tokenizer.FromGGUF(tokenizer.Stored{Model: v.Model, Pre: v.Pre, Tokens: v.Tokens, Types: v.Types, Merges: v.Merges, EOS: v.EOS})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.path, err)
		}
		return t, nil
	}
	switch {
	case m.Vocab() == 256:
		return tokenizer.Bytes(), nil
	case m.Vocab() >= worldTokens && m.Vocab() <= worldTokens+7:
		return tokenizer.Find("world", dir, ".")
	}
	for _, file := range []string{"tokenizer.json", "20B_tokenizer.json"} {
		path := filepath.Join(dir, file)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return tokenizer.Read(path)
		}
	}
	hint := "give --tokenizer FILE"
	if m.Vocab() == 50277 || m.Vocab() == 50304 {
		hint = "it is probably GPT-NeoX's: give --tokenizer 20B_tokenizer.json (from https://github.com/BlinkDL/ChatRWKV), or put that file beside the model"
	}
	return nil, fmt.Errorf("%s does not say what its %d tokens are: %s", m.path, m.Vocab(), hint)
}

// marks are the token to be read before a text, -1 for none, and those that end
// a text or a turn: the vocabulary's own first, then those that the model's
// files name.
func (m *fileModel) marks(v tokenizer.Tokenizer) (begin int32, ends []int32, err error) {
	said, err := m.weights.Marks()
	if err != nil {
		return 0, nil, err
	}
	if end, ok := tokenizer.End(v); ok {
		ends = append(ends, end)
	}
	for _, id := range said.Ends {
		ends = append(ends, int32(id))
	}
	return int32(said.Begin), ends, nil
}

// worldTokens is the tokens of RWKV's World vocabulary; models have up to 7
// more, which are not in use.
const worldTokens = 65529
