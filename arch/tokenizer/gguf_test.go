package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// storedWorld is tiny as in a GGUF file, with one unused token.
func storedWorld() Stored {
	s := Stored{Model: "rwkv", Tokens: []string{"<s>"}, EOS: 0}
	for b := range 256 {
		s.Tokens = append(s.Tokens, fmt.Sprintf(`\x%02x`, b))
	}
	s.Tokens = append(s.Tokens, "ab", "abab", `it's`, `\xc3\xa4\t`, `it\'s"`, "a b", `\\n`, "[PAD264]")
	return s
}

// storedBPE is tinyBPE as in a GGUF file.
func storedBPE() Stored {
	s := Stored{Model: "gpt2", Pre: "gpt-2", EOS: 263}
	for _, r := range visible {
		s.Tokens = append(s.Tokens, string(r))
	}
	s.Tokens = append(s.Tokens, "aa", "aab", "bb", "Ġa", "aaaa", "bbbb", "ba", "<end>", "[PAD264]")
	s.Types = make([]int32, len(s.Tokens))
	s.Types[263], s.Types[264] = typeControl, typeUnused
	s.Merges = []string{"a a", "aa b", "b b", "Ġ a", "aa aa", "bb bb", "b a"}
	return s
}

func TestFromGGUF(t *testing.T) {
	w, err := FromGGUF(storedWorld())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{"abab": {258}, "it's": {259}, `it's"`: {261}, "ä\t": {260}, `\n`: {263}, "\n": {11},
		"<s>": {'<' + 1, 's' + 1, '>' + 1}, "[PAD264]": encode(t, w, []byte("[PAD264]"))} {
		got := encode(t, w, []byte(text))
		if !slices.Equal(got, want) || string(Decode(w, got)) != text {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if end, ok := End(w); w.Vocab() != 265 || w.Token(0) != nil || w.Token(264) != nil || !ok || end != 0 {
		t.Errorf("vocabulary of %d, tokens %q and %q, end %d", w.Vocab(), w.Token(0), w.Token(264), end)
	}

	b, err := FromGGUF(storedBPE())
	if err != nil {
		t.Fatal(err)
	}
	json, _ := parse([]byte(tinyBPE("")))
	for _, text := range []string{"aaaab", " a bbb\n", "a<end>a", "wörld 42's"} {
		got, want := encode(t, b, []byte(text)), encode(t, json, []byte(text))
		if !slices.Equal(got, want) || string(Decode(b, got)) != text {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	more := storedBPE()
	more.Merges = append(more.Merges, "a nosuchtoken", "\x00 a")
	if again, err := FromGGUF(more); err != nil || !slices.Equal(encode(t, again, []byte("aaaab")), encode(t, b, []byte("aaaab"))) {
		t.Errorf("merges of what is no token: %v", err)
	}
	if end, ok := End(b); b.Vocab() != 265 || b.Token(264) != nil || !ok || end != 263 {
		t.Errorf("vocabulary of %d, end %d", b.Vocab(), end)
	}
	if w.SHA256() == b.SHA256() || len(w.SHA256()) != 64 {
		t.Error("hashes")
	}
}

func TestGGUFMalformed(t *testing.T) {
	with := func(s Stored, f func(*Stored)) Stored {
		f(&s)
		return s
	}
	for want, s := range map[string]Stored{
		"of kind \"llama\"":           {Model: "llama", Tokens: []string{"a"}},
		"cut as \"llama-bpe\"":        {Model: "gpt2", Pre: "llama-bpe", Tokens: []string{"a"}},
		"a vocabulary of 0 tokens":    {Model: "rwkv"},
		"1 tokens and 2 types":        {Model: "rwkv", Tokens: []string{"a"}, Types: []int32{1, 1}},
		"single byte 0x00":            {Model: "rwkv", Tokens: []string{"<s>"}},
		"token 258: \"\\\\x\" is not": with(storedWorld(), func(s *Stored) { s.Tokens[258] = `\x` }),
		"token 258: \"\\\\q\" is not": with(storedWorld(), func(s *Stored) { s.Tokens[258] = `\q` }),
		"tokens 257 and 258 are":      with(storedWorld(), func(s *Stored) { s.Tokens[258] = "ab" }),
		"token 258 has 5000 bytes":    with(storedWorld(), func(s *Stored) { s.Tokens[258] = strings.Repeat("a", 5000) }),
		"token 0 is \"x\"":            with(storedWorld(), func(s *Stored) { s.Tokens[0] = "x"; s.Types = make([]int32, len(s.Tokens)) }),
		"tokens 256 and 257 are both": with(storedBPE(), func(s *Stored) { s.Tokens[257] = "aa" }),
		"merge 0, \"aa\", is not":     with(storedBPE(), func(s *Stored) { s.Merges[0] = "aa" }),
		"merge 0, \"a\" and \"b\"":    with(storedBPE(), func(s *Stored) { s.Merges[0] = "a b" }),
	} {
		if _, err := FromGGUF(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestFit(t *testing.T) {
	w, _ := FromGGUF(storedWorld())
	if f := Fit(w, 264); f.Vocab() != 264 {
		t.Errorf("an unused token stays: %d", f.Vocab())
	} else if end, ok := End(f); !ok || end != 0 {
		t.Error("the end is lost")
	}
	f := Fit(w, 263)
	if _, err := f.Encode(nil, []byte(`a\n`)); f.Vocab() != 263 || err == nil || !strings.Contains(err.Error(), "token 263") {
		t.Errorf("a vocabulary of %d without its last token: %v", f.Vocab(), err)
	}
	if ids, err := f.Encode([]int32{1}, []byte("abab")); err != nil || !slices.Equal(ids, []int32{1, 258}) {
		t.Errorf("%v %v", ids, err)
	}
	for _, size := range []int{0, 262, 265, 300} {
		if f := Fit(w, size); f.Vocab() != 265 {
			t.Errorf("fitted to %d: %d tokens", size, f.Vocab())
		}
	}
	if _, ok := End(Bytes()); ok {
		t.Error("a text of bytes has an end")
	}
}
