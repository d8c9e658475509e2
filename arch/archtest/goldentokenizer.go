package archtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/text/unicode/norm"

	"workbench/arch/checkpoint"
	"workbench/arch/files"
	"workbench/arch/tokenizer"
)

// tokenizerCase is a vocabulary, named by its hash or as a file of the case,
// and texts with their tokens.
type tokenizerCase struct {
	File string // a GGUF file
	Size int    `json:"vocab_size"`
	Sum  struct {
		Value string
	} `json:"sha256_of_all_token_bytes"`
	Samples []struct {
		ID    int32
		Bytes []byte `json:"bytes_base64"`
	} `json:"tokens_sample"`
	Vocabulary struct {
		File   string
		SHA256 string
		Bytes  int64
	}
	Cases []struct {
		Text []byte `json:"bytes_base64"`
		IDs  []int32
	}
}

// isTokenizerCase reports whether the cases.json of a folder lists texts and
// tokens.
func isTokenizerCase(dir string) bool {
	var c tokenizerCase
	return readJSON(filepath.Join(dir, "cases.json"), &c) == nil && (c.Vocabulary.SHA256 != "" || c.File != "" && len(c.Cases) > 0)
}

// matches reports whether a folder holds a file of that pattern.
func matches(dir, pattern string) bool {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	return err == nil && len(found) > 0
}

// goldenTokenizer checks that every text is encoded as the tokens of the case,
// and that these decode to the text or to its composed form (NFC), which a
// tokenizer.json may ask for.
func goldenTokenizer(r *Result, dir string, opt Options) error {
	var c tokenizerCase
	if err := readJSON(filepath.Join(dir, "cases.json"), &c); err != nil {
		return err
	}
	v, err := c.vocabulary(dir, opt.Data)
	if err != nil {
		return err
	}
	if c.Size > 0 && v.Vocab() != c.Size {
		return fmt.Errorf("%d tokens, the case says %d", v.Vocab(), c.Size)
	}
	if want := c.Sum.Value; want != "" && want != tokenSum(v) {
		return fmt.Errorf("the bytes of all tokens have another sha256 than %s", want)
	}
	if err := c.samples(v); err != nil {
		return err
	}
	wrong := 0
	for i, text := range c.Cases {
		ids, err := v.Encode(nil, text.Text)
		if err != nil {
			return fmt.Errorf("text %d: %w", i, err)
		}
		back := tokenizer.Decode(v, ids)
		if !slices.Equal(ids, text.IDs) || !bytes.Equal(back, text.Text) && !bytes.Equal(back, norm.NFC.Bytes(text.Text)) {
			wrong++
		}
	}
	r.within("texts_with_other_tokens", float64(wrong), 0, dir)
	return nil
}

// vocabulary opens the vocabulary of the case.
func (c *tokenizerCase) vocabulary(dir, data string) (tokenizer.Tokenizer, error) {
	if c.Vocabulary.SHA256 != "" {
		path, err := findBySum(c.Vocabulary.SHA256, c.Vocabulary.Bytes, dir, data)
		if err != nil {
			return nil, err
		}
		return tokenizer.Read(path)
	}
	f, err := checkpoint.OpenTensors(filepath.Join(dir, filepath.Base(c.File)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, err := f.Vocabulary()
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, fmt.Errorf("%s holds no vocabulary", c.File)
	}
	return tokenizer.FromGGUF(tokenizer.Stored{Model: v.Model, Pre: v.Pre, Tokens: v.Tokens, Types: v.Types, Merges: v.Merges, EOS: v.EOS})
}

// tokenSum is the hash over all tokens in use, in order: the length of each in
// one byte, and its bytes.
func tokenSum(v tokenizer.Tokenizer) string {
	h := sha256.New()
	for id := range v.Vocab() {
		if t := v.Token(int32(id)); len(t) > 0 {
			h.Write([]byte{byte(len(t))})
			h.Write(t)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// samples compares single tokens with their bytes.
func (c *tokenizerCase) samples(v tokenizer.Tokenizer) error {
	for _, s := range c.Samples {
		if s.ID < 0 || int(s.ID) >= v.Vocab() {
			return fmt.Errorf("token %d is outside the vocabulary of %d", s.ID, v.Vocab())
		}
		if got := v.Token(s.ID); !bytes.Equal(got, s.Bytes) {
			return fmt.Errorf("token %d is %q, want %q", s.ID, got, s.Bytes)
		}
	}
	return nil
}

// findBySum looks for a file of that hash and size in dirs and their
// subfolders.
func findBySum(sum string, size int64, dirs ...string) (found string, err error) {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // unreadable files are skipped
			}
			if info, err := d.Info(); err != nil || info.Size() != size {
				return nil
			}
			data, err := files.Read(path, size)
			if err != nil {
				return nil
			}
			if have := sha256.Sum256(data); hex.EncodeToString(have[:]) == sum {
				found = path
				return filepath.SkipAll
			}
			return nil
		})
		if err != nil || found != "" {
			return found, err
		}
	}
	return "", fmt.Errorf("no vocabulary with sha256 %s in %v: name its folder with --data", sum, dirs)
}
