package corpus

import (
	"errors"
	"slices"
)

// Documents cuts t after every end, a run of tokens.
func (t Tokens) Documents(end []int32) (docs []Tokens, err error) {
	if len(end) == 0 {
		return nil, errors.New("documents need a text that ends them")
	}
	const block = 1 << 16
	ids := make([]int32, block+len(end)-1)
	start := 0
	for from := 0; from < t.Len(); from += block {
		seen := ids[:min(len(ids), t.Len()-from)]
		t.Read(from, seen)
		for i := range min(block, len(seen)) {
			if at := from + i; at >= start && i+len(end) <= len(seen) && slices.Equal(seen[i:i+len(end)], end) {
				docs = append(docs, t.Part(start, at+len(end)))
				start = at + len(end)
			}
		}
	}
	if start < t.Len() {
		docs = append(docs, t.Part(start, t.Len()))
	}
	return docs, nil
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
	for _, d := range docs {
		for at := 0; at+1 < d.Len(); at += T {
			pieces = append(pieces, d.Part(at, min(d.Len(), at+T+1)))
		}
	}
	return pieces
}
