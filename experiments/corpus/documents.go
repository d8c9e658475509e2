package corpus

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"workbench/arch/tokenizer"
)

// An Ending is the text that ends a document. A line feed in it stands for
// either kind of line end, with and without a carriage return.
type Ending string

// After is the place behind the first ending in data from at on, -1: there is
// none.
func (e Ending) After(data []byte, at int) int {
	want := strings.ReplaceAll(string(e), "\r\n", "\n")
	if want == "" {
		return -1
	}
	for at < len(data) {
		i := bytes.IndexByte(data[at:], want[0])
		if i < 0 {
			return -1
		}
		at += i
		if end := endingAt(data, at, want); end >= 0 {
			return end
		}
		at++
	}
	return -1
}

// endingAt is where want, whose line ends are line feeds, ends if it begins at
// a place of data, else -1.
func endingAt(data []byte, at int, want string) int {
	for i := range len(want) {
		if i > 0 && want[i] == '\n' && want[i-1] != '\r' && at < len(data) && data[at] == '\r' {
			at++
		}
		if at == len(data) || data[at] != want[i] {
			return -1
		}
		at++
	}
	return at
}

// Last is the place behind the last ending in data, -1: there is none.
func (e Ending) Last(data []byte) int {
	last := -1
	for at := e.After(data, 0); at >= 0; at = e.After(data, at) {
		last = at
	}
	return last
}

// Documents is the text cut behind every ending, each document in the tokens
// of a vocabulary. An ending that does not occur is an error.
func (t *Text) Documents(v tokenizer.Tokenizer, e Ending) ([]Tokens, error) {
	if e.After(t.Data, 0) < 0 {
		return nil, fmt.Errorf("corpus %s: %q, which is to end a document, occurs nowhere in it", t.Name, string(e))
	}
	if v.SHA256() == tokenizer.Bytes().SHA256() {
		return cut(OfBytes(t.Data), e.borders(t.Data)), nil
	}
	var ids []int32
	var borders []int
	from := 0
	for _, to := range e.borders(t.Data) {
		var err error
		if ids, err = v.Encode(ids, t.Data[from:to]); err != nil {
			return nil, fmt.Errorf("corpus %s: the document at byte %d: %w", t.Name, from, err)
		}
		borders, from = append(borders, len(ids)), to
	}
	return cut(ofIDs(v, ids), borders), nil
}

// borders is where the documents of data end.
func (e Ending) borders(data []byte) (ends []int) {
	last := 0
	for at := e.After(data, 0); at >= 0; at = e.After(data, at) {
		ends, last = append(ends, at), at
	}
	if last < len(data) {
		ends = append(ends, len(data))
	}
	return ends
}

// cut is t in parts that end at the borders.
func cut(t Tokens, borders []int) (parts []Tokens) {
	from := 0
	for _, to := range borders {
		parts = append(parts, t.Part(from, to))
		from = to
	}
	return parts
}

// SplitDocuments is Split at the border of a document: val holds whole ones,
// and at least one of two.
func SplitDocuments(docs []Tokens, valFraction float64) (train, val []Tokens) {
	total, held := 0, 0
	for _, d := range docs {
		total += d.Len()
	}
	at := len(docs)
	for at > 1 && (at == len(docs) || float64(held) < valFraction*float64(total)) {
		at--
		held += docs[at].Len()
	}
	return docs[:at], docs[at:]
}

// Pieces cuts documents into sequences of at most T tokens and their targets.
// What is left of a single token has no target, and is left out.
func Pieces(docs []Tokens, T int) (pieces []Tokens) {
	r := NewRows(docs, T)
	for i := range r.Len() {
		pieces = append(pieces, r.At(i))
	}
	return pieces
}

// Rows are the pieces of documents, cut when they are asked for: a Set.
type Rows struct {
	docs []Tokens
	T    int   // tokens of a piece, its last target aside
	upTo []int // of each document: the pieces of it and of those before
}

// NewRows cuts documents as Pieces does. A text is one document.
func NewRows(docs []Tokens, T int) *Rows {
	r, n := &Rows{docs: docs, T: T}, 0
	for _, d := range docs {
		n += (max(1, d.Len()) + T - 2) / T
		r.upTo = append(r.upTo, n)
	}
	return r
}

// Len is the number of pieces.
func (r *Rows) Len() int {
	if len(r.upTo) == 0 {
		return 0
	}
	return r.upTo[len(r.upTo)-1]
}

// At is piece i: the tokens of a row and the target of the last.
func (r *Rows) At(i int) Tokens {
	of := sort.SearchInts(r.upTo, i+1)
	d := r.docs[of]
	if of > 0 {
		i -= r.upTo[of-1]
	}
	return d.Part(i*r.T, min(d.Len(), (i+1)*r.T+1))
}

// Size implements Set.
func (r *Rows) Size(i int) int { return r.At(i).Len() - 1 }

// Row implements Set.
func (r *Rows) Row(i int, tok, targets []int32) {
	row := r.At(i)
	n := row.Len() - 1
	row.Window(0, tok[:n], targets[:n])
	for i := n; i < len(tok); i++ {
		tok[i], targets[i] = 0, -1
	}
}
