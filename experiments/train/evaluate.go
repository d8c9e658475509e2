package train

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
)

// Evaluate grades m on the rows of a set, B at a time, every row starting from
// nothing: what training sees of them. Of more than maxTokens it takes about so
// many, in rows evenly over all, at least one, and always the same. more, which
// may be nil, is told after every batch how many answers counted, and ends the
// evaluation. The result is the mean loss of these answers in nats.
func Evaluate(m arch.Model, set corpus.Set, B, maxTokens int, grader corpus.Grader, more func(answers int) bool) float64 {
	var sum mean
	g := nn.Inference()
	eachBatch(set, B, maxTokens, func(rows []int, tok nn.Tokens, targets []int32) bool {
		before := sum.n
		grade(g, m, nil, rows, tok, targets, func(_ int, nats float32) corpus.Grader {
			sum.add(float64(nats), 1)
			return grader
		})
		return more == nil || more(sum.n-before)
	})
	return sum.nats()
}

// grade lets m answer rows of a set from a state, and gives every answer that
// counts to the grader for its position in the row.
func grade(g *nn.Graph, m arch.Model, s arch.State, rows []int, tok nn.Tokens, targets []int32, of func(position int, nats float32) corpus.Grader) {
	g.Reset()
	logits := m.Logits(g, m.Forward(g, tok, s))
	nats, V := nn.NLL(g, logits, targets), logits.Dim(-1)
	for i, target := range targets {
		if target >= 0 {
			of(i%tok.T, nats[i]).Add(rows[i/tok.T], target, nats[i], logits.Data[i*V:(i+1)*V])
		}
	}
}

// mainScore is what models are compared by.
func mainScore(g corpus.Grader) float64 {
	if x := g.Values()[0].Value; x != nil {
		return *x
	}
	return math.NaN()
}

// EvaluateDocuments is the score of m on the documents of a text, each cut into
// rows of T tokens and a last one of what is left.
func EvaluateDocuments(m arch.Model, docs []corpus.Tokens, B, T, maxTokens int, more func(tokens int) bool) (corpus.Score, error) {
	if err := sized(B, T); err != nil {
		return corpus.Score{}, err
	}
	set := corpus.NewRows(docs, T)
	if err := usable(m, vocabOf(docs), set, T); err != nil {
		return corpus.Score{}, err
	}
	score := corpus.NewScore(docs[0])
	Evaluate(m, set, B, maxTokens, score, more)
	return *score, nil
}

// A Bucket is the score at the positions [From, To) of a row.
type Bucket struct {
	From, To int
	Score    float64
}

// EvaluateByPosition is Evaluate on rows of T tokens with the score by position,
// counted from where a row starts, in buckets of that many positions: what a
// model makes of more context. A bucket without answers that count is left out;
// one of the rows must reach the last position.
func EvaluateByPosition(m arch.Model, src corpus.Source, set corpus.Set, B, T, maxTokens, bucket int) ([]Bucket, error) {
	if err := sized(B, T); err != nil {
		return nil, err
	}
	if err := errors.Join(usable(m, src.Vocab(), set, T), reaches(set, T)); err != nil {
		return nil, err
	}
	if bucket < 1 {
		return nil, fmt.Errorf("buckets of %d positions", bucket)
	}
	graders, counted := make([]corpus.Grader, (T+bucket-1)/bucket), make([]int, (T+bucket-1)/bucket)
	for i := range graders {
		graders[i] = src.Grader()
	}
	g := nn.Inference()
	eachBatch(set, B, maxTokens, func(rows []int, tok nn.Tokens, targets []int32) bool {
		grade(g, m, nil, rows, tok, targets, func(position int, _ float32) corpus.Grader {
			counted[position/bucket]++
			return graders[position/bucket]
		})
		return true
	})
	var buckets []Bucket
	for i, n := range counted {
		if n > 0 {
			buckets = append(buckets, Bucket{i * bucket, min(T, (i+1)*bucket), mainScore(graders[i])})
		}
	}
	return buckets, nil
}

// EvaluateForgetting is the score of Evaluate on rows of T tokens read in pieces
// of `every` tokens, the named slots of the state (without the layer:
// "att_x_prev") put back to their initial values between the pieces. Without
// slots nothing is forgotten: the base.
func EvaluateForgetting(m arch.Model, src corpus.Source, B, T, maxTokens int, slots []string, every int) (score float64, err error) {
	if err := sized(B, T); err != nil {
		return 0, err
	}
	set, err := src.Test(T)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(usable(m, src.Vocab(), set, T), reaches(set, T)); err != nil {
		return 0, err
	}
	if every < 1 {
		return 0, fmt.Errorf("forgetting every %d tokens", every)
	}
	if err := knownSlots(m.NewState(1), slots); err != nil {
		return 0, err
	}
	grader := src.Grader()
	g := nn.Inference()
	ids, next := make([]int32, B*every), make([]int32, B*every)
	eachBatch(set, B, maxTokens, func(rows []int, tok nn.Tokens, targets []int32) bool {
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
			piece := nn.Tokens{IDs: ids[:tok.B*n], B: tok.B, T: n}
			grade(g, m, s, rows, piece, next[:tok.B*n], func(int, float32) corpus.Grader { return grader })
		}
		return true
	})
	return mainScore(grader), nil
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

// vocabOf is what a model must know to read documents.
func vocabOf(docs []corpus.Tokens) (vocab int) {
	for _, d := range docs {
		vocab = max(vocab, d.Vocab)
	}
	return vocab
}

// sized refuses batches of nothing.
func sized(B, T int) error {
	if B < 1 || T < 1 {
		return fmt.Errorf("a batch of %d windows of %d tokens: both must be at least 1", B, T)
	}
	return nil
}

// usable tells why m cannot read rows of at most T tokens of a set.
func usable(m arch.Model, vocab int, set corpus.Set, T int) error {
	if c := arch.Context(m); c > 0 && T > c {
		return fmt.Errorf("a context of %d tokens exceeds the model's limit of %d", T, c)
	}
	if set.Len() == 0 {
		return errors.New("the text has no two tokens that follow each other: take a longer one")
	}
	if V := m.Vocab(); V < vocab {
		return fmt.Errorf("the model knows %d tokens and the corpus has %d: set vocab=%d", V, vocab, vocab)
	}
	return nil
}

// reaches tells that no row has T tokens.
func reaches(set corpus.Set, T int) error {
	most := 0
	for i := range set.Len() {
		if most = max(most, set.Size(i)); most >= T {
			return nil
		}
	}
	return fmt.Errorf("the text has %d tokens and a window of %d tokens needs %d: shorten the context or take a longer text", most+1, T, T+1)
}

// eachBatch visits the evaluation's rows, up to B a batch, while f says so.
// Behind the end of a row that is shorter than others of its batch targets are
// -1.
func eachBatch(set corpus.Set, B, maxTokens int, f func(rows []int, tok nn.Tokens, targets []int32) bool) {
	all, longest := 0, 0
	for i := range set.Len() {
		all, longest = all+set.Size(i), max(longest, set.Size(i))
	}
	n := set.Len()
	if maxTokens < all {
		n = max(1, n*maxTokens/all)
	}
	tok, targets := make([]int32, B*longest), make([]int32, B*longest)
	for i := 0; i < n; {
		rows, T := make([]int, 0, B), 0
		for ; len(rows) < B && i < n; i++ {
			row := i * set.Len() / n
			rows, T = append(rows, row), max(T, set.Size(row))
		}
		for b, row := range rows {
			set.Row(row, tok[b*T:(b+1)*T], targets[b*T:(b+1)*T])
		}
		if size := len(rows) * T; !f(rows, nn.Tokens{IDs: tok[:size], B: len(rows), T: T}, targets[:size]) {
			return
		}
	}
}

// mean of a loss in nats over targets.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(nats float64, n int) { m.sum, m.n = m.sum+nats*float64(n), m.n+n }

func (m *mean) nats() float64 { return m.sum / float64(m.n) }
