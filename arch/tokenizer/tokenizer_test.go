package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shared is a file of the folder beside the project.
func shared(t testing.TB, path string) string {
	t.Helper()
	path = filepath.Join("../../../shared/data", path)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here", path)
	}
	return path
}

func read(t testing.TB, path string) Tokenizer {
	t.Helper()
	tok, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func encode(t testing.TB, tok Tokenizer, text []byte) []int32 {
	t.Helper()
	ids, err := tok.Encode(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestWorldGolden(t *testing.T) {
	data, err := os.ReadFile(shared(t, "golden/tokenizer_world/cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			Text []byte  `json:"bytes_base64"`
			IDs  []int32 `json:"ids"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	w, err := Find("world", filepath.Dir(shared(t, "rwkv.cpp/"+worldFile)))
	if err != nil || w.Vocab() != 65536 {
		t.Fatalf("%v", err)
	}
	for i, c := range golden.Cases {
		if got := encode(t, w, c.Text); !slices.Equal(got, c.IDs) || !bytes.Equal(Decode(w, got), c.Text) {
			t.Errorf("case %d, %q: %v, want %v", i, c.Text, got, c.IDs)
		}
	}
	const today = "Today is a beautiful day. 今天是美好的一天。"
	want := []int32{33520, 4600, 332, 59219, 21509, 47, 33, 10381, 11639, 13091, 15597, 11685, 14734, 10250, 11639, 10080}
	if got := encode(t, w, []byte(today)); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestWorldForms checks that line ends do not change the vocabulary.
func TestWorldForms(t *testing.T) {
	data, err := os.ReadFile(shared(t, "rwkv.cpp/"+worldFile))
	if err != nil {
		t.Fatal(err)
	}
	for what, form := range map[string][]byte{
		"CRLF": bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")), "no final line end": data[:len(data)-1]} {
		w, err := parse(form)
		if err != nil || w.SHA256() != worldSum {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestFindWorldSaysWhere(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	_, err := Find("world", dir)
	for _, part := range []string{dir, worldSum, "https://github.com/BlinkDL/ChatRWKV"} {
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: lacks %s", err, part)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, worldFile), tiny(), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Find("world", dir); err == nil || !strings.Contains(err.Error(), "is not the World vocabulary") {
		t.Errorf("another vocabulary under its name: %v", err)
	}
}

// tiny is a vocabulary in World's format: every byte and a few longer tokens.
func tiny() []byte {
	var b strings.Builder
	for i := range 256 {
		fmt.Fprintf(&b, "%d b'\\x%02x' 1\n", i+1, i)
	}
	b.WriteString("257 'ab' 2\n258 'abab' 4\n259 \"it's\" 4\n260 '\\u00e4\\t' 3\n262 'a b' 3\n")
	return []byte(b.String())
}

func TestWorldIsGreedy(t *testing.T) {
	w, err := parse(tiny())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{
		"abab": {258}, "ababab": {258, 257}, "aba": {257, 98}, "it's": {259}, "ä\t": {260}, "a ba": {262, 98}, "": nil, "abaa": {257, 98, 98}} {
		if got := encode(t, w, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if w.Vocab() != 263 || w.Token(0) != nil || w.Token(261) != nil {
		t.Errorf("vocabulary of %d, tokens %q and %q", w.Vocab(), w.Token(0), w.Token(261))
	}
}

func TestChars(t *testing.T) {
	c, err := Chars([]byte("hällo\nwörld"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Alphabet() != "\ndhlorwäö" || c.Vocab() != 9 {
		t.Errorf("alphabet %q", c.Alphabet())
	}
	again, _ := Chars([]byte(c.Alphabet()))
	if ids := encode(t, c, []byte("wäll")); !slices.Equal(ids, []int32{6, 7, 3, 3}) || string(Decode(again, ids)) != "wäll" || again.SHA256() != c.SHA256() {
		t.Errorf("%v", ids)
	}
	if _, err := c.Encode(nil, []byte("hä?")); err == nil || !strings.Contains(err.Error(), `"?", at byte 3`) {
		t.Errorf("%v", err)
	}
	if _, err := Chars([]byte("a\xff")); err == nil || !strings.Contains(err.Error(), "byte 1") {
		t.Errorf("%v", err)
	}
}

func TestMalformed(t *testing.T) {
	all := string(tiny())
	for _, c := range []struct{ text, want string }{
		{"", "single byte 0x00"},
		{"1 'a'\n", "line 1: not a number, a literal and a length"},
		{"x 'a' 1\n", `line 1: "x" is not a token's number`},
		{"0 'a' 1\n", "is not a token's number"},
		{"1 'a' 2\n", "the token has 1 bytes, the line says"},
		{"1 a 1\n", "is not a Python literal"},
		{"1 'a'b' 3\n", "ends early"},
		{`1 '\q' 1` + "\n", "is not an escape"},
		{`1 b'\u0041' 1` + "\n", "is not an escape"},
		{`1 '\ud800' 3` + "\n", "is not an escape"},
		{"1 'a' 1\n1 'b' 1\n", "line 2: token 1 does not follow 1"},
		{"4000000000 'a' 1\n", "line 1: token 4000000000 does not follow 0"},
		{"1 'a' 1\n", "single byte 0x00"},
		{all + "300 'ab' 2\n", "tokens 257 and 300 are the same bytes"},
		{`{`, "unexpected end of JSON"},
		{`{"model":{"type":"Unigram"}}`, `a model of type "Unigram"`},
		{`{"model":{"type":"BPE","byte_fallback":true}}`, "byte_fallback"},
		{`{"model":{"type":"BPE"}}`, "pre_tokenizer is not ByteLevel"},
		{`{"model":{"type":"BPE"},"pre_tokenizer":{"type":"ByteLevel"},"normalizer":{"type":"Lowercase"}}`, `normalizer "Lowercase"`},
		{`{"model":{"type":"BPE","vocab":{"a":0}},"pre_tokenizer":{"type":"ByteLevel"}}`, "no token is the single byte"},
		{tinyBPE(`"a"`), "merge 0 is not a pair"},
		{tinyBPE(`"a é"`), "not in the vocabulary"},
		{tinyBPE(`5`), "merge 0"},
		{strings.Replace(tinyBPE(""), `"aa":256`, `"aa":5`, 1), "token 5 is both"},
		{strings.Replace(tinyBPE(""), `"aa":256`, `"aa":-1`, 1), "has the number -1"},
		{strings.Replace(tinyBPE(""), `"normalized":false`, `"lstrip":true`, 1), "lstrip"},
	} {
		path := filepath.Join(t.TempDir(), "vocab")
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
}

// visible is the character of each byte.
var visible = func() (to [256]rune) {
	for r, b := range byteOf {
		to[b] = r
	}
	return to
}()

// tinyMerges are those of tinyBPE when none are given.
const tinyMerges = `"a a","aa b",["b","b"],"Ġ a","aa aa","bb bb","b a"`

// tinyBPE is a tokenizer.json of every byte and a few merges.
func tinyBPE(merges string) string {
	vocab := map[string]int{}
	for b, r := range visible {
		vocab[string(r)] = b
	}
	for i, s := range []string{"aa", "aab", "bb", "Ġa", "aaaa", "bbbb", "ba"} {
		vocab[s] = 256 + i
	}
	v, _ := json.Marshal(vocab)
	if merges == "" {
		merges = tinyMerges
	}
	return fmt.Sprintf(`{"added_tokens":[{"id":263,"content":"<end>","normalized":false},{"id":264,"content":"  ","normalized":true}],
"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
"model":{"type":"BPE","vocab":%s,"merges":[%s]}}`, v, merges)
}

func TestBPEByHand(t *testing.T) {
	b, err := parse([]byte(tinyBPE("")))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{
		"aaaab":       {260, 'b'}, // ties go left: aa aa b, and aab ranks before aaaa
		" a":          {259},
		"a<end>a":     {'a', 263, 'a'},
		"e\u0301":     {0xc3, 0xa9}, // composed
		"<end>\u0338": {263, 0xcc, 0xb8},
		"a  b":        {'a', 264, 'b'},
	} {
		if text == "aaaab" {
			want = []int32{256, 257}
		}
		if got := encode(t, b, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// slowJoin merges one pair at a time: the lowest rank, the leftmost of those.
func slowJoin(t *bpe, word []byte) (ids []int32) {
	for _, b := range word {
		ids = append(ids, t.single[b])
	}
	for {
		best, at := merge{rank: 1 << 30}, -1
		for i := 0; i+1 < len(ids); i++ {
			if m, ok := t.merges[[2]int32{ids[i], ids[i+1]}]; ok && m.rank < best.rank {
				best, at = m, i
			}
		}
		if at < 0 {
			return ids
		}
		ids = slices.Replace(ids, at, at+2, best.token)
	}
}

func TestJoinIsMergingOneByOne(t *testing.T) {
	tok, err := parse([]byte(tinyBPE("")))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		word := make([]byte, r.IntN(40))
		for i := range word {
			word[i] = "aab "[r.IntN(4)]
		}
		if got, want := tok.(*bpe).join(word), slowJoin(tok.(*bpe), word); !slices.Equal(got, want) {
			t.Fatalf("%q: %v, want %v", word, got, want)
		}
	}
	tok.(*bpe).join(bytes.Repeat([]byte("a"), 1<<20)) // far from quadratic
}

func TestWordLength(t *testing.T) {
	for text, want := range map[string][]string{
		"Hello, it's  3 o'clock!\n\n x": {"Hello", ",", " it", "'s", " ", " 3", " o", "'", "clock", "!", "\n\n", " x"},
		" \n":                           {" \n"},
		"a \u00a0b":                     {"a", " ", "\u00a0", "b"},
		"\xff\xfe x²":                   {"\xff\xfe", " x", "²"},
		"'llama":                        {"'ll", "ama"},
	} {
		var got []string
		for rest := text; rest != ""; {
			n := wordLength([]byte(rest))
			got, rest = append(got, rest[:n]), rest[n:]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestPile(t *testing.T) {
	p := read(t, shared(t, "rwkv.cpp/20B_tokenizer.json"))
	if got, want := encode(t, p, []byte("\nThe following is a")), []int32{187, 510, 1563, 310, 247}; !slices.Equal(got, want) || p.Vocab() != 50277 {
		t.Errorf("%v, want %v; vocabulary of %d", got, want, p.Vocab())
	}
	if got := encode(t, p, []byte("<|endoftext|>x"+strings.Repeat(" ", 24)+"y")); got[0] != 0 || len(got) != 4 || got[2] != 50254 {
		t.Errorf("special tokens: %v", got)
	}
	if _, err := p.Encode(nil, []byte("a\xff")); err == nil || !strings.Contains(err.Error(), "lacks byte 0xff, at byte 1") {
		t.Errorf("%v", err)
	}
}

func TestRoundTrips(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	w, _ := parse(tiny())
	b, _ := parse([]byte(tinyBPE("")))
	b.(*bpe).compose = false // composing changes the bytes
	for range 500 {
		text := make([]byte, r.IntN(60))
		for i := range text {
			text[i] = byte(r.IntN(256))
		}
		for _, tok := range []Tokenizer{Bytes(), w, b} {
			if got := Decode(tok, encode(t, tok, text)); !bytes.Equal(got, text) {
				t.Fatalf("%T: %q came back as %q", tok, text, got)
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	text, err := os.ReadFile(shared(b, "corpora/tinyshakespeare.txt"))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{worldFile, "20B_tokenizer.json"} {
		tok := read(b, shared(b, "rwkv.cpp/"+name))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			ids := make([]int32, 0, len(text))
			for b.Loop() {
				ids, _ = tok.Encode(ids[:0], text)
			}
		})
	}
}
