// Package corpus brings the tokens that models are trained and evaluated on:
// texts and synthetic tasks, one file each, registered by name. A text is
// bytes; what is held out is its end, so that no window straddles the split.
package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"workbench/experiments/record"
)

// HeldOut is the fraction of a text, its end, that studies evaluate on.
const HeldOut = 0.1

// A Text is the bytes that models are trained and evaluated on, with where they
// come from. As a Source it is in the tokens of the byte vocabulary.
type Text struct {
	Name   string // as a report shows it
	Source string // in words: "Go 1.26.8 standard library source"
	Data   []byte
	SHA256 string // of Data
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

// About implements Source.
func (t *Text) About() record.Corpus {
	return record.Corpus{Name: t.Name, Source: t.Source, Bytes: int64(len(t.Data)), SHA256: t.SHA256}
}

// halves are the bytes to train on and the held-out ones, as a Source.
func (t *Text) halves() Source {
	training, held := t.Split(HeldOut)
	return Halves(OfBytes(training), OfBytes(held))
}

// Vocab implements Source.
func (t *Text) Vocab() int { return byteVocab }

// Train implements Source: windows that begin anywhere.
func (t *Text) Train(B, T int, seed uint64) (Batches, error) { return t.halves().Train(B, T, seed) }

// Test implements Source: the held-out end.
func (t *Text) Test(T int) (Set, error) { return t.halves().Test(T) }

// Grader implements Source.
func (t *Text) Grader() Grader { return t.halves().Grader() }

// Halves is a Source of tokens to train on and held-out ones.
func Halves(train, held Tokens) Source { return halves{train, held} }

type halves struct{ train, held Tokens }

func (h halves) About() record.Corpus { return record.Corpus{} }
func (h halves) Vocab() int           { return max(h.train.Vocab, h.held.Vocab) }
func (h halves) Train(B, T int, seed uint64) (Batches, error) {
	return Windows(h.train, B, T, seed)
}
func (h halves) Test(T int) (Set, error) { return NewRows([]Tokens{h.held}, T), nil }
func (h halves) Grader() Grader          { return NewScore(h.held) }
