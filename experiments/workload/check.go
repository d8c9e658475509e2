package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/nn"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/kernels"
)

func init() {
	Register(Workload{Workload: record.Workload{Name: "check", Title: "Checks"}, First: true, Defaults: func() Settings { return &Check{} }})
	for _, p := range properties {
		record.Define(p.quantity())
	}
}

// Check measures exact properties of the live model.
type Check struct {
	Names []string `yaml:"check" json:"-" doc:"modes (one call, token by token and uneven pieces give the same logits); of rwkv4 also linear and scan (what its recurrence is)"`
}

// UnmarshalYAML reads the list that stands in place of a mapping.
func (c *Check) UnmarshalYAML(n ast.Node) error { return yaml.NodeToValue(n, &c.Names) }

// MarshalYAML writes what UnmarshalYAML reads.
func (c Check) MarshalYAML() (any, error) { return c.Names, nil }

// A property is an exact one of a model or of its recurrence.
type property struct {
	name, what string
	only       string // the architecture that has it, "": all
	deviation  func(e *Env) (float64, error)
}

// Streaming is the property without which no cost of a model means anything.
const Streaming = "modes"

var properties = []property{
	{Streaming, "largest difference of a logit, over the largest logit, between one call, token by token and uneven chunks", "", modesDeviation},
	{"linear", "largest deviation of the recurrence from superposition in values and state, over its largest output", "rwkv4", linearDeviation},
	{"scan", "largest difference between the sequential recurrence and an associative scan in float64, over its largest output", "rwkv4", scanDeviation},
}

// quantity is how far a model is from having the property.
func (p property) quantity() record.Quantity {
	return record.Quantity{Name: p.name, Title: p.what, Kind: record.Exact, Better: record.Lower}
}

// Complete implements Settings.
func (c *Check) Complete() error {
	var known []string
	for _, p := range properties {
		known = append(known, p.name)
	}
	for _, name := range c.Names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("unknown check %q (known: %s)", name, strings.Join(known, ", "))
		}
	}
	if len(c.Names) == 0 {
		return fmt.Errorf("the list is empty (known: %s)", strings.Join(known, ", "))
	}
	return nil
}

// Need implements Settings.
func (c *Check) Need(o *arch.Outline) []meter.Part { return []meter.Part{weights(o)} }

// Cells implements Whole: the properties that are asked for and that the
// architecture has.
func (c *Check) Cells(a Arm, seeds []uint64) (cells []Cell, err error) {
	for _, name := range c.Yields(a) {
		cells = append(cells, Cell{What: name, Seed: seeds[0]})
	}
	return cells, nil
}

// Yields implements Whole.
func (c *Check) Yields(a Arm) (names []string) {
	for _, p := range properties {
		if slices.Contains(c.Names, p.name) && (p.only == "" || p.only == a.Arch) {
			names = append(names, p.name)
		}
	}
	return names
}

// Check implements Whole.
func (c *Check) Check([]Arm) error { return nil }

// Operations implements Whole: next to none.
func (c *Check) Operations(Arm) float64 { return 0 }

// Run implements Whole.
func (c *Check) Run(e *Env, cell Cell, r *record.Record) error {
	i := slices.IndexFunc(properties, func(p property) bool { return p.name == cell.What })
	if i < 0 {
		return fmt.Errorf("unknown check %q", cell.What)
	}
	x, err := properties[i].deviation(e)
	if err == nil {
		r.Add(properties[i].quantity().Of(x))
	}
	return err
}

// checkTokens is the length of the text that modes are compared on.
const checkTokens = 96

// modesDeviation runs the model over a text whole, token by token and in
// uneven chunks, and returns the largest difference of logits relative to the
// largest logit.
func modesDeviation(e *Env) (float64, error) {
	m := e.Model
	archtest.Jitter(m, e.Seed)
	T := min(len(e.Tokens), checkTokens)
	if c := arch.Context(m); c > 0 {
		T = min(T, c)
	}
	if T < 2 {
		return 0, fmt.Errorf("a text of %d tokens is too short to compare modes", T)
	}
	ids := e.Tokens[:T]
	g := nn.Inference()
	logits := m.Logits(g, m.Forward(g, nn.Tokens{IDs: ids, B: 1, T: T}, nil))
	whole := append([]float32(nil), logits.Data...)
	largest, worst := 0.0, 0.0
	for _, x := range whole {
		largest = max(largest, math.Abs(float64(x)))
	}
	for _, chunks := range [][]int{{1}, {1, 7, 2, 30, 5}} {
		s, at := m.NewState(1), 0
		for i := 0; at < T; i++ {
			n := min(chunks[i%len(chunks)], T-at)
			g.Reset()
			y := m.Logits(g, m.Forward(g, nn.Tokens{IDs: ids[at : at+n], B: 1, T: n}, s))
			V := y.Dim(-1)
			for j, x := range y.Data {
				worst = max(worst, nanIsInf(float64(x)-float64(whole[at*V+j])))
			}
			at += n
		}
	}
	return worst / largest, nil
}

// nanIsInf is |x|, and infinity for what is not a number: max drops no fault.
func nanIsInf(x float64) float64 {
	if math.IsNaN(x) {
		return math.Inf(1)
	}
	return math.Abs(x)
}

// sequence is a random input of the RWKV-4 recurrence.
type sequence struct {
	T, C       int
	w, u, k, v []float32
	a, b, p    []float32 // state before
}

func randomSequence(r *rand.Rand, T, C int) sequence {
	normal := func(n int, sd float64) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(sd * r.NormFloat64())
		}
		return x
	}
	s := sequence{T, C, normal(C, 1), normal(C, 1), normal(T*C, 2), normal(T*C, 1), normal(C, 1), normal(C, 1), normal(C, 1)}
	for i := range C {
		s.w[i] = -float32(math.Exp(float64(s.w[i])))
		s.b[i] = float32(math.Exp(float64(s.b[i]))) // a sum of exponentials
	}
	return s
}

// run is the sequential recurrence; it returns the outputs and the new state.
func (s sequence) run() (y, a, b, p []float32) {
	y = make([]float32, s.T*s.C)
	a, b, p = append([]float32(nil), s.a...), append([]float32(nil), s.b...), append([]float32(nil), s.p...)
	kernels.WKV4(y, kernels.WKV4State{A: a, B: b, P: p}, kernels.WKV4Inputs{W: s.w, U: s.u, K: s.k, V: s.v}, 1, s.T, s.C)
	return y, a, b, p
}

// linearDeviation holds the recurrence against superposition: with keys and
// decays fixed, outputs and the numerator of the state are linear in the
// values and the numerator before.
//
//	WKV(α·v1 + β·v2, α·a1 + β·a2) = α·WKV(v1, a1) + β·WKV(v2, a2)
func linearDeviation(e *Env) (float64, error) {
	r := nn.Rand(e.Seed, "check linear")
	one := randomSequence(r, 64, 256)
	two, both := one, one
	other := randomSequence(r, one.T, one.C)
	two.v, two.a = other.v, other.a
	const alpha, beta = 0.75, -1.5
	both.v, both.a = combine(alpha, one.v, beta, two.v), combine(alpha, one.a, beta, two.a)
	y1, a1, _, _ := one.run()
	y2, a2, _, _ := two.run()
	y, a, _, _ := both.run()
	return max(deviation(y, combine(alpha, y1, beta, y2)), deviation(a, combine(alpha, a1, beta, a2))), nil
}

func combine(alpha float32, x []float32, beta float32, y []float32) []float32 {
	z := make([]float32, len(x))
	for i := range z {
		z[i] = alpha*x[i] + beta*y[i]
	}
	return z
}

// deviation is max|x-y| / max|y|.
func deviation(x, y []float32) float64 {
	worst, largest := 0.0, 0.0
	for i := range x {
		worst = max(worst, nanIsInf(float64(x[i])-float64(y[i])))
		largest = max(largest, math.Abs(float64(y[i])))
	}
	return worst / largest
}

// span is a stretch of tokens of one channel: what it does to a state.
type span struct{ decay, a, b, p float64 }

// then joins two stretches. It is associative, so the tokens may be joined in
// any grouping, hence in parallel.
func (s span) then(t span) span {
	p := max(s.p+t.decay, t.p)
	e1, e2 := math.Exp(s.p+t.decay-p), math.Exp(t.p-p)
	return span{s.decay + t.decay, e1*s.a + e2*t.a, e1*s.b + e2*t.b, p}
}

// prefixes replaces every span by the join of all up to it, in a balanced
// tree: halves first, then the left half's total onto the right half.
func prefixes(s []span) {
	if len(s) < 2 {
		return
	}
	half := len(s) / 2
	prefixes(s[:half])
	prefixes(s[half:])
	for i := range s[half:] {
		s[half+i] = s[half-1].then(s[half+i])
	}
}

// scanDeviation holds the sequential recurrence against an associative scan
// in float64: outputs, and the ratio of the state's sums.
func scanDeviation(e *Env) (float64, error) {
	s := randomSequence(nn.Rand(e.Seed, "check scan"), 200, 256)
	y, a, b, _ := s.run()
	want, ratio, wantRatio := make([]float32, len(y)), make([]float32, s.C), make([]float32, s.C)
	for c := range s.C {
		spans := []span{{0, float64(s.a[c]), float64(s.b[c]), float64(s.p[c])}}
		for t := range s.T {
			spans = append(spans, span{float64(s.w[c]), float64(s.v[t*s.C+c]), 1, float64(s.k[t*s.C+c])})
		}
		prefixes(spans)
		for t := range s.T {
			now := span{0, float64(s.v[t*s.C+c]), 1, float64(s.u[c]) + float64(s.k[t*s.C+c])}
			out := spans[t].then(now)
			want[t*s.C+c] = float32(out.a / out.b)
		}
		ratio[c], wantRatio[c] = a[c]/b[c], float32(spans[s.T].a/spans[s.T].b)
	}
	return max(deviation(y, want), deviation(ratio, wantRatio)), nil
}
