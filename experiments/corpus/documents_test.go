package corpus

import (
	"slices"
	"strings"
	"testing"

	"workbench/arch/tokenizer"
)

func TestDocuments(t *testing.T) {
	docs, err := newText("t", "", []byte("one--two----three")).Documents(tokenizer.Bytes(), "--")
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
}

// TestEndings: line ends of either kind end documents, in every vocabulary.
func TestEndings(t *testing.T) {
	for _, c := range []struct {
		text string
		end  Ending
		want []string
	}{
		{"a\n\nb\r\n\r\nc\r\n\nd\n\r\ne", "\n\n", []string{"a\n\n", "b\r\n\r\n", "c\r\n\n", "d\n\r\n", "e"}},
		{"a\n\nb\r\n\r\nc", "\r\n\r\n", []string{"a\n\n", "b\r\n\r\n", "c"}},
		{"a\nb\r\nc\rd", "\n", []string{"a\n", "b\r\n", "c\rd"}},
		{"a\rb\r", "\r", []string{"a\r", "b\r"}},
		{"a--\r\nb--\n--", "--\n", []string{"a--\r\n", "b--\n", "--"}},
		{"x\ny\r\nx\r\ny", "x\ny", []string{"x\ny", "\r\nx\r\ny"}},
		{"a---b", "--", []string{"a--", "-b"}},
		{"é|ü|", "|", []string{"é|", "ü|"}},
	} {
		text := newText("t", "", []byte(c.text))
		chars, err := tokenizer.Chars(text.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []tokenizer.Tokenizer{tokenizer.Bytes(), chars} {
			docs, err := text.Documents(v, c.end)
			var got []string
			for _, d := range docs {
				got = append(got, string(tokenizer.Decode(v, all(d))))
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q cut at %q: %q, %v; want %q", c.text, c.end, got, err, c.want)
			}
		}
	}
	for _, end := range []Ending{"\n\n", "\r", ""} {
		if _, err := newText("notes", "", []byte("a\nb\n")).Documents(tokenizer.Bytes(), end); err == nil || !strings.Contains(err.Error(), "notes") || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("%q: %v", end, err)
		}
	}
}

// TestCounted: what a step's windows have to predict, told without them.
func TestCounted(t *testing.T) {
	text := counting(60)
	docs := Pieces([]Tokens{text.Part(0, 9), text.Part(10, 40), text.Part(40, 42)}, 8)
	for _, order := range []string{"documents", "random"} {
		if order == "random" {
			docs = []Tokens{text}
		}
		s, err := NewSampler(docs, nil, 3, 8, 3, order)
		if err != nil {
			t.Fatal(err)
		}
		tok, targets := make([]int32, 24), make([]int32, 24)
		for step := range 5 {
			s.Batch(step, tok, targets)
			n := 0
			for _, x := range targets {
				if x >= 0 {
					n++
				}
			}
			if got := s.Counted(step); got != n {
				t.Errorf("%s, step %d: %d targets count, want %d", order, step, got, n)
			}
		}
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
