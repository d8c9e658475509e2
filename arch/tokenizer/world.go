package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// world is RWKV's own kind of vocabulary: text becomes tokens by taking the
// longest that fits, again and again.
// Source: BlinkDL/ChatRWKV tokenizer/rwkv_tokenizer.py.
type world struct {
	tokens [][]byte // by number; 0 ends a text
	end    int32
	sha256 string

	// The trie: node n's edges are labels[first[n]:first[n+1]], in order, and
	// lead to nodes of the same indices plus 1. Node 0 is the root.
	first  []int32
	labels []byte
	token  []int32 // of a node, 0: none
	roots  [256]int32
}

// worldVocab is the vocabulary of a model over World: the file's 65,529 tokens,
// the end of a text, which is 0, and six tokens that are not in use. It is not
// applied to shorter vocabularies in the same form.
const worldVocab = 65536

// maxToken is the longest token in bytes that is accepted.
const maxToken = 1 << 12

func parseWorld(data []byte) (Tokenizer, error) {
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	w := &world{tokens: [][]byte{nil}, sha256: sum([]byte(strings.Join(lines, "\n") + "\n"))}
	for i, line := range lines {
		id, token, err := worldLine(line)
		if err == nil && (id < len(w.tokens) || id > gaps*len(lines)) {
			err = fmt.Errorf("token %d does not follow %d", id, len(w.tokens)-1)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		for len(w.tokens) < id {
			w.tokens = append(w.tokens, nil)
		}
		w.tokens = append(w.tokens, token)
	}
	if len(lines) > 60000 && len(w.tokens) < worldVocab {
		w.tokens = append(w.tokens, make([][]byte, worldVocab-len(w.tokens))...)
	}
	return w, w.build()
}

// worldLine reads "number literal length".
func worldLine(line string) (id int, token []byte, err error) {
	front, back := strings.IndexByte(line, ' '), strings.LastIndexByte(line, ' ')
	if front < 0 || front == back {
		return 0, nil, errors.New("not a number, a literal and a length")
	}
	if id, err = strconv.Atoi(line[:front]); err != nil || id < 1 {
		return 0, nil, fmt.Errorf("%.20q is not a token's number", line[:front])
	}
	if token, err = pythonLiteral(line[front+1 : back]); err != nil {
		return 0, nil, err
	}
	if n, err := strconv.Atoi(line[back+1:]); err != nil || n != len(token) || n < 1 || n > maxToken {
		return 0, nil, fmt.Errorf("the token has %d bytes, the line says %.20q", len(token), line[back+1:])
	}
	return id, token, nil
}

// pythonLiteral is the bytes of '…', "…" or b'…'.
func pythonLiteral(s string) ([]byte, error) {
	body, isBytes := strings.CutPrefix(s, "b")
	if len(body) < 2 || body[0] != '\'' && body[0] != '"' || body[len(body)-1] != body[0] {
		return nil, fmt.Errorf("%.40q is not a Python literal", s)
	}
	quote, body := body[0], body[1:len(body)-1]
	var out []byte
	for len(body) > 0 {
		if body[0] != '\\' {
			if body[0] == quote {
				return nil, fmt.Errorf("%.40q ends early", s)
			}
			out, body = append(out, body[0]), body[1:]
			continue
		}
		b, rest, err := pythonEscape(body, isBytes)
		if err != nil {
			return nil, err
		}
		out, body = append(out, b...), rest
	}
	return out, nil
}

var plainEscapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '\\': '\\', '\'': '\'', '"': '"', 'a': '\a', 'b': '\b', 'f': '\f', 'v': '\v'}

// pythonEscape reads the escape that s begins with.
func pythonEscape(s string, isBytes bool) (b []byte, rest string, err error) {
	bad := fmt.Errorf("%.12q is not an escape", s)
	if len(s) < 2 {
		return nil, "", bad
	}
	if c, ok := plainEscapes[s[1]]; ok {
		return []byte{c}, s[2:], nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
	if digits == 0 || len(s) < 2+digits || isBytes && digits != 2 {
		return nil, "", bad
	}
	v, err := strconv.ParseUint(s[2:2+digits], 16, 32)
	switch {
	case err != nil:
		return nil, "", bad
	case isBytes:
		return []byte{byte(v)}, s[2+digits:], nil
	case !utf8.ValidRune(rune(v)):
		return nil, "", bad
	}
	return utf8.AppendRune(nil, rune(v)), s[2+digits:], nil
}

// build makes the trie, level by level.
func (w *world) build() error {
	type span struct{ lo, hi, depth int } // of the sorted tokens below a node
	ids := make([]int32, 0, len(w.tokens))
	for id, t := range w.tokens {
		if len(t) > 0 {
			ids = append(ids, int32(id))
		}
	}
	slices.SortFunc(ids, func(a, b int32) int { return bytes.Compare(w.tokens[a], w.tokens[b]) })
	nodes := []span{{0, len(ids), 0}}
	for n := 0; n < len(nodes); n++ {
		s := nodes[n]
		w.first, w.token = append(w.first, int32(len(w.labels))), append(w.token, 0)
		if s.lo < s.hi && len(w.tokens[ids[s.lo]]) == s.depth {
			w.token[n] = ids[s.lo]
			s.lo++
		}
		for s.lo < s.hi {
			t := w.tokens[ids[s.lo]]
			if len(t) == s.depth {
				return fmt.Errorf("tokens %d and %d are the same bytes", w.token[n], ids[s.lo])
			}
			end := s.lo
			for end < s.hi && len(w.tokens[ids[end]]) > s.depth && w.tokens[ids[end]][s.depth] == t[s.depth] {
				end++
			}
			w.labels = append(w.labels, t[s.depth])
			nodes = append(nodes, span{s.lo, end, s.depth + 1})
			s.lo = end
		}
	}
	w.first = append(w.first, int32(len(w.labels)))
	for i, b := range w.labels[:w.first[1]] {
		w.roots[b] = int32(i) + 1
	}
	for b := range 256 {
		if n := w.roots[b]; n == 0 || w.token[n] == 0 {
			return fmt.Errorf("no token is the single byte %#02x: some texts would have no tokens", b)
		}
	}
	return nil
}

// Vocab implements Tokenizer.
func (w *world) Vocab() int { return len(w.tokens) }

// Encode implements Tokenizer.
func (w *world) Encode(ids []int32, text []byte) ([]int32, error) {
	for len(text) > 0 {
		n := w.roots[text[0]]
		best, length := w.token[n], 1
		for at := 1; at < len(text); at++ {
			first := w.first[n]
			i := bytes.IndexByte(w.labels[first:w.first[n+1]], text[at])
			if i < 0 {
				break
			}
			n = first + int32(i) + 1
			if w.token[n] > 0 {
				best, length = w.token[n], at+1
			}
		}
		ids, text = append(ids, best), text[length:]
	}
	return ids, nil
}

// Token implements Tokenizer.
func (w *world) Token(id int32) []byte { return w.tokens[id] }

// SHA256 implements Tokenizer.
func (w *world) SHA256() string { return w.sha256 }

// End implements the interface of End.
func (w *world) End() (int32, bool) { return w.end, true }
