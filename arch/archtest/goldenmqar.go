package archtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
)

// mqar is a setting of multi-query associative recall: K pairs of a key and its
// value, followed by positions that query the keys.
// Source: Arora et al., arXiv 2312.04927; HazyResearch/zoology zoology/data/multiquery_ar.py.
type mqar struct {
	Vocab    int     `json:"vocab_size"` // V: keys are 1 … V/2-1, values V/2 … V-1
	T        int     `json:"input_seq_len"`
	Examples int     `json:"num_examples"`
	Pairs    int     `json:"num_kv_pairs"`
	Passes   int     `json:"num_passes"` // repetitions of the pairs, 0: once
	Power    float64 `json:"power_a"`    // slot s is queried ∝ Power·(s+1)^(Power-1); 0: not stated
	Random   bool    `json:"random_non_queries"`
}

// ignored is the label of a position without a query.
const ignored = -100

// mqarCase is one setting of a case.json, and the files of its examples.
type mqarCase struct {
	mqar
	Config       string
	Files        []string
	Shape        []int
	MeanSlot     *float64 `json:"mean_gap_slot"`
	EarlyQuarter *float64 `json:"share_of_gap_slot_below_quarter"`
	// Asked is the frequency with which each slot is queried, measured over many
	// examples.
	Asked []float64 `json:"slot_query_probability_4000_examples"`
}

// goldenMQAR checks the stated rules of the task on every stored array.
func goldenMQAR(r *Result, dir string, _ Options) error {
	var c struct{ Configs []mqarCase }
	if err := readJSON(filepath.Join(dir, "case.json"), &c); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "inputs_*.npy"))
	if err != nil {
		return err
	}
	for _, config := range c.Configs {
		inputs := "inputs_" + config.Config + ".npy"
		for _, name := range config.Files {
			if strings.HasPrefix(name, "inputs_") {
				inputs = name
			}
		}
		at := slices.Index(files, filepath.Join(dir, inputs))
		if at < 0 {
			return fmt.Errorf("%s: case.json states rules for it and it is missing", inputs)
		}
		files = slices.Delete(files, at, at+1)
		if err := config.check(r, dir, inputs); err != nil {
			return fmt.Errorf("%s: %w", inputs, err)
		}
	}
	if len(files) > 0 {
		return fmt.Errorf("%s: case.json states no rules for it", filepath.Base(files[0]))
	}
	return nil
}

// check checks one pair of arrays against the rules and the stated statistics.
func (c *mqarCase) check(r *Result, dir, file string) error {
	shape, inputs, err := readNPY(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	labelShape, labels, err := readNPY(filepath.Join(dir, strings.Replace(file, "inputs_", "labels_", 1)))
	if err != nil {
		return err
	}
	if want := []int{c.Examples, c.T}; !slices.Equal(shape, want) || !slices.Equal(labelShape, want) || c.Shape != nil && !slices.Equal(c.Shape, want) {
		return fmt.Errorf("inputs of shape %v, labels %v, stated %v and %v", shape, labelShape, want, c.Shape)
	}
	slots, err := c.follows(inputs, labels)
	if err != nil {
		return err
	}
	if c.Power > 0 {
		expected := c.frequencies()
		r.within("slots_sigma", c.zScore(slots, expected), maxZScore, file)
		if c.Asked != nil {
			r.within("stated_slots_sigma", c.zScoreOfShares(c.Asked, 4000, expected), maxZScore, file)
		}
	}
	mean, early := 0.0, 0.0
	for _, s := range slots {
		mean += float64(s) / float64(len(slots))
		if 4*s < c.slots() {
			early += 1 / float64(len(slots))
		}
	}
	const rounded = 1e-9 // of a mean written as decimals
	if c.MeanSlot != nil {
		r.within("mean_gap_slot", math.Abs(mean-*c.MeanSlot), rounded, file)
	}
	if c.EarlyQuarter != nil {
		r.within("share_of_gap_slot_below_quarter", math.Abs(early-*c.EarlyQuarter), rounded, file)
	}
	return nil
}

// context is the number of positions that show the pairs.
func (m mqar) context() int { return 2 * m.Pairs * max(1, m.Passes) }

// slots is the number of places for a query: every second position behind the
// pairs.
func (m mqar) slots() int { return (m.T - m.context()) / 2 }

// follows checks examples [n,T] and labels [n,T] against the rules of the task,
// and returns the queried slots of all examples one after the other. The label
// of a position is the value of the key at that position: labels are not
// shifted.
func (m mqar) follows(inputs, labels []int64) (slots []int, err error) {
	const most = 1 << 24
	switch {
	case m.Vocab < 4 || m.Vocab > most || m.T < 1 || m.T > most || m.Pairs < 1 || m.Pairs > m.T || m.Passes < 0 || m.Passes > m.T:
		return nil, fmt.Errorf("%d pairs of a vocabulary of %d in %d positions", m.Pairs, m.Vocab, m.T)
	case m.slots() < m.Pairs || m.T < m.context():
		return nil, fmt.Errorf("%d positions have no room for %d pairs and their queries", m.T, m.Pairs)
	case len(inputs) != len(labels) || len(inputs)%m.T != 0:
		return nil, fmt.Errorf("%d inputs and %d labels in rows of %d", len(inputs), len(labels), m.T)
	}
	var fill []int64
	for at := 0; at < len(inputs); at += m.T {
		asked, filling, err := m.example(inputs[at:at+m.T], labels[at:at+m.T])
		if err != nil {
			return nil, fmt.Errorf("example %d: %w", at/m.T, err)
		}
		slots, fill = append(slots, asked...), append(fill, filling...)
	}
	return slots, m.filling(fill)
}

// example checks one row. It returns the queried slots and the tokens at
// positions without a query.
func (m mqar) example(x, labels []int64) (slots []int, fill []int64, err error) {
	values, err := m.shown(x)
	if err != nil {
		return nil, nil, err
	}
	context, asked := m.context(), map[int64]bool{}
	for t, label := range labels {
		switch behind := t - context; {
		case label == ignored && behind >= 0:
			fill = append(fill, x[t])
		case label == ignored:
		case behind < 0 || behind%2 != 0:
			return nil, nil, fmt.Errorf("position %d has the label %d: every second one behind the pairs may have one", t, label)
		case values[x[t]] == 0:
			return nil, nil, fmt.Errorf("position %d asks for %d, which is no key here", t, x[t])
		case values[x[t]] != label:
			return nil, nil, fmt.Errorf("position %d asks for key %d, whose value is %d, and has the label %d", t, x[t], values[x[t]], label)
		case asked[x[t]]:
			return nil, nil, fmt.Errorf("position %d asks for key %d again", t, x[t])
		default:
			asked[x[t]] = true
			slots = append(slots, behind/2)
		}
	}
	if len(asked) != m.Pairs {
		return nil, nil, fmt.Errorf("%d of %d keys are asked for", len(asked), m.Pairs)
	}
	return slots, fill, nil
}

// shown returns the value of each key of the pairs.
func (m mqar) shown(x []int64) (map[int64]int64, error) {
	values, used, half := map[int64]int64{}, map[int64]bool{}, int64(m.Vocab/2)
	for i := range m.Pairs {
		k, v := x[2*i], x[2*i+1]
		switch {
		case k < 1 || k >= half:
			return nil, fmt.Errorf("key %d is %d: from 1 to %d is right", i, k, half-1)
		case v < half || v >= int64(m.Vocab):
			return nil, fmt.Errorf("value %d is %d: from %d to %d is right", i, v, half, m.Vocab-1)
		case values[k] != 0:
			return nil, fmt.Errorf("key %d, %d, occurs twice", i, k)
		case used[v]:
			return nil, fmt.Errorf("value %d, %d, occurs twice", i, v)
		}
		values[k], used[v] = v, true
	}
	for t := 2 * m.Pairs; t < m.context(); t++ {
		if x[t] != x[t-2*m.Pairs] {
			return nil, fmt.Errorf("position %d does not repeat the pairs", t)
		}
	}
	return values, nil
}

// maxZScore is the largest deviation of a count from its expectation, in
// standard deviations.
const maxZScore = 5.5

// filling checks the tokens at positions without a query: zeros, or uniform
// tokens.
func (m mqar) filling(fill []int64) error {
	sum := 0.0
	for _, x := range fill {
		if x < 0 || x >= int64(m.Vocab) || x != 0 && !m.Random {
			return fmt.Errorf("a position where nothing is asked holds %d", x)
		}
		sum += float64(x)
	}
	if !m.Random || len(fill) == 0 {
		return nil
	}
	n, V := float64(len(fill)), float64(m.Vocab)
	if off := math.Abs(sum/n-(V-1)/2) / math.Sqrt((V*V-1)/12/n); off > maxZScore {
		return fmt.Errorf("%d tokens that should be uniform have the mean %.1f, %.1f standard deviations off", len(fill), sum/n, off)
	}
	return nil
}

// draws is the number of examples from which slot frequencies are estimated:
// fewer where each costs more.
func (m mqar) draws() int { return max(100, min(20000, 1<<28/(m.slots()*m.Pairs))) }

// zScore is the largest deviation of the number of queries of a slot from its
// expectation, in standard deviations.
func (m mqar) zScore(slots []int, expected []float64) float64 {
	shares, n := make([]float64, len(expected)), len(slots)/m.Pairs
	for _, s := range slots {
		shares[s] += 1 / float64(n)
	}
	return m.zScoreOfShares(shares, n, expected)
}

// zScoreOfShares is zScore where slots have those shares of the queries of
// n examples.
func (m mqar) zScoreOfShares(shares []float64, n int, expected []float64) float64 {
	if len(shares) != len(expected) {
		return math.Inf(1)
	}
	worst := 0.0
	for s, share := range shares {
		p := expected[s]
		sigma := math.Sqrt(p * (1 - p) * (1/float64(n) + 1/float64(m.draws())))
		// Note: a slot that is expected almost never may still be queried once.
		worst = max(worst, (math.Abs(share-p)-1/float64(n))/sigma)
	}
	return worst
}

// frequencies estimates the frequency of each slot by drawing examples: slots without
// replacement, slot s in proportion to (s+1)^(Power-1).
func (m mqar) frequencies() []float64 {
	r := rand.New(rand.NewPCG(1, 1))
	weights, chances := make([]float64, m.slots()), make([]float64, m.slots())
	total := 0.0
	for s := range weights {
		weights[s] = math.Pow(float64(s+1), m.Power-1)
		total += weights[s]
	}
	left := make([]float64, len(weights))
	for range m.draws() {
		sum := total
		copy(left, weights)
		for range m.Pairs {
			x, at := r.Float64()*sum, 0
			for i, w := range left {
				if w > 0 {
					if at, x = i, x-w; x < 0 {
						break
					}
				}
			}
			chances[at]++
			sum, left[at] = sum-left[at], 0
		}
	}
	for s := range chances {
		chances[s] = (chances[s] + 1) / float64(m.draws()+2) // never 0 or 1
	}
	return chances
}
