package corpus

import (
	"fmt"
	"slices"
	"strings"

	"workbench/arch/settings"
	"workbench/experiments/record"
)

// A Source is where the tokens of training and evaluation come from: a text, or
// a synthetic task.
type Source interface {
	// About says what the source is, for the records.
	About() record.Corpus
	// Vocab is what a model must know: every token is below it.
	Vocab() int
	// Train are batches of B rows of T tokens to learn from.
	Train(B, T int, seed uint64) (Batches, error)
	// Test is what a model is evaluated on, in rows of T tokens: the same every
	// time, and nothing that Train gives.
	Test(T int) (Set, error)
	// Grader begins a score of the answers to Test.
	Grader() Grader
}

// Batches are the rows that a model learns from, by the number of the step.
type Batches interface {
	// Batch fills tok and targets, both [B,T]: targets[i] is what should follow
	// tok[i], and -1 where no answer counts.
	Batch(step int, tok, targets []int32)
	// Counted is how many targets of a step count.
	Counted(step int) int
}

// A Set is the rows that a model is evaluated on.
type Set interface {
	// Len is the number of rows.
	Len() int
	// Size is the number of tokens of row i.
	Size(i int) int
	// Row fills tok and targets with row i, as Batch does, and what is left of
	// them with tokens that have no target.
	Row(i int, tok, targets []int32)
}

// A Grader sums up how well a model answers.
type Grader interface {
	// Add takes in an answer that counts: its row in the set, the target, the
	// nats that the model lost on it, and the model's scores of all tokens.
	Add(row int, target int32, nats float32, logits []float32)
	// Values is the score so far, of kind Seeded. Models are compared by the
	// first value; every call has the same quantities in the same order.
	Values() []record.Value
}

// An Entry describes a registered source.
type Entry struct {
	Name, Doc string
	Options   []settings.Option

	open  func(values map[string]any) (Source, error)
	score []record.Quantity
}

var entries []Entry

// Register makes a source known by name. C is a flat struct of settings as
// package settings reads them, defaults holds their defaults. score are the
// quantities of its grader.
func Register[C any](name, doc string, defaults C, open func(C) (Source, error), score ...record.Quantity) {
	if Find(name) != nil || strings.ContainsAny(name, ":/\\ ") {
		panic(fmt.Sprintf("corpus: source %q is registered twice, or its name has a character that settings and paths need", name))
	}
	entries = append(entries, Entry{name, doc, settings.Options(defaults), func(values map[string]any) (Source, error) {
		c, err := settings.Resolve("corpus "+name, defaults, values)
		if err != nil {
			return nil, err
		}
		return open(c)
	}, score})
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
}

// Find is the entry of a registered source, nil where there is none.
func Find(name string) *Entry {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return &entries[i]
}

// Entries are the registered sources, by name.
func Entries() []Entry { return slices.Clone(entries) }

// Open returns a source: a registered one by its name, with settings after a
// colon ("NAME:key=value,key=value"), or the text of a file or folder.
func Open(name string) (Source, error) {
	if name == "" {
		return nil, fmt.Errorf("no corpus is named: give a file, a folder or one of %s", names())
	}
	known, set, _ := strings.Cut(name, ":")
	e := Find(known)
	if e == nil {
		return openPath(name)
	}
	values, err := settings.Parse(set)
	if err != nil {
		return nil, fmt.Errorf("corpus %s: %w", known, err)
	}
	return e.open(values)
}

// OpenText is Open for a text.
func OpenText(name string) (*Text, error) {
	s, err := Open(name)
	if err != nil {
		return nil, err
	}
	t, ok := s.(*Text)
	if !ok {
		return nil, fmt.Errorf("corpus %s is a task and no text: studies train models on it (measure: quality)", name)
	}
	return t, nil
}

// Scores are the quantities of the grader of what Open returns for a name.
func Scores(name string) []record.Quantity {
	known, _, _ := strings.Cut(name, ":")
	if e := Find(known); e != nil {
		return e.score
	}
	return []record.Quantity{BitsPerByte}
}

// names lists the registered sources.
func names() string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return strings.Join(out, ", ")
}

// Stream is n tokens of a source for work whose cost does not depend on what
// they say: the beginning of a text's training part, or random tokens of a task.
func Stream(s Source, n int) []int32 {
	var ids []int32
	if t, ok := s.(*Text); ok {
		training, _ := t.Split(HeldOut)
		for _, b := range training[:min(n, len(training))] {
			ids = append(ids, int32(b))
		}
		return ids
	}
	for i := range n {
		ids = append(ids, int32(below(hash(uint64(i)), s.Vocab())))
	}
	return ids
}
