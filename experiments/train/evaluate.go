package train

import (
	"fmt"
	"math"
	"strings"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
)

// Score is how well a model predicts a text.
type Score struct {
	Tokens, Bytes int     // predicted, and what they are of the text
	Nats          float64 // of all of them
}

// Loss is the nats per token.
func (s Score) Loss() float64 { return s.Nats / float64(s.Tokens) }

// BPB is the bits per byte of text.
func (s Score) BPB() float64 { return s.Nats / math.Ln2 / float64(s.Bytes) }

func (s *Score) add(nats float32, bytes int) {
	s.Tokens, s.Bytes, s.Nats = s.Tokens+1, s.Bytes+bytes, s.Nats+float64(nats)
}

// Evaluate is the score of m on data: windows of T tokens, B at a
// time, each starting from nothing, maxTokens in all and at least one window.
// The windows do not overlap, lie evenly over data and are always the same.
func Evaluate(m arch.Model, data corpus.Tokens, B, T, maxTokens int) (Score, error) {
	return EvaluateWhile(m, data, B, T, maxTokens, func(int) bool { return true })
}

// EvaluateWhile is Evaluate as long as more, told after every batch how many
// tokens it was, says so.
func EvaluateWhile(m arch.Model, data corpus.Tokens, B, T, maxTokens int, more func(tokens int) bool) (Score, error) {
	var sum Score
	if err := usable(m, data, B, T); err != nil {
		return sum, err
	}
	g, on := nn.Inference(), true
	eachBatch(data, B, T, maxTokens, func(tok nn.Tokens, targets []int32) {
		if !on {
			return
		}
		g.Reset()
		for i, nats := range nn.NLL(g, m.Logits(g, m.Forward(g, tok, nil)), targets) {
			sum.add(nats, data.Bytes(targets[i]))
		}
		on = more(len(targets))
	})
	return sum, nil
}

// Plus is the score of both texts.
func (s Score) Plus(o Score) Score {
	return Score{s.Tokens + o.Tokens, s.Bytes + o.Bytes, s.Nats + o.Nats}
}

// A Bucket is the bits per byte of the positions [From, To) of a window.
type Bucket struct {
	From, To int
	BPB      float64
}

// EvaluateByPosition is Evaluate with the result by position in the window,
// in buckets of that many positions: what a model makes of more context.
func EvaluateByPosition(m arch.Model, data corpus.Tokens, B, T, maxTokens, bucket int) ([]Bucket, error) {
	if err := usable(m, data, B, T); err != nil {
		return nil, err
	}
	if bucket < 1 {
		return nil, fmt.Errorf("buckets of %d positions", bucket)
	}
	sums := make([]Score, (T+bucket-1)/bucket)
	g := nn.Inference()
	eachBatch(data, B, T, maxTokens, func(tok nn.Tokens, targets []int32) {
		g.Reset()
		for i, nats := range nn.NLL(g, m.Logits(g, m.Forward(g, tok, nil)), targets) {
			sums[i%T/bucket].add(nats, data.Bytes(targets[i]))
		}
	})
	buckets := make([]Bucket, len(sums))
	for i, s := range sums {
		buckets[i] = Bucket{i * bucket, min(T, (i+1)*bucket), s.BPB()}
	}
	return buckets, nil
}

// EvaluateForgetting is Evaluate in pieces of `every` tokens, the named slots
// of the state (without the layer: "att_x_prev") put back to their initial
// values between the pieces. Without slots nothing is forgotten: the base.
func EvaluateForgetting(m arch.Model, data corpus.Tokens, B, T, maxTokens int, slots []string, every int) (bitsPerByte float64, err error) {
	if err := usable(m, data, B, T); err != nil {
		return 0, err
	}
	if every < 1 {
		return 0, fmt.Errorf("forgetting every %d tokens", every)
	}
	if err := knownSlots(m.NewState(1), slots); err != nil {
		return 0, err
	}
	var sum Score
	g := nn.Inference()
	ids, next := make([]int32, B*every), make([]int32, B*every)
	eachBatch(data, B, T, maxTokens, func(tok nn.Tokens, targets []int32) {
		s, empty := m.NewState(tok.B), m.NewState(tok.B)
		for from := 0; from < T; from += every {
			if from > 0 {
				forget(s, empty, slots)
			}
			n := min(every, T-from)
			for b := range tok.B {
				copy(ids[b*n:(b+1)*n], tok.IDs[b*T+from:])
				copy(next[b*n:(b+1)*n], targets[b*T+from:])
			}
			g.Reset()
			piece := nn.Tokens{IDs: ids[:tok.B*n], B: tok.B, T: n}
			for i, nats := range nn.NLL(g, m.Logits(g, m.Forward(g, piece, s)), next[:tok.B*n]) {
				sum.add(nats, data.Bytes(next[i]))
			}
		}
	})
	return sum.BPB(), nil
}

// forget makes the named slots of s equal to those of empty.
func forget(s, empty arch.State, slots []string) {
	initial := map[string]*nn.Tensor{}
	nn.WalkState(empty, func(name string, t *nn.Tensor) { initial[name] = t })
	nn.WalkState(s, func(name string, t *nn.Tensor) {
		for _, slot := range slots {
			if isSlot(name, slot) {
				t.Data = append(t.Data[:0], initial[name].Data...)
				copy(t.Shape, initial[name].Shape)
			}
		}
	})
}

func isSlot(name, slot string) bool { return name == slot || strings.HasSuffix(name, "."+slot) }

// knownSlots checks that every slot is one of the state, and that of a state
// that grows all slots are named: its keys and values belong together.
func knownSlots(empty arch.State, slots []string) error {
	seen := map[string]bool{}
	var have []string
	var left string
	nn.WalkState(empty, func(name string, t *nn.Tensor) {
		named := false
		for _, slot := range slots {
			if isSlot(name, slot) {
				seen[slot], named = true, true
			}
		}
		if t.Len() == 0 && !named {
			left = name
		}
		have = append(have, name)
	})
	for _, slot := range slots {
		if !seen[slot] {
			return fmt.Errorf("the state has no slot %q (it has: %s)", slot, strings.Join(have, ", "))
		}
	}
	if len(slots) > 0 && left != "" {
		return fmt.Errorf("slot %s has one row a position: it is forgotten with all others or not at all", left)
	}
	return nil
}

// usable tells why m cannot read windows of T tokens of data.
func usable(m arch.Model, data corpus.Tokens, B, T int) error {
	if B < 1 || T < 1 {
		return fmt.Errorf("a batch of %d windows of %d tokens: both must be at least 1", B, T)
	}
	if c := arch.Context(m); c > 0 && T > c {
		return fmt.Errorf("a context of %d tokens exceeds the model's limit of %d", T, c)
	}
	if data.Len() < T+1 {
		return fmt.Errorf("the text has %d tokens and a window of %d tokens needs %d: shorten the context or take a longer text",
			data.Len(), T, T+1)
	}
	if V := m.Vocab(); V < data.Vocab {
		return fmt.Errorf("the model knows %d tokens and the text has %d: set vocab=%d", V, data.Vocab, data.Vocab)
	}
	return nil
}

// eachBatch visits the evaluation's windows, up to B a batch.
func eachBatch(data corpus.Tokens, B, T, maxTokens int, f func(tok nn.Tokens, targets []int32)) {
	available := (data.Len() - 1) / T
	n := min(available, max(1, maxTokens/T))
	tok, targets := make([]int32, B*T), make([]int32, B*T)
	for i := 0; i < n; {
		b := 0
		for ; b < B && i < n; b++ {
			at := i * available / n * T
			data.Window(at, tok[b*T:(b+1)*T], targets[b*T:(b+1)*T])
			i++
		}
		f(nn.Tokens{IDs: tok[:b*T], B: b, T: T}, targets[:b*T])
	}
}

// mean of a loss in nats.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(nats float32) { m.sum += float64(nats); m.n++ }

func (m *mean) nats() float64 { return m.sum / float64(m.n) }
