package corpus

import (
	"os"
	"slices"
	"testing"

	"workbench/arch/tokenizer"
)

func all(t Tokens) []int32 {
	ids := make([]int32, t.Len())
	t.Read(0, ids)
	return ids
}

func TestTokensAreCached(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	text := newText("x", "x", []byte("aäb äa"))
	chars, err := tokenizer.Chars(text.Data)
	if err != nil {
		t.Fatal(err)
	}
	want := []int32{1, 3, 2, 0, 3, 1}
	for _, what := range []string{"made", "from the cache"} {
		tok, err := text.Tokens(chars)
		if err != nil || !slices.Equal(all(tok), want) || tok.Vocab != 4 || tok.Bytes(3) != 2 || tok.Bytes(1) != 1 {
			t.Errorf("%s: %v, %v", what, all(tok), err)
		}
		_, val := tok.Split(0.5)
		if !slices.Equal(all(val), want[3:]) {
			t.Errorf("%s: held out %v", what, all(val))
		}
	}
	path := cachePath(text.SHA256, chars.SHA256())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range []string{"", "abc", string(whole[:len(whole)-4]), "\xff" + string(whole[1:])} {
		if err := os.WriteFile(path, []byte(damage), 0o666); err != nil {
			t.Fatal(err)
		}
		tok, err := text.Tokens(chars)
		if err != nil || !slices.Equal(all(tok), want) {
			t.Errorf("with a damaged cache: %v, %v", all(tok), err)
		}
	}
	t.Setenv("XDG_CACHE_HOME", "/dev/null")
	if tok, err := text.Tokens(chars); err != nil || !slices.Equal(all(tok), want) {
		t.Errorf("without a cache: %v", err)
	}
}

func TestTokensOfBytes(t *testing.T) {
	text := newText("x", "x", []byte("abcdef"))
	tok, err := text.Tokens(tokenizer.Bytes())
	if err != nil || tok.Vocab != 256 || !slices.Equal(all(tok.Part(2, 4)), []int32{'c', 'd'}) {
		t.Errorf("%v, %v", all(tok), err)
	}
	in, next := make([]int32, 2), make([]int32, 2)
	tok.Part(1, 6).Window(2, in, next)
	if !slices.Equal(in, []int32{'d', 'e'}) || !slices.Equal(next, []int32{'e', 'f'}) {
		t.Errorf("window %v, %v", in, next)
	}
	if _, err := text.Tokens(func() tokenizer.Tokenizer { c, _ := tokenizer.Chars([]byte("ab")); return c }()); err == nil {
		t.Error("a text with other characters has tokens")
	}
}
