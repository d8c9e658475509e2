package corpus

import (
	"fmt"
	"math/bits"
)

// A Sampler cuts random windows out of a text. It keeps no position: a step's
// windows follow from its number alone, so that every architecture sees the
// same batches and an interrupted run can go on.
type Sampler struct {
	data []byte
	B, T int // windows a batch, tokens a window
	seed uint64
}

// Windows samples B windows of T tokens from data. A window needs T+1 bytes,
// its last target included.
func Windows(data []byte, B, T int, seed uint64) (*Sampler, error) {
	if B < 1 || T < 1 {
		return nil, fmt.Errorf("a batch of %d windows of %d tokens: both must be at least 1", B, T)
	}
	if len(data) < T+1 {
		return nil, fmt.Errorf("the text has %d bytes and a window of %d tokens needs %d: shorten the context or take a longer text",
			len(data), T, T+1)
	}
	return &Sampler{data: data, B: B, T: T, seed: seed}, nil
}

// Batch fills tok and targets, both [B,T], with the windows of a step:
// targets[i] is the byte after tok[i].
func (s *Sampler) Batch(step int, tok, targets []int32) {
	if len(tok) != s.B*s.T || len(targets) != s.B*s.T {
		panic(fmt.Sprintf("corpus: Batch: %d tokens and %d targets for [%d,%d]", len(tok), len(targets), s.B, s.T))
	}
	for b := range s.B {
		at := s.offset(step, b)
		Fill(s.data[at:at+s.T+1], tok[b*s.T:(b+1)*s.T], targets[b*s.T:(b+1)*s.T])
	}
}

// offset is where the window of a row starts, uniform over the text.
func (s *Sampler) offset(step, row int) int {
	return below(hash(s.seed, uint64(step), uint64(row)), len(s.data)-s.T)
}

// Fill turns T+1 bytes into T tokens and their targets.
func Fill(window []byte, tok, targets []int32) {
	for i := range tok {
		tok[i] = int32(window[i])
		targets[i] = int32(window[i+1])
	}
}

// hash mixes numbers into 64 random bits, statelessly.
// Source: the finaliser of SplitMix64, Steele, Lea & Flood 2014.
func hash(words ...uint64) uint64 {
	var h uint64
	for _, w := range words {
		h += w + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// below maps 64 random bits to [0, n).
func below(h uint64, n int) int {
	hi, _ := bits.Mul64(h, uint64(n))
	return int(hi)
}
