// Package corpus brings texts and cuts them into training batches. A text is
// bytes; what is held out is its end, so that no window straddles the split.
package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A Text is the bytes that models are trained and judged on, with where they
// come from.
type Text struct {
	Name   string // as a report shows it
	Source string // in words: "Go 1.26.8 standard library source"
	Data   []byte
	SHA256 string // of Data
}

// Open returns a text by name, or the file or folder of that path.
//
//	go       the standard library's source of the Go toolchain found, or
//	         grammar where there is none (Name and Source then say so)
//	grammar  a synthetic language, the same bytes everywhere
func Open(name string) (*Text, error) {
	switch name {
	case "go":
		return goSource(), nil
	case "grammar":
		return grammarText(), nil
	case "":
		return nil, fmt.Errorf("no corpus is named: give a file, a folder, go or grammar")
	}
	return openPath(name)
}

func newText(name, source string, data []byte) *Text {
	sum := sha256.Sum256(data)
	return &Text{Name: name, Source: source, Data: data, SHA256: hex.EncodeToString(sum[:])}
}

// Split divides the text by position: the last valFraction of its bytes, a
// fraction between 0 and 1, is held out.
func (t *Text) Split(valFraction float64) (train, val []byte) {
	if !(valFraction >= 0 && valFraction <= 1) {
		panic(fmt.Sprintf("corpus: held-out fraction %v is not between 0 and 1", valFraction))
	}
	at := len(t.Data) - int(valFraction*float64(len(t.Data)))
	return t.Data[:at:at], t.Data[at:]
}
