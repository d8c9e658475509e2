package corpus

import (
	"math"

	"workbench/experiments/record"
)

// BitsPerByte is what models of texts are compared by.
var BitsPerByte = record.Define(record.Quantity{Name: "val_bits_per_byte", Title: "held-out loss", Unit: "bits/byte", Kind: record.Seeded, Better: record.Lower, Main: true})

// Score is how well a model predicts a text: the Grader of texts.
type Score struct {
	Tokens, Bytes int     // predicted, and what they are of the text
	Nats          float64 // lost on all of them

	text Tokens
}

// NewScore begins a score of a text, which knows how many bytes a token is.
func NewScore(text Tokens) *Score { return &Score{text: text} }

// Add implements Grader.
func (s *Score) Add(_ int, target int32, nats float32, _ []float32) {
	s.Tokens, s.Bytes, s.Nats = s.Tokens+1, s.Bytes+s.text.Bytes(target), s.Nats+float64(nats)
}

// Values implements Grader.
func (s *Score) Values() []record.Value { return []record.Value{BitsPerByte.Of(s.BPB())} }

// Loss is the nats per token.
func (s Score) Loss() float64 { return s.Nats / float64(s.Tokens) }

// BPB is the bits per byte of text.
func (s Score) BPB() float64 { return s.Nats / math.Ln2 / float64(s.Bytes) }

// Plus is the score of both texts.
func (s Score) Plus(o Score) Score {
	return Score{s.Tokens + o.Tokens, s.Bytes + o.Bytes, s.Nats + o.Nats, s.text}
}
