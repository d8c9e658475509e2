package tokenizer

import (
	"bytes"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// bpe is byte-level byte pair encoding: GPT-2's, GPT-NeoX's.
// Source: Sennrich et al., arXiv 1508.07909; openai/gpt-2 src/encoder.py.
type bpe struct {
	tokens   [][]byte
	single   [256]int32 // the token of a byte
	merges   map[[2]int32]merge
	prefix   bool      // puts a space before a text without one
	compose  bool      // converts the text to NFC first
	raw      []special // special tokens found before NFC
	composed []special // special tokens found after NFC
	end      int32
	ends     bool // the vocabulary has an end token
	most     int  // limit of the number of tokens
	sha256   string
}

// merge is the token that replaces two neighbours; the lowest rank is merged
// first.
type merge struct{ rank, token int32 }

// special is a token that is found verbatim before the text is split into
// words.
type special struct {
	text []byte
	id   int32
}

// tokenizerJSON is the part of Hugging Face's file that is read.
type tokenizerJSON struct {
	Added []struct {
		ID         int32  `json:"id"`
		Content    string `json:"content"`
		Normalized bool   `json:"normalized"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
	} `json:"added_tokens"`
	Normalizer   *struct{ Type string } `json:"normalizer"`
	PreTokenizer *struct {
		Type   string `json:"type"`
		Prefix bool   `json:"add_prefix_space"`
		Regex  *bool  `json:"use_regex"`
	} `json:"pre_tokenizer"`
	Model struct {
		Type     string            `json:"type"`
		Vocab    map[string]int32  `json:"vocab"`
		Merges   []json.RawMessage `json:"merges"`
		Fallback bool              `json:"byte_fallback"`
		Dropout  *float64          `json:"dropout"`
		Ignore   bool              `json:"ignore_merges"`
		Subword  *string           `json:"continuing_subword_prefix"`
		Suffix   *string           `json:"end_of_word_suffix"`
	} `json:"model"`
}

// endOfText separates texts in GPT-2 and GPT-NeoX.
const endOfText = "<|endoftext|>"

// maxID bounds token numbers; gaps is the largest ratio of numbers to tokens.
const maxID, gaps = 1 << 22, 16

func parseBPE(data []byte) (Tokenizer, error) {
	var f tokenizerJSON
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	t := &bpe{merges: map[[2]int32]merge{}, sha256: sum(data)}
	m := &f.Model
	given := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case m.Type != "BPE":
		return nil, fmt.Errorf("a model of type %q: byte-level BPE is read", m.Type)
	case m.Fallback || m.Ignore || m.Dropout != nil && *m.Dropout != 0 || given(m.Subword) || given(m.Suffix):
		return nil, errors.New("byte_fallback, ignore_merges, dropout and affixes of words are not read")
	case f.PreTokenizer == nil || f.PreTokenizer.Type != "ByteLevel" || f.PreTokenizer.Regex != nil && !*f.PreTokenizer.Regex:
		return nil, errors.New("pre_tokenizer is not ByteLevel with its own pattern")
	case f.Normalizer != nil && f.Normalizer.Type != "NFC":
		return nil, fmt.Errorf("normalizer %q: NFC or none is read", f.Normalizer.Type)
	}
	t.prefix, t.compose = f.PreTokenizer.Prefix, f.Normalizer != nil
	t.most = min(maxID, gaps*(len(m.Vocab)+len(f.Added)))
	if err := t.addVocab(m.Vocab); err != nil {
		return nil, err
	}
	for _, a := range f.Added {
		if a.LStrip || a.RStrip || a.SingleWord || a.Content == "" {
			return nil, fmt.Errorf("added token %q: lstrip, rstrip, single_word and empty ones are not read", a.Content)
		}
		if err := t.addSpecial(a.ID, []byte(a.Content), a.Normalized); err != nil {
			return nil, err
		}
	}
	t.sortSpecials()
	if id := slices.IndexFunc(t.tokens, func(text []byte) bool { return string(text) == endOfText }); id >= 0 {
		t.end, t.ends = int32(id), true
	}
	pairs, err := mergePairs(m.Merges)
	if err != nil {
		return nil, err
	}
	return t, t.addMerges(m.Vocab, pairs)
}

// addSpecial adds a special token, which is found before NFC or, when
// normalized, after it.
func (t *bpe) addSpecial(id int32, text []byte, normalized bool) error {
	if err := t.set(id, text); err != nil {
		return err
	}
	switch s := (special{text, id}); {
	case !normalized:
		t.raw = append(t.raw, s)
	default:
		if t.compose {
			s.text = norm.NFC.Bytes(s.text)
		}
		t.composed = append(t.composed, s)
	}
	return nil
}

// sortSpecials sorts the longest first, because the longest match wins.
func (t *bpe) sortSpecials() {
	for _, list := range [][]special{t.raw, t.composed} {
		slices.SortStableFunc(list, func(a, b special) int { return len(b.text) - len(a.text) })
	}
}

// mergePairs reads the two forms of merges: "a b" and ["a", "b"].
func mergePairs(merges []json.RawMessage) (pairs [][2]string, err error) {
	for rank, raw := range merges {
		var pair []string
		if err := json.Unmarshal(raw, &pair); err != nil {
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return nil, fmt.Errorf("merge %d: %w", rank, err)
			}
			pair = strings.Split(s, " ")
		}
		if len(pair) != 2 {
			return nil, fmt.Errorf("merge %d is not a pair", rank)
		}
		pairs = append(pairs, [2]string(pair))
	}
	return pairs, nil
}

// set sets the bytes of a token.
func (t *bpe) set(id int32, text []byte) error {
	if id < 0 || int(id) >= t.most {
		return fmt.Errorf("token %.40q has the number %d", text, id)
	}
	for len(t.tokens) <= int(id) {
		t.tokens = append(t.tokens, nil)
	}
	if have := t.tokens[id]; have != nil && !bytes.Equal(have, text) {
		return fmt.Errorf("token %d is both %q and %q", id, have, text)
	}
	t.tokens[id] = text
	return nil
}

func (t *bpe) addVocab(vocab map[string]int32) error {
	for i := range t.single {
		t.single[i] = -1
	}
	for _, s := range slices.Sorted(maps.Keys(vocab)) {
		id := vocab[s]
		text, err := bytesOf(s)
		if err != nil {
			text = []byte(s) // special, as it stands
		} else if len(text) == 1 {
			t.single[text[0]] = id
		}
		if err := t.set(id, text); err != nil {
			return err
		}
	}
	for b, id := range t.single {
		if inUTF8 := b < 0xc0 || b > 0xc1 && b < 0xf5; id < 0 && inUTF8 {
			return fmt.Errorf("no token is the single byte %#02x: some texts would have no tokens", b)
		}
	}
	return nil
}

func (t *bpe) addMerges(vocab map[string]int32, pairs [][2]string) error {
	for rank, pair := range pairs {
		a, okA := vocab[pair[0]]
		b, okB := vocab[pair[1]]
		ab, okAB := vocab[pair[0]+pair[1]]
		if !okA || !okB || !okAB {
			return fmt.Errorf("merge %d, %.40q and %.40q: not in the vocabulary", rank, pair[0], pair[1])
		}
		t.merges[[2]int32{a, b}] = merge{int32(rank), ab} // the last of duplicates wins, as in Hugging Face
	}
	return nil
}

// byteOf is the byte that each character of GPT-2's vocabulary stands for: a
// printable byte is its own character, the others are numbered from U+0100 on.
// Source: openai/gpt-2 src/encoder.py, bytes_to_unicode.
var byteOf = func() map[rune]byte {
	of := make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if b < 33 || b > 126 && b < 161 || b == 173 {
			r = next
			next++
		}
		of[r] = byte(b)
	}
	return of
}()

func bytesOf(s string) (text []byte, err error) {
	for _, r := range s {
		b, ok := byteOf[r]
		if !ok {
			return nil, fmt.Errorf("%q stands for no byte", r)
		}
		text = append(text, b)
	}
	return text, nil
}

// Vocab implements Tokenizer.
func (t *bpe) Vocab() int { return len(t.tokens) }

// Token implements Tokenizer.
func (t *bpe) Token(id int32) []byte { return t.tokens[id] }

// SHA256 implements Tokenizer.
func (t *bpe) SHA256() string { return t.sha256 }

// End implements the interface of End.
func (t *bpe) End() (int32, bool) { return t.end, t.ends }

// Encode implements Tokenizer.
func (t *bpe) Encode(ids []int32, text []byte) ([]int32, error) {
	for at, b := range text {
		if t.single[b] < 0 {
			return ids, fmt.Errorf("the vocabulary lacks byte %#02x, at byte %d of the text: the text is not UTF-8", b, at)
		}
	}
	w := words{bpe: t, seen: map[string][]int32{}}
	splitSpecials(text, t.raw, func(part []byte, id int32) {
		if id >= 0 {
			ids = append(ids, id)
			return
		}
		if t.compose {
			part = norm.NFC.Bytes(part)
		}
		splitSpecials(part, t.composed, func(part []byte, id int32) {
			if id >= 0 {
				ids = append(ids, id)
				return
			}
			if t.prefix && part[0] != ' ' {
				part = append([]byte{' '}, part...)
			}
			for len(part) > 0 {
				n := wordLength(part)
				ids, part = append(ids, w.tokensOf(part[:n])...), part[n:]
			}
		})
	})
	return ids, nil
}

// splitSpecials calls f for every special token in text, leftmost and longest first,
// and with -1 for the text in between.
func splitSpecials(text []byte, list []special, f func(part []byte, id int32)) {
	var starts [256]bool
	for _, s := range list {
		starts[s.text[0]] = true
	}
	begin := 0
	for at := 0; at < len(text); {
		found := -1
		if starts[text[at]] {
			found = slices.IndexFunc(list, func(s special) bool { return bytes.HasPrefix(text[at:], s.text) })
		}
		if found < 0 {
			at++
			continue
		}
		if begin < at {
			f(text[begin:at], -1)
		}
		f(nil, list[found].id)
		at += len(list[found].text)
		begin = at
	}
	if begin < len(text) {
		f(text[begin:], -1)
	}
}

// words caches the tokens of words.
type words struct {
	*bpe
	seen map[string][]int32
}

// maxSeen is the most cached words, maxWord the length of the longest.
const maxSeen, maxWord = 1 << 16, 64

func (w *words) tokensOf(word []byte) []int32 {
	if ids, ok := w.seen[string(word)]; ok {
		return ids
	}
	ids := w.join(word)
	if len(w.seen) < maxSeen && len(word) <= maxWord {
		w.seen[string(word)] = ids
	}
	return ids
}

// pair is a candidate merge of two neighbours: the index of the left one and
// both tokens when the pair was found.
type pair struct {
	merge
	at          int
	left, right int32
}

// pairs is a heap: the lowest rank first, then the leftmost.
type pairs []pair

// Len implements heap.Interface.
func (p pairs) Len() int { return len(p) }

// Less implements heap.Interface.
func (p pairs) Less(i, j int) bool {
	return p[i].rank < p[j].rank || p[i].rank == p[j].rank && p[i].at < p[j].at
}

// Swap implements heap.Interface.
func (p pairs) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push implements heap.Interface.
func (p *pairs) Push(x any) { *p = append(*p, x.(pair)) }

// Pop implements heap.Interface.
func (p *pairs) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

// join merges a word's bytes until no merge is left, in O(n log n).
func (t *bpe) join(word []byte) []int32 {
	n := len(word)
	ids, next, before := make([]int32, n), make([]int, n), make([]int, n)
	for i, b := range word {
		ids[i], next[i], before[i] = t.single[b], i+1, i-1
	}
	var queue pairs
	find := func(at int) {
		if at < 0 || next[at] >= n {
			return
		}
		left, right := ids[at], ids[next[at]]
		if m, ok := t.merges[[2]int32{left, right}]; ok {
			heap.Push(&queue, pair{m, at, left, right})
		}
	}
	for i := range n {
		find(i)
	}
	for len(queue) > 0 {
		p := heap.Pop(&queue).(pair)
		r := next[p.at]
		if ids[p.at] != p.left || r >= n || ids[r] != p.right {
			continue // one of the two has been merged meanwhile
		}
		ids[p.at], ids[r] = p.token, -1
		if next[p.at] = next[r]; next[r] < n {
			before[next[r]] = p.at
		}
		find(before[p.at])
		find(p.at)
	}
	return slices.DeleteFunc(ids, func(id int32) bool { return id < 0 })
}
