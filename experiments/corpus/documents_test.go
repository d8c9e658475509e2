package corpus

import (
	"slices"
	"strings"
	"testing"
)

func TestDocuments(t *testing.T) {
	docs, err := OfBytes([]byte("one--two----three")).Documents([]int32{'-', '-'})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range docs {
		text := ""
		for _, id := range all(d) {
			text += string(rune(id))
		}
		got = append(got, text)
	}
	if want := []string{"one--", "two--", "--", "three"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	train, val := SplitDocuments(docs, 0.2)
	if len(train) != 3 || len(val) != 1 {
		t.Errorf("%d and %d documents", len(train), len(val))
	}
	if train, val = SplitDocuments(docs, 0.4); len(train) != 2 || len(val) != 2 {
		t.Errorf("%d and %d documents", len(train), len(val))
	}
	// A separator across the border of two blocks.
	long, _ := OfBytes([]byte(strings.Repeat("x", 1<<16-1) + "--y")).Documents([]int32{'-', '-'})
	if len(long) != 2 || long[1].Len() != 1 {
		t.Errorf("%d documents", len(long))
	}
}

// TestPiecesAreMasked: rows of different length end in targets that do not
// count, every piece comes once an epoch, and a document's tokens are all
// predicted but its first.
func TestPiecesAreMasked(t *testing.T) {
	text := counting(60)
	docs := []Tokens{text.Part(0, 9), text.Part(9, 10), text.Part(10, 40), text.Part(40, 42)}
	const B, T = 3, 8
	pieces := Pieces(docs, T) // 8+0, none, 8+8+8+5, 1
	if len(pieces) != 6 {
		t.Fatalf("%d pieces", len(pieces))
	}
	s, err := NewSampler(pieces, nil, B, T, 3, "documents")
	if err != nil {
		t.Fatal(err)
	}
	tok, targets := make([]int32, B*T), make([]int32, B*T)
	var seen []int32
	for step := range 2 {
		s.Batch(step, tok, targets)
		for i, target := range targets {
			if target < 0 {
				if tok[i] != 0 || i%T+1 < T && targets[i+1] >= 0 {
					t.Fatalf("row %d: %v, %v", i/T, tok, targets)
				}
				continue
			}
			if target != tok[i]+1 {
				t.Fatalf("%d follows %d", target, tok[i])
			}
			seen = append(seen, target)
		}
	}
	slices.Sort(seen)
	var want []int32
	for _, d := range docs {
		want = append(want, all(d)[1:]...)
	}
	if !slices.Equal(seen, want) {
		t.Errorf("predicted %v, want %v", seen, want)
	}
}
