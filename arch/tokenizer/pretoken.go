package tokenizer

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

var contractions = [][]byte{[]byte("'s"), []byte("'t"), []byte("'re"), []byte("'ve"), []byte("'m"), []byte("'ll"), []byte("'d")}

// wordLength is the length in bytes of the first word of text, which is not
// empty, by GPT-2's pattern:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// A byte that is not UTF-8 is neither space nor letter nor number.
// Source: openai/gpt-2 src/encoder.py.
func wordLength(text []byte) int {
	for _, c := range contractions {
		if bytes.HasPrefix(text, c) {
			return len(c)
		}
	}
	start := 0
	if text[0] == ' ' {
		start = 1
	}
	if start < len(text) {
		if k, _ := kindAt(text[start:]); k != space {
			return start + run(text[start:], k)
		}
	}
	n := run(text, space)
	if n == len(text) {
		return n
	}
	// The last of the spaces before a word belongs to the word.
	if _, size := utf8.DecodeLastRune(text[:n]); n > size {
		return n - size
	}
	return n
}

type kind uint8

const (
	other kind = iota
	space
	letter
	number
)

func kindAt(text []byte) (k kind, size int) {
	r, size := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && size == 1:
		return other, 1
	case unicode.IsSpace(r):
		return space, size
	case unicode.IsLetter(r):
		return letter, size
	case unicode.IsNumber(r):
		return number, size
	}
	return other, size
}

// run is the length of the leading characters of text that are of kind k.
func run(text []byte, k kind) (n int) {
	for n < len(text) {
		at, size := kindAt(text[n:])
		if at != k {
			break
		}
		n += size
	}
	return n
}
