package corpus_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"workbench/experiments/corpus"
	"workbench/experiments/record"
)

// copyFirst is a task: what was the first token? It counts at the last position
// alone.
type copyFirst struct {
	Letters int `json:"letters" doc:"tokens that there are"`
}

var correct = record.Define(record.Quantity{Name: "copy_first_correct", Title: "first tokens recalled", Unit: "share", Kind: record.Seeded, Better: record.Higher, Main: true})

func init() {
	corpus.Register("copy-first", "the first token of the row, asked for at its end", copyFirst{Letters: 16},
		func(c copyFirst) (corpus.Source, error) { return c, nil }, correct)
}

func (c copyFirst) About() record.Corpus {
	return record.Corpus{Name: "copy-first", Source: fmt.Sprintf("synthetic, %d letters", c.Letters)}
}

func (c copyFirst) Vocab() int { return c.Letters }

// Train and Test begin with other tokens: no row is in both.
func (c copyFirst) Train(B, T int, seed uint64) (corpus.Batches, error) {
	return rows{c, B, T, seed, 0}, nil
}
func (c copyFirst) Test(T int) (corpus.Set, error) { return rows{c, 1, T, 0, 1}, nil }
func (c copyFirst) Grader() corpus.Grader          { return &recall{} }

// rows are made from the number of the step: no step needs another.
type rows struct {
	copyFirst
	B, T   int
	seed   uint64
	second int32 // the parity of the second token tells training from test
}

func (r rows) Batch(step int, tok, targets []int32) {
	for b := range r.B {
		random := rand.New(rand.NewPCG(r.seed, uint64(step*r.B+b)))
		row, want := tok[b*r.T:(b+1)*r.T], targets[b*r.T:(b+1)*r.T]
		for i := range row {
			row[i], want[i] = random.Int32N(int32(r.Letters)), -1
		}
		row[1] = row[1]&^1 | r.second
		want[r.T-1] = row[0]
	}
}
func (r rows) Counted(int) int                 { return r.B }
func (r rows) Len() int                        { return 1000 }
func (r rows) Size(int) int                    { return r.T }
func (r rows) Row(i int, tok, targets []int32) { r.Batch(i, tok[:r.T], targets[:r.T]) }

// recall is the share of answers whose most likely token was right.
type recall struct{ right, all int }

func (g *recall) Add(_ int, target int32, _ float32, logits []float32) {
	g.all++
	if logits[target] == slices.Max(logits) {
		g.right++
	}
}
func (g *recall) Values() []record.Value {
	return []record.Value{correct.Of(float64(g.right) / float64(g.all))}
}

// A task is one file: registered, studies name it (corpus: copy-first:letters=8).
func ExampleRegister() {
	task, err := corpus.Open("copy-first:letters=8")
	if err != nil {
		fmt.Println(err)
		return
	}
	batches, err := task.Train(2, 5, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, targets := make([]int32, 10), make([]int32, 10)
	batches.Batch(0, tok, targets)
	fmt.Println(tok[:5], "asks for", targets[:5])
	fmt.Println(tok[5:], "asks for", targets[5:])
	g := task.Grader()
	g.Add(0, targets[4], 0.1, []float32{0, 0, 0, 9, 0, 0, 0, 0})
	fmt.Println(g.Values()[0].Title, *g.Values()[0].Value)
	// Output:
	// [3 6 2 0 4] asks for [-1 -1 -1 -1 3]
	// [0 2 4 4 5] asks for [-1 -1 -1 -1 0]
	// first tokens recalled 1
}
