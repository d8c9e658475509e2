// Package tokenizer maps text to tokens and back: bytes, characters, the RWKV
// World vocabulary and byte-level BPE from a tokenizer.json.
package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"workbench/arch/files"
)

// A Tokenizer is a vocabulary. It is safe for concurrent use.
type Tokenizer interface {
	// Vocab is the vocabulary size of models with this tokenizer.
	Vocab() int
	// Encode appends the tokens of text to ids. A character that the vocabulary
	// lacks, or a byte that never occurs in UTF-8, is an error.
	Encode(ids []int32, text []byte) ([]int32, error)
	// Token returns the bytes of a token, none for an end token and for an unused
	// number. An id of Vocab or more panics.
	Token(id int32) []byte
	// SHA256 identifies the vocabulary: equal sums have equal tokens.
	SHA256() string
}

// Decode returns the text of tokens.
func Decode(t Tokenizer, ids []int32) (text []byte) {
	for _, id := range ids {
		text = append(text, t.Token(id)...)
	}
	return text
}

// End returns the token that ends a text, where the vocabulary has one.
func End(t Tokenizer) (id int32, ok bool) {
	if e, is := t.(interface{ End() (int32, bool) }); is {
		return e.End()
	}
	return 0, false
}

// Fit returns t without the tokens from size on, for a model of size tokens. At
// most one of those may be in use (models of 65,529 tokens lack the last token
// of World); with more, Fit returns t unchanged.
func Fit(t Tokenizer, size int) Tokenizer {
	if size < 1 || size >= t.Vocab() {
		return t
	}
	lost := 0
	for id := size; id < t.Vocab(); id++ {
		if len(t.Token(int32(id))) > 0 {
			lost++
		}
	}
	if lost > 1 {
		return t
	}
	return fitted{t, size}
}

type fitted struct {
	Tokenizer
	size int
}

// Encode implements Tokenizer.
func (f fitted) Encode(ids []int32, text []byte) ([]int32, error) {
	n := len(ids)
	ids, err := f.Tokenizer.Encode(ids, text)
	if err == nil {
		for _, id := range ids[n:] {
			if int(id) >= f.size {
				return ids, fmt.Errorf("token %d, %.40q, is not one of the model's %d", id, f.Token(id), f.size)
			}
		}
	}
	return ids, err
}

// Vocab implements Tokenizer.
func (f fitted) Vocab() int { return f.size }

// End implements the interface of End.
func (f fitted) End() (int32, bool) { return End(f.Tokenizer) }

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

type byteTokens struct{}

// Bytes is the vocabulary of the 256 bytes.
func Bytes() Tokenizer { return byteTokens{} }

var everyByte = func() (all [256]byte) {
	for i := range all {
		all[i] = byte(i)
	}
	return all
}()

// Vocab implements Tokenizer.
func (byteTokens) Vocab() int { return 256 }

// Encode implements Tokenizer.
func (byteTokens) Encode(ids []int32, text []byte) ([]int32, error) {
	for _, b := range text {
		ids = append(ids, int32(b))
	}
	return ids, nil
}

// Token implements Tokenizer.
func (byteTokens) Token(id int32) []byte { return everyByte[id : id+1] }

// SHA256 implements Tokenizer.
func (byteTokens) SHA256() string { return sum(everyByte[:]) }

// Characters is a vocabulary of characters in the order of their code points,
// like nanoGPT's character-level one.
type Characters struct {
	alphabet string
	ids      map[rune]int32
	text     [][]byte
}

// Chars returns the vocabulary of the characters of text, which must be UTF-8.
func Chars(text []byte) (*Characters, error) {
	seen := map[rune]bool{}
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n <= 1 {
			return nil, fmt.Errorf("byte %d of the text is not UTF-8: use --tokenizer bytes", at)
		}
		seen[r] = true
		at += n
	}
	c := &Characters{ids: map[rune]int32{}}
	var all []rune
	for r := range seen {
		all = append(all, r)
	}
	slices.Sort(all)
	for i, r := range all {
		c.ids[r] = int32(i)
		c.text = append(c.text, []byte(string(r)))
	}
	c.alphabet = string(all)
	return c, nil
}

// Alphabet returns every character in order: Chars of it gives the same
// vocabulary.
func (c *Characters) Alphabet() string { return c.alphabet }

// Vocab implements Tokenizer.
func (c *Characters) Vocab() int { return len(c.text) }

// Encode implements Tokenizer.
func (c *Characters) Encode(ids []int32, text []byte) ([]int32, error) {
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		id, ok := c.ids[r]
		if !ok || r == utf8.RuneError && n <= 1 {
			return ids, fmt.Errorf("the vocabulary of %d characters lacks %q, at byte %d of the text", len(c.text), text[at:at+n], at)
		}
		ids = append(ids, id)
		at += n
	}
	return ids, nil
}

// Token implements Tokenizer.
func (c *Characters) Token(id int32) []byte { return c.text[id] }

// SHA256 implements Tokenizer.
func (c *Characters) SHA256() string { return sum([]byte("chars\x00" + c.alphabet)) }

// File of the World vocabulary, with LF line ends.
const (
	worldFile = "rwkv_vocab_v20230424.txt"
	worldSum  = "e6dee3d4e31b4d5c40ac99508ac6c701ceef4bed681bf2167ce9a908552bca89"
)

// Find opens a vocabulary by name: bytes; world, whose file is looked up in the
// folders beside and then in the user's cache; or the path of a file for Read.
func Find(name string, beside ...string) (Tokenizer, error) {
	switch name {
	case "bytes":
		return Bytes(), nil
	case "chars":
		return nil, errors.New("a vocabulary of characters comes from the text, or from the model file that was trained on it")
	case "world":
		return findWorld(beside)
	}
	return Read(name)
}

func findWorld(beside []string) (Tokenizer, error) {
	var paths []string
	for _, dir := range beside {
		paths = append(paths, filepath.Join(dir, worldFile))
	}
	if cache, err := os.UserCacheDir(); err == nil {
		paths = append(paths, filepath.Join(cache, "workbench", "tokenizers", worldSum))
	}
	for _, path := range paths {
		t, err := Read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && t.SHA256() != worldSum {
			err = fmt.Errorf("%s is not the World vocabulary: its sha256 is %s, want %s", path, t.SHA256(), worldSum)
		}
		return t, err
	}
	return nil, fmt.Errorf("the World vocabulary is not at %s: take tokenizer/%s from https://github.com/BlinkDL/ChatRWKV (sha256 %s) and put it there",
		strings.Join(paths, " nor at "), worldFile, worldSum)
}

// maxFile is the size limit of a vocabulary.
const maxFile = 64 << 20

// Read reads a vocabulary from a file or a pipe: a tokenizer.json, or World's
// lines of a number, a Python literal and a length.
func Read(path string) (Tokenizer, error) {
	data, err := files.Read(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("vocabulary %w", err)
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("vocabulary %s: %w", path, err)
	}
	return t, nil
}

func parse(data []byte) (Tokenizer, error) {
	if text := strings.TrimLeft(string(data[:min(len(data), 64)]), " \t\r\n\ufeff"); strings.HasPrefix(text, "{") {
		return parseBPE(data)
	}
	return parseWorld(data)
}
