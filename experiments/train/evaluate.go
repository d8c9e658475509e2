package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
)

// Score is the cross-entropy of a model on a text.
type Score struct {
	Tokens, Bytes int     // predicted tokens, and their length in bytes of text
	Nats          float64 // total cross-entropy
}

// Loss is the nats per token.
func (s Score) Loss() float64 { return s.Nats / float64(s.Tokens) }

// BPB is the bits per byte of text.
func (s Score) BPB() float64 { return s.Nats / math.Ln2 / float64(s.Bytes) }

func (s *Score) add(nats float32, bytes int) {
	s.Tokens, s.Bytes, s.Nats = s.Tokens+1, s.Bytes+bytes, s.Nats+float64(nats)
}

// addAll adds the unmasked targets; text has their lengths in bytes.
func (s *Score) addAll(nats []float32, targets []int32, text corpus.Tokens) {
	for i, id := range targets {
		if id >= 0 {
			s.add(nats[i], text.Bytes(id))
		}
	}
}

// EvaluateDocuments returns the score of m on documents as training reads them:
// each document is cut into rows of T tokens and a shorter last row, rows start
// from zeros, B rows form a batch. If there are more than maxTokens, about
// maxTokens are used: at least one row, evenly spaced over all rows, always the
// same. more, which may be nil, is called after every batch with the number of
// tokens predicted, and stops the evaluation by returning false.
func EvaluateDocuments(m arch.Model, docs []corpus.Tokens, B, T, maxTokens int, more func(tokens int) bool) (Score, error) {
	var sum Score
	if err := usable(m, docs, B, T); err != nil {
		return sum, err
	}
	g := nn.Inference()
	eachBatch(docs, B, T, maxTokens, func(tok nn.Tokens, targets []int32) bool {
		g.Reset()
		before := sum.Tokens
		sum.addAll(nn.NLL(g, m.Logits(g, m.Forward(g, tok, nil)), targets), targets, docs[0])
		return more == nil || more(sum.Tokens-before)
	})
	return sum, nil
}

// Plus is the score of both texts together.
func (s Score) Plus(o Score) Score {
	return Score{s.Tokens + o.Tokens, s.Bytes + o.Bytes, s.Nats + o.Nats}
}

// A Bucket is the bits per byte of positions [From, To) of rows.
type Bucket struct {
	From, To int
	BPB      float64
}

// EvaluateByPosition is EvaluateDocuments by position, counted from the start
// of the document or, in a longer one, of the row, in buckets of that many
// positions: it shows how a model uses more context. Buckets that no row
// reaches are left out; at least one document must reach the last position.
func EvaluateByPosition(m arch.Model, docs []corpus.Tokens, B, T, maxTokens, bucket int) ([]Bucket, error) {
	if err := errors.Join(usable(m, docs, B, T), reaches(docs, T)); err != nil {
		return nil, err
	}
	if bucket < 1 {
		return nil, fmt.Errorf("buckets of %d positions", bucket)
	}
	sums := make([]Score, (T+bucket-1)/bucket)
	g := nn.Inference()
	eachBatch(docs, B, T, maxTokens, func(tok nn.Tokens, targets []int32) bool {
		g.Reset()
		nll := nn.NLL(g, m.Logits(g, m.Forward(g, tok, nil)), targets)
		for i := range targets {
			sums[i%tok.T/bucket].addAll(nll[i:i+1], targets[i:i+1], docs[0])
		}
		return true
	})
	var buckets []Bucket
	for i, s := range sums {
		if s.Tokens > 0 {
			buckets = append(buckets, Bucket{i * bucket, min(T, (i+1)*bucket), s.BPB()})
		}
	}
	return buckets, nil
}

// EvaluateForgetting is EvaluateDocuments of one text in pieces of `every`
// tokens. Between pieces the named slots of the state (without the layer:
// "att_x_prev") are reset to their initial values. Without slots nothing is
// reset: the baseline.
func EvaluateForgetting(m arch.Model, data corpus.Tokens, B, T, maxTokens int, slots []string, every int) (bitsPerByte float64, err error) {
	text := []corpus.Tokens{data}
	if err := errors.Join(usable(m, text, B, T), reaches(text, T)); err != nil {
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
	eachBatch(text, B, T, maxTokens, func(tok nn.Tokens, targets []int32) bool {
		s, empty := m.NewState(tok.B), m.NewState(tok.B)
		for from := 0; from < tok.T; from += every {
			if from > 0 {
				forget(s, empty, slots)
			}
			n := min(every, tok.T-from)
			for b := range tok.B {
				copy(ids[b*n:(b+1)*n], tok.IDs[b*tok.T+from:])
				copy(next[b*n:(b+1)*n], targets[b*tok.T+from:])
			}
			g.Reset()
			piece := nn.Tokens{IDs: ids[:tok.B*n], B: tok.B, T: n}
			sum.addAll(nn.NLL(g, m.Logits(g, m.Forward(g, piece, s)), next[:tok.B*n]), next[:tok.B*n], data)
		}
		return true
	})
	return sum.BPB(), nil
}

// forget sets the named slots of s to those of empty.
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

// knownSlots checks that every slot exists, and that all slots of a growing
// state are named, because its keys and values belong together.
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

// usable returns the reason why m cannot read rows of T tokens of documents.
func usable(m arch.Model, docs []corpus.Tokens, B, T int) error {
	if B < 1 || T < 1 {
		return fmt.Errorf("a batch of %d windows of %d tokens: both must be at least 1", B, T)
	}
	if c := arch.Context(m); c > 0 && T > c {
		return fmt.Errorf("a context of %d tokens exceeds the model's limit of %d", T, c)
	}
	if !slices.ContainsFunc(docs, func(d corpus.Tokens) bool { return d.Len() > 1 }) {
		return errors.New("the text has no two tokens that follow each other: take a longer one")
	}
	if V := m.Vocab(); V < docs[0].Vocab {
		return fmt.Errorf("the model knows %d tokens and the text has %d: set vocab=%d", V, docs[0].Vocab, docs[0].Vocab)
	}
	return nil
}

// reaches returns an error unless a document has a row of T tokens.
func reaches(docs []corpus.Tokens, T int) error {
	most := 0
	for _, d := range docs {
		if most = max(most, d.Len()); most > T {
			return nil
		}
	}
	return fmt.Errorf("the text has %d tokens and a window of %d tokens needs %d: shorten the context or take a longer text", most, T, T+1)
}

// eachBatch calls f for the rows of an evaluation, up to B in a batch, until f
// returns false. Targets beyond the end of a row that is shorter than others of
// its batch are -1.
func eachBatch(docs []corpus.Tokens, B, T, maxTokens int, f func(tok nn.Tokens, targets []int32) bool) {
	rows, all := corpus.NewRows(docs, T), 0
	for _, d := range docs {
		all += max(0, d.Len()-1)
	}
	n := rows.Len()
	if maxTokens < all {
		n = max(1, n*maxTokens/all)
	}
	tok, targets := make([]int32, B*T), make([]int32, B*T)
	for i := 0; i < n; {
		batch, longest := make([]corpus.Tokens, 0, B), 0
		for ; len(batch) < B && i < n; i++ {
			row := rows.At(i * rows.Len() / n)
			batch, longest = append(batch, row), max(longest, row.Len()-1)
		}
		for b, row := range batch {
			fillRow(row, tok[b*longest:(b+1)*longest], targets[b*longest:(b+1)*longest])
		}
		if size := len(batch) * longest; !f(nn.Tokens{IDs: tok[:size], B: len(batch), T: longest}, targets[:size]) {
			return
		}
	}
}

// fillRow copies the tokens and targets of a row.
func fillRow(row corpus.Tokens, tok, targets []int32) {
	n := row.Len() - 1
	row.Window(0, tok[:n], targets[:n])
	for i := n; i < len(tok); i++ {
		tok[i], targets[i] = 0, -1
	}
}

// mean is the mean of a loss in nats over targets.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(nats float64, n int) { m.sum, m.n = m.sum+nats*float64(n), m.n+n }

func (m *mean) nats() float64 { return m.sum / float64(m.n) }
