package corpus

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/exp/mmap"

	"workbench/arch/files"
	"workbench/arch/tokenizer"
)

// Tokens is a text as a model reads it.
type Tokens struct {
	// Vocab is what a model must know: every token is below it.
	Vocab int

	read   func(at int, ids []int32) // ids are the tokens from at on
	lo, hi int
	width  []int32 // bytes of text that a token stands for, nil: one each
}

// byteVocab is the tokens of the byte vocabulary.
const byteVocab = 256

// OfBytes is a text as the tokens of the byte vocabulary, in place.
func OfBytes(text []byte) Tokens {
	return Tokens{Vocab: byteVocab, hi: len(text), read: func(at int, ids []int32) {
		for i, b := range text[at : at+len(ids)] {
			ids[i] = int32(b)
		}
	}}
}

// OfIDs are tokens that lie in memory, each below vocab.
func OfIDs(ids []int32, vocab int) Tokens {
	return Tokens{Vocab: vocab, hi: len(ids), read: func(at int, out []int32) { copy(out, ids[at:]) }}
}

// Len is the number of tokens.
func (t Tokens) Len() int { return t.hi - t.lo }

// Part is tokens lo … hi-1.
func (t Tokens) Part(lo, hi int) Tokens {
	if lo < 0 || lo > hi || hi > t.Len() {
		panic(fmt.Sprintf("corpus: part %d to %d of %d tokens", lo, hi, t.Len()))
	}
	t.lo, t.hi = t.lo+lo, t.lo+hi
	return t
}

// Read fills ids with the tokens from at on.
func (t Tokens) Read(at int, ids []int32) {
	if at < 0 || at+len(ids) > t.Len() {
		panic(fmt.Sprintf("corpus: tokens %d to %d of %d", at, at+len(ids), t.Len()))
	}
	t.read(t.lo+at, ids)
}

// Window fills tok with the tokens from at on and targets with what follows
// each.
func (t Tokens) Window(at int, tok, targets []int32) {
	t.Read(at, tok)
	t.Read(at+1, targets)
}

// Bytes is how many bytes of text a token stands for.
func (t Tokens) Bytes(id int32) int {
	if t.width == nil {
		return 1
	}
	return int(t.width[id])
}

// Split cuts off the last part of the tokens, as Text.Split does.
func (t Tokens) Split(valFraction float64) (train, val Tokens) {
	at := t.Len() - int(valFraction*float64(t.Len()))
	return t.Part(0, at), t.Part(at, t.Len())
}

// Tokens is the text in the tokens of a vocabulary. They are made once and
// kept in the user's cache, under the hashes of both; without a cache they
// stay in memory.
func (t *Text) Tokens(v tokenizer.Tokenizer) (Tokens, error) {
	if v.SHA256() == tokenizer.Bytes().SHA256() {
		return OfBytes(t.Data), nil
	}
	out := ofIDs(v, nil)
	path := cachePath(t.SHA256, v.SHA256())
	if ids, err := openTokens(path); err == nil {
		out.hi, out.read = (ids.Len()-sha256.Size)/4, readMapped(ids)
		return out, nil
	}
	ids, err := v.Encode(nil, t.Data)
	if err != nil {
		return Tokens{}, fmt.Errorf("corpus %s: %w", t.Name, err)
	}
	if err := writeTokens(path, ids); err == nil {
		if ids, err := openTokens(path); err == nil {
			out.hi, out.read = (ids.Len()-sha256.Size)/4, readMapped(ids)
			return out, nil
		}
	}
	return ofIDs(v, ids), nil
}

// ofIDs is tokens of a vocabulary, in place.
func ofIDs(v tokenizer.Tokenizer, ids []int32) Tokens {
	out := Tokens{Vocab: v.Vocab(), hi: len(ids), width: make([]int32, v.Vocab()), read: func(at int, to []int32) { copy(to, ids[at:]) }}
	for id := range out.width {
		out.width[id] = int32(len(v.Token(int32(id))))
	}
	return out
}

// After is t behind one more token, which is read and, having none before it,
// not predicted.
func (t Tokens) After(id int32) Tokens {
	inner := t
	t.lo, t.hi = 0, t.Len()+1
	t.read = func(at int, ids []int32) {
		if at == 0 && len(ids) > 0 {
			ids[0] = id
			at, ids = 1, ids[1:]
		}
		inner.Read(at-1, ids)
	}
	return t
}

// cachePath is where the tokens of a text are kept, "" for nowhere.
func cachePath(text, vocabulary string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "workbench", "tokens", text[:32]+"-"+vocabulary[:32]+".i32")
}

// openTokens maps a file of little-endian int32 and their SHA-256.
func openTokens(path string) (*mmap.ReaderAt, error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, err
	}
	n, h, have := int64(m.Len()-sha256.Size), sha256.New(), make([]byte, sha256.Size)
	if n > 0 && n%4 == 0 {
		if _, err = io.Copy(h, io.NewSectionReader(m, 0, n)); err == nil {
			_, err = m.ReadAt(have, n)
		}
	}
	if err == nil && !bytes.Equal(have, h.Sum(nil)) {
		err = fmt.Errorf("%s is damaged", path)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// readMapped reads from a mapped file.
func readMapped(m *mmap.ReaderAt) func(at int, ids []int32) {
	return func(at int, ids []int32) {
		buf := make([]byte, 4*len(ids))
		if _, err := m.ReadAt(buf, int64(4*at)); err != nil {
			panic("corpus: " + err.Error()) // Part and Read checked the range
		}
		for i := range ids {
			ids[i] = int32(binary.LittleEndian.Uint32(buf[4*i:]))
		}
	}
}

// writeTokens makes the file appear whole or not at all.
func writeTokens(path string, ids []int32) error {
	if path == "" {
		return errors.New("no cache")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	buf := make([]byte, 4*len(ids))
	for i, id := range ids {
		binary.LittleEndian.PutUint32(buf[4*i:], uint32(id))
	}
	check := sha256.Sum256(buf)
	return files.Write(path, append(buf, check[:]...))
}
