package checkpoint

import (
	"fmt"
	"strconv"
)

// Vocabulary is the vocabulary in a GGUF file. Token texts are as in the file:
// for "rwkv" the inside of a Python bytes literal, for "gpt2" the characters
// that stand for bytes.
type Vocabulary struct {
	Model  string // tokenizer.ggml.model: "rwkv" or "gpt2", byte-level BPE
	Pre    string // tokenizer.ggml.pre: the pre-tokenizer
	Tokens []string
	Types  []int32  // of each token: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte; nil: not given
	Merges []string // "left right", for gpt2
	// The special tokens, -1 where the file names none.
	BOS, EOS, EOT, Unknown, Padding int
}

// Vocabulary reads the vocabulary of a GGUF file, nil where it has none. Kinds
// other than rwkv and gpt2 are refused.
func (f *File) Vocabulary() (*Vocabulary, error) {
	const prefix = "tokenizer.ggml."
	if _, ok := f.values[prefix+"tokens"]; !ok {
		return nil, nil
	}
	v := &Vocabulary{Model: f.Metadata[prefix+"model"], Pre: f.Metadata[prefix+"pre"]}
	if v.Model != "rwkv" && v.Model != "gpt2" {
		return nil, fmt.Errorf("%s: the vocabulary is of kind %.40q, only rwkv and gpt2 are supported: give --tokenizer FILE", f.path, v.Model)
	}
	var err error
	if v.Tokens, err = list[string](f, prefix+"tokens"); err != nil {
		return nil, err
	}
	if v.Types, err = list[int32](f, prefix+"token_type"); err != nil {
		return nil, err
	}
	if v.Merges, err = list[string](f, prefix+"merges"); err != nil {
		return nil, err
	}
	if v.Types != nil && len(v.Types) != len(v.Tokens) {
		return nil, fmt.Errorf("%s: %d tokens and %d token types", f.path, len(v.Tokens), len(v.Types))
	}
	for _, s := range []struct {
		key string
		id  *int
	}{{"bos", &v.BOS}, {"eos", &v.EOS}, {"eot", &v.EOT}, {"unknown", &v.Unknown}, {"padding", &v.Padding}} {
		if *s.id, err = strconv.Atoi(f.Metadata[prefix+s.key+"_token_id"]); err != nil {
			*s.id = -1
		} else if *s.id < 0 || *s.id >= len(v.Tokens) {
			return nil, fmt.Errorf("%s: %s_token_id %d is outside the %d tokens", f.path, s.key, *s.id, len(v.Tokens))
		}
	}
	return v, nil
}

// list reads an array of one type, nil where the file has none of that name.
func list[T string | int32](f *File, key string) ([]T, error) {
	at, ok := f.values[key]
	if !ok {
		return nil, nil
	}
	var zero T
	want := map[any]uint32{"": ggufString, int32(0): 5}[zero]
	c := &cursor{src: f.src, at: at.at}
	if at.kind != ggufArray {
		return nil, fmt.Errorf("%s: metadata %q is no array", f.path, key)
	}
	kind, n, err := arrayHead(c)
	if err == nil && kind != want && !(want == 5 && kind == 4) {
		err = fmt.Errorf("an array of type %d", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: metadata %q: %w", f.path, key, err)
	}
	out := make([]T, 0, n)
	for range n {
		v, err := scalar(c, kind)
		if err != nil {
			return nil, fmt.Errorf("%s: metadata %q: %w", f.path, key, err)
		}
		if u, ok := v.(uint32); ok {
			v = int32(u)
		}
		out = append(out, v.(T))
	}
	return out, nil
}
