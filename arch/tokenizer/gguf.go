package tokenizer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Stored is a vocabulary in a GGUF file, by metadata keys.
// Source: ggml-org/ggml docs/gguf.md, "Tokenizer".
type Stored struct {
	Model  string   // tokenizer.ggml.model: rwkv or gpt2
	Pre    string   // tokenizer.ggml.pre: pre-tokenizer of gpt2
	Tokens []string // tokenizer.ggml.tokens
	Types  []int32  // tokenizer.ggml.token_type, nil: all are text
	Merges []string // tokenizer.ggml.merges: "left right"
	EOS    int      // tokenizer.ggml.eos_token_id, -1: none is given
}

// The types of tokens that are not text.
const (
	typeControl = 3
	typeUser    = 4
	typeUnused  = 5
)

// gptPatterns are the names of GPT-2's word pattern in GGUF files; older files
// have none.
// Source: ggml-org/llama.cpp src/llama-vocab.cpp.
var gptPatterns = []string{"", "gpt-2", "phi-2", "mpt", "olmo"}

// FromGGUF returns the vocabulary of a GGUF file: that of RWKV, or byte-level
// BPE with GPT-2's word pattern. Other kinds are refused by name.
func FromGGUF(s Stored) (Tokenizer, error) {
	if len(s.Types) != 0 && len(s.Types) != len(s.Tokens) {
		return nil, fmt.Errorf("the vocabulary has %d tokens and %d types", len(s.Tokens), len(s.Types))
	}
	if len(s.Tokens) == 0 || len(s.Tokens) > maxID {
		return nil, fmt.Errorf("a vocabulary of %d tokens", len(s.Tokens))
	}
	switch {
	case s.Model == "rwkv":
		return s.rwkv()
	case s.Model == "gpt2" && slices.Contains(gptPatterns, s.Pre):
		return s.bpe()
	case s.Model == "gpt2":
		return nil, fmt.Errorf("the file's vocabulary is BPE over words cut as %.40q: GPT-2's cut alone is read; give --tokenizer FILE", s.Pre)
	}
	return nil, fmt.Errorf("the file's vocabulary is of kind %.40q: rwkv and byte-level BPE (gpt2) are read; give --tokenizer FILE", s.Model)
}

// kind returns the type of token i. Where types are absent, the first token of
// an RWKV vocabulary and padding tokens are recognised by their text.
func (s Stored) kind(i int) int32 {
	if len(s.Types) > 0 {
		return s.Types[i]
	}
	switch {
	case i == 0 && s.Model == "rwkv":
		return typeControl
	case s.Tokens[i] == fmt.Sprintf("[PAD%d]", i):
		return typeUnused
	}
	return 1
}

// rwkv reads tokens written as the inside of Python bytes literals.
func (s Stored) rwkv() (Tokenizer, error) {
	w := &world{end: 0, sha256: s.sum()}
	if s.EOS > 0 && s.EOS < len(s.Tokens) {
		w.end = int32(s.EOS)
	}
	for i, text := range s.Tokens {
		var token []byte
		if k := s.kind(i); k != typeControl && k != typeUnused {
			var err error
			if token, err = unescaped(text); err != nil {
				return nil, fmt.Errorf("token %d: %w", i, err)
			}
			if len(token) > maxToken {
				return nil, fmt.Errorf("token %d has %d bytes, more than %d", i, len(token), maxToken)
			}
			if i == 0 && len(token) > 0 {
				return nil, fmt.Errorf("token 0 is %.40q: RWKV's ends a text", token)
			}
		}
		w.tokens = append(w.tokens, token)
	}
	return w, w.build()
}

// unescaped decodes the inside of a Python bytes literal.
func unescaped(s string) (out []byte, err error) {
	for len(s) > 0 {
		plain := strings.IndexByte(s, '\\')
		if plain < 0 {
			plain = len(s)
		}
		out, s = append(out, s[:plain]...), s[plain:]
		if s == "" {
			break
		}
		b, rest, err := pythonEscape(s, true)
		if err != nil {
			return nil, err
		}
		out, s = append(out, b...), rest
	}
	return out, nil
}

// bpe reads tokens written in GPT-2's characters for bytes.
func (s Stored) bpe() (Tokenizer, error) {
	t := &bpe{merges: map[[2]int32]merge{}, most: len(s.Tokens), sha256: s.sum()}
	vocab := map[string]int32{}
	for i, text := range s.Tokens {
		if k := s.kind(i); text == "" || k == typeUnused || k == typeControl || k == typeUser {
			continue
		}
		if other, ok := vocab[text]; ok {
			return nil, fmt.Errorf("tokens %d and %d are both %.40q", other, i, text)
		}
		vocab[text] = int32(i)
	}
	if err := t.addVocab(vocab); err != nil {
		return nil, err
	}
	for i, text := range s.Tokens {
		if k := s.kind(i); text != "" && (k == typeControl || k == typeUser) {
			if err := t.addSpecial(int32(i), []byte(text), false); err != nil {
				return nil, err
			}
		}
	}
	t.sortSpecials()
	for len(t.tokens) < len(s.Tokens) {
		t.tokens = append(t.tokens, nil)
	}
	t.end, t.ends = int32(s.EOS), s.EOS >= 0 && s.EOS < len(s.Tokens)
	var pairs [][2]string
	for i, m := range s.Merges {
		left, right, ok := strings.Cut(m, " ")
		if !ok {
			return nil, fmt.Errorf("merge %d, %.40q, is not a pair", i, m)
		}
		// Note: a merge of strings that are not tokens never applies; llama.cpp
		// accepts files with such merges.
		_, okLeft := vocab[left]
		if _, okRight := vocab[right]; okLeft && okRight {
			pairs = append(pairs, [2]string{left, right})
		}
	}
	return t, t.addMerges(vocab, pairs)
}

// sum returns the hash of the vocabulary.
func (s Stored) sum() string {
	h := sha256.New()
	line := func(text string) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	line("gguf " + s.Model + " " + s.Pre)
	for i, t := range s.Tokens {
		line(t)
		line(fmt.Sprint(s.kind(i)))
	}
	for _, m := range s.Merges {
		line(m)
	}
	return hex.EncodeToString(h.Sum(nil))
}
