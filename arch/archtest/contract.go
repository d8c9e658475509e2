// Package archtest is the contract that every architecture must pass, and the
// comparison with golden cases that the command `verify` and the tests share.
package archtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// Spec is the configuration under test, a small one (small dim and layers,
// vocab at least 16), and what is expected of it.
type Spec struct {
	Arch   string
	Config map[string]any
	// Params is the number of weights by a closed form written in the test.
	Params int
	// Rounding is a factor of the tolerance storedBounds of logits with stored
	// weights, 0 for 1: larger where outputs of several rounded matrices are
	// multiplied.
	Rounding float64
}

// Run checks every clause of the contract and reports each, with a nil err
// where it holds.
func Run(s Spec, report func(clause string, err error)) {
	for _, c := range []struct {
		name  string
		check func(Spec) error
	}{
		{"Names", names}, {"Params", params}, {"Outlined", outlined}, {"Streaming", streaming}, {"Causal", causal},
		{"StateIsAll", stateIsAll}, {"Grad", gradient}, {"GradFromState", gradientFromState}, {"Used", used},
		{"DecodeAllocs", decodeAllocs}, {"Stored", stored}, {"Cascade", cascade}, {"Overfit", overfit}, {"Saved", saved}, {"Poison", poison}, {"Threads", threads},
	} {
		report(c.name, guarded(c.check, s))
	}
}

// guarded turns a panic into an error.
func guarded(check func(Spec) error, s Spec) (err error) {
	defer func() {
		if r := recover(); r != nil {
			stack := make([]byte, 4096)
			err = fmt.Errorf("panic: %v\n%s", r, stack[:runtime.Stack(stack, false)])
		}
	}()
	return check(s)
}

const (
	batch  = 2
	length = 11
	// rounding bounds the difference between two orders of the same float32 sums,
	// relative to the largest logit.
	rounding = 2e-5
)

// build returns the model with every weight jittered: matrices initialised with
// zeros, as in RWKV, would hide faults.
func (s Spec) build() (arch.Model, error) {
	m, _, err := arch.New(s.Arch, s.Config, 1)
	if err == nil {
		Jitter(m, 2)
	}
	return m, err
}

// Jitter adds noise to every weight: about 1/√fan-in to matrices, 0.2 to
// vectors.
func Jitter(m arch.Model, seed uint64) {
	nn.Walk(m, func(p nn.Param) {
		r, std := nn.Rand(seed, "jitter "+p.Name), 0.2
		if len(p.Tensor.Shape) > 1 {
			std = 1 / math.Sqrt(float64(p.Tensor.Dim(-1)))
		}
		for i := range p.Tensor.Data {
			p.Tensor.Data[i] += float32(std * r.NormFloat64())
		}
	})
}

// text returns random tokens [B,T].
func text(m arch.Model, B, T int, seed uint64) nn.Tokens {
	V := m.Vocab()
	r := rand.New(rand.NewPCG(seed, 0))
	tok := nn.Tokens{IDs: make([]int32, B*T), B: B, T: T}
	for i := range tok.IDs {
		tok.IDs[i] = int32(r.IntN(V))
	}
	return tok
}

// piece is positions [from, to) of tok.
func piece(tok nn.Tokens, from, to int) nn.Tokens {
	p := nn.Tokens{B: tok.B, T: to - from}
	for b := range tok.B {
		p.IDs = append(p.IDs, tok.IDs[b*tok.T+from:b*tok.T+to]...)
	}
	return p
}

// Logits runs tok through s in pieces of the given lengths, the last length
// repeated to the end of the text (none: one piece), and returns the logits
// [B,T,V].
func Logits(m arch.Model, tok nn.Tokens, s arch.State, pieces ...int) []float32 {
	var out []float32
	g := nn.Inference()
	for at, i := 0, 0; at < tok.T; i++ {
		n := tok.T - at
		if len(pieces) > 0 {
			n = min(n, pieces[min(i, len(pieces)-1)])
		}
		g.Reset()
		y := m.Logits(g, m.Forward(g, piece(tok, at, at+n), s))
		V := y.Dim(-1)
		if out == nil {
			out = make([]float32, tok.B*tok.T*V)
		}
		for b := range tok.B {
			copy(out[(b*tok.T+at)*V:], y.Data[b*n*V:(b+1)*n*V])
		}
		at += n
	}
	return out
}

// deviation is max|a-b| / max|b|.
func deviation(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var diff, size float64
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		diff, size = max(diff, d), max(size, math.Abs(float64(b[i])))
	}
	if size == 0 {
		return diff
	}
	return diff / size
}

// names: every weight and every state slot has a name of its own.
func names(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	add := func(name string) {
		if name == "" || seen[name] {
			err = fmt.Errorf("name %q is empty or used twice", name)
		}
		seen[name] = true
	}
	nn.Walk(m, func(p nn.Param) { add(p.Name) })
	clear(seen)
	nn.WalkState(m.NewState(1), func(name string, _ *nn.Tensor) { add(name) })
	if len(seen) == 0 {
		return fmt.Errorf("the state has no slot")
	}
	return err
}

func params(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	if n, _ := arch.Params(m); n != s.Params {
		return fmt.Errorf("%d weights, the closed form says %d", n, s.Params)
	}
	return nil
}

// streaming: one call, token by token, and uneven pieces give the same logits.
func streaming(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	tok := text(m, batch, length, 3)
	whole := Logits(m, tok, nil)
	if bound := s.cacheBound(m); bound > 0 {
		return streamingRounded(m, tok, whole, bound)
	}
	for _, pieces := range [][]int{{}, {1}, {3, 1, 5, 2}, {length - 1, 1}} {
		if d := deviation(Logits(m, tok, m.NewState(batch), pieces...), whole); d > rounding {
			return fmt.Errorf("pieces %v differ from the whole by %.2g of the largest logit", pieces, d)
		}
	}
	return nil
}

// causal: a later token changes no earlier logit, and another row changes no
// logit.
func causal(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	tok := text(m, batch, length, 4)
	before := Logits(m, tok, nil)
	V := len(before) / (batch * length)
	at := length / 2
	other := tok
	other.IDs = slices.Clone(tok.IDs)
	other.IDs[at] = (other.IDs[at] + 1) % int32(V)
	after := Logits(m, other, nil)
	if !slices.Equal(before[:at*V], after[:at*V]) {
		return fmt.Errorf("token %d changed an earlier logit", at)
	}
	if slices.Equal(before[at*V:length*V], after[at*V:length*V]) {
		return fmt.Errorf("token %d changed nothing", at)
	}
	if !slices.Equal(before[length*V:], after[length*V:]) {
		return fmt.Errorf("row 0 changed row 1")
	}
	return nil
}

// stateIsAll: continuing from a copied state gives the same logits, so
// StateBytes counts everything.
func stateIsAll(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	tok := text(m, batch, length, 5)
	state, saved := m.NewState(batch), m.NewState(batch)
	Logits(m, piece(tok, 0, 6), state)
	arch.CopyState(saved, state)
	rest := piece(tok, 6, length)
	first := Logits(m, rest, state)
	arch.CopyState(state, saved)
	if !slices.Equal(first, Logits(m, rest, state)) {
		return fmt.Errorf("logits after restoring the state differ")
	}
	if !slices.Equal(first, Logits(m, rest, saved)) {
		return fmt.Errorf("logits from the copied state differ")
	}
	return nil
}

// used: every weight that is not frozen gets a gradient.
func used(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	tok := text(m, batch, length, 6)
	nn.ZeroGrad(m)
	meanLoss(nn.NewGraph(), m, tok, nil)
	nn.Walk(m, func(p nn.Param) {
		if p.Tensor.Const != (p.Tensor.Grad == nil) {
			err = fmt.Errorf("%s is frozen and has a gradient, or is not and has none", p.Name)
		} else if !p.Tensor.Const && !slices.ContainsFunc(p.Tensor.Grad, func(d float32) bool { return d != 0 }) {
			err = fmt.Errorf("%s gets no gradient", p.Name)
		}
	})
	return err
}

// meanLoss is the mean cross-entropy of every token given the tokens before it;
// the target of the last position of a row is the first token of the row. A
// graph that records also runs Backward; one that does not sums in float64.
func meanLoss(g *nn.Graph, m arch.Model, tok nn.Tokens, s arch.State) float64 {
	targets := make([]int32, len(tok.IDs))
	for b := range tok.B {
		row := tok.IDs[b*tok.T : (b+1)*tok.T]
		copy(targets[b*tok.T:], row[1:])
		targets[(b+1)*tok.T-1] = row[0]
	}
	logits := m.Logits(g, m.Forward(g, tok, s))
	if !g.Recording() {
		sum := 0.0
		for _, nll := range nn.NLL(g, logits, targets) {
			sum += float64(nll)
		}
		return sum / float64(len(targets))
	}
	loss := nn.CrossEntropy(g, logits, targets)
	g.Backward(loss)
	return float64(loss.Data[0])
}

// decodeAllocs: a warm decode step allocates nothing.
func decodeAllocs(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	return decodeAllocsOf(m)
}

func decodeAllocsOf(m arch.Model) error {
	state := m.NewState(1)
	arch.Reserve(state, 200)
	g, tok := nn.Inference(), nn.Tokens{IDs: []int32{1}, B: 1, T: 1}
	step := func() {
		g.Reset()
		m.Logits(g, m.Forward(g, tok, state))
	}
	for range 8 {
		step()
	}
	const n = 50
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		step()
	}
	runtime.ReadMemStats(&after)
	if allocs := after.Mallocs - before.Mallocs; allocs >= n {
		return fmt.Errorf("%.1f allocations a decoded token", float64(allocs)/n)
	}
	return nil
}

// poison: no operation reads memory that it has not written.
func poison(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	tok := text(m, batch, length, 8)
	g := nn.NewGraph()
	grads := func() []float32 {
		nn.ZeroGrad(m)
		g.Reset()
		return flat(m, meanLoss(g, m, tok, m.NewState(batch)))
	}
	clean := grads()
	g.Poison = true
	if !bytes.Equal(raw(clean), raw(grads())) {
		return fmt.Errorf("memory filled with NaN beforehand changes loss or gradients")
	}
	return nil
}

// threads: any number of threads gives the same bytes.
func threads(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	tok := text(m, 4, 3*length, 9)
	defer kernels.SetThreads(kernels.Threads())
	var first []float32
	for _, n := range []int{1, 2, 3} {
		kernels.SetThreads(n)
		nn.ZeroGrad(m)
		got := flat(m, meanLoss(nn.NewGraph(), m, tok, nil))
		if first == nil {
			first = got
		} else if !bytes.Equal(raw(first), raw(got)) {
			return fmt.Errorf("loss or gradients differ between 1 and %d threads", n)
		}
	}
	return nil
}

// flat is the loss followed by every gradient of m.
func flat(m arch.Model, loss float64) []float32 {
	out := []float32{float32(loss)}
	nn.Walk(m, func(p nn.Param) { out = append(out, p.Tensor.Grad...) })
	return out
}

func raw(x []float32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		panic(err)
	}
	return b
}
