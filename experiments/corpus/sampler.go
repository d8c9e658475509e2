package corpus

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Orders are the ways through a text.
//
//	random  windows that begin anywhere, drawn anew every time
//	epochs  windows side by side, each once an epoch, in the order of a seeded
//	        permutation that is another in every epoch
//	documents  every part whole, each once an epoch likewise, in rows of
//	        different length: what is behind a part's end does not count
//	stream  every row of a batch reads on where it stopped: for a state that
//	        is carried along
var Orders = []string{"random", "epochs", "documents", "stream"}

// A Sampler cuts windows out of texts. It keeps no position: a step's windows
// follow from its number alone, so that every architecture sees the same
// batches and an interrupted run can go on.
type Sampler struct {
	parts   []Tokens
	weights []float64 // of the parts
	B, T    int       // windows a batch, tokens a window
	seed    uint64
	order   string
}

// Windows samples B windows of T tokens of data in random order. A window
// needs T+1 tokens, its last target included.
func Windows(data Tokens, B, T int, seed uint64) (*Sampler, error) {
	return NewSampler([]Tokens{data}, nil, B, T, seed, "random")
}

// NewSampler samples B windows of T tokens. In random order a window is of
// part i with a probability in proportion to weights[i], nil: to its length;
// the other orders take everything once, and a stream has one part.
func NewSampler(parts []Tokens, weights []float64, B, T int, seed uint64, order string) (*Sampler, error) {
	s := &Sampler{parts: parts, weights: weights, seed: seed, order: order}
	if !slices.Contains(Orders, order) {
		return nil, fmt.Errorf("order %q is not one of %s", order, strings.Join(Orders, ", "))
	}
	if order != "random" && weights != nil || order == "stream" && len(parts) > 1 {
		return nil, fmt.Errorf("order %s takes all text once: leave out the weights, and for a stream give one text", order)
	}
	if weights != nil && len(weights) != len(parts) {
		return nil, fmt.Errorf("%d weights for %d texts", len(weights), len(parts))
	}
	for i, w := range weights {
		if !(w > 0 && w < 1e9) {
			return nil, fmt.Errorf("weight %d is %v, not a positive number", i+1, w)
		}
	}
	if weights == nil {
		for _, p := range parts {
			s.weights = append(s.weights, float64(p.Len()))
		}
	}
	return s.Sized(B, T)
}

// Sized is s with other windows.
func (s *Sampler) Sized(B, T int) (*Sampler, error) {
	if B < 1 || T < 1 {
		return nil, fmt.Errorf("a batch of %d windows of %d tokens: both must be at least 1", B, T)
	}
	rows := 1
	if s.order == "stream" {
		rows = B
	}
	if len(s.parts) == 0 {
		return nil, errors.New("the text has no documents of two tokens or more")
	}
	for _, p := range s.parts {
		if s.order == "documents" {
			if p.Len() < 2 || p.Len() > T+1 {
				return nil, fmt.Errorf("a document of %d tokens: cut it into pieces of 2 to %d", p.Len(), T+1)
			}
			continue
		}
		if p.Len()/rows < T+1 {
			return nil, fmt.Errorf("the text has %d tokens and %d windows of %d tokens need %d: shorten the context or take a longer text",
				p.Len(), rows, T, rows*(T+1))
		}
	}
	q := *s
	q.B, q.T = B, T
	return &q, nil
}

// Batch fills tok and targets, both [B,T], with the windows of a step:
// targets[i] is the token after tok[i], -1 behind the end of a document.
func (s *Sampler) Batch(step int, tok, targets []int32) {
	if len(tok) != s.B*s.T || len(targets) != s.B*s.T {
		panic(fmt.Sprintf("corpus: Batch: %d tokens and %d targets for [%d,%d]", len(tok), len(targets), s.B, s.T))
	}
	for b := range s.B {
		part, at := s.window(step, b)
		row, next := tok[b*s.T:(b+1)*s.T], targets[b*s.T:(b+1)*s.T]
		n := s.filled(part, at)
		s.parts[part].Window(at, row[:n], next[:n])
		for i := n; i < s.T; i++ {
			row[i], next[i] = 0, -1
		}
	}
}

// filled is the tokens of a window that have a target.
func (s *Sampler) filled(part, at int) int { return min(s.T, s.parts[part].Len()-at-1) }

// Counted is how many targets of a step's windows count.
func (s *Sampler) Counted(step int) (n int) {
	for b := range s.B {
		n += s.filled(s.window(step, b))
	}
	return n
}

// Fresh tells that a step's windows do not follow on those of the step before.
func (s *Sampler) Fresh(step int) bool {
	return s.order != "stream" || step%s.streamSteps() == 0
}

// streamSteps is the steps in which a stream goes once through the text.
func (s *Sampler) streamSteps() int { return (s.parts[0].Len()/s.B - 1) / s.T }

// window is where the window of a row is.
func (s *Sampler) window(step, row int) (part, at int) {
	switch s.order {
	case "stream":
		return 0, row*(s.parts[0].Len()/s.B) + step%s.streamSteps()*s.T
	case "documents":
		i, n := step*s.B+row, len(s.parts)
		return permuted(hash(s.seed, uint64(i/n)), i%n, n), 0
	case "epochs":
		return s.ofEpoch(step*s.B + row)
	}
	if len(s.parts) > 1 {
		part = s.draw(hash(s.seed, uint64(step), uint64(row), 1))
	}
	return part, below(hash(s.seed, uint64(step), uint64(row)), s.parts[part].Len()-s.T)
}

// draw is the part that random bits fall on.
func (s *Sampler) draw(h uint64) int {
	total := 0.0
	for _, w := range s.weights {
		total += w
	}
	x := float64(h>>11) / (1 << 53) * total
	for i, w := range s.weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(s.weights) - 1
}

// ofEpoch is window number i over all epochs. The windows of an epoch begin
// where a seeded shift puts the first.
func (s *Sampler) ofEpoch(i int) (part, at int) {
	n := 0
	for _, p := range s.parts {
		n += (p.Len() - 1) / s.T
	}
	epoch := uint64(i / n)
	w := permuted(hash(s.seed, epoch), i%n, n)
	for part, p := range s.parts {
		windows := (p.Len() - 1) / s.T
		if w < windows {
			shift := below(hash(s.seed, epoch, uint64(part)), p.Len()-windows*s.T)
			return part, shift + w*s.T
		}
		w -= windows
	}
	panic("corpus: a window beyond the last text")
}

// permuted is where a seeded permutation of 0 … n-1 takes i: a Feistel network
// over the next even number of bits, walked until it comes back below n.
// Source: Black & Rogaway 2002, cycle-walking.
func permuted(seed uint64, i, n int) int {
	half := (bits.Len(uint(n-1)) + 1) / 2
	mask := uint64(1)<<half - 1
	for x := uint64(i); ; {
		left, right := x>>half, x&mask
		for round := range uint64(4) {
			left, right = right, left^hash(seed, round, right)&mask
		}
		if x = left<<half | right; x < uint64(n) {
			return int(x)
		}
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
