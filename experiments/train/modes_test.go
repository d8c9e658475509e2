package train

import (
	"math"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
)

// TestRecompute checks that recomputing gives the same weights to the bit,
// dropout included, with less memory.
func TestRecompute(t *testing.T) {
	text, heldOut := grammar(t)
	for _, name := range []string{"rwkv4", "transformer", "llama", "rnn", "lstm", "gru"} {
		p := small
		p.Steps, p.Dropout, p.Warmup = 6, 0.2, 1
		kept := build(t, name, "dim=32,layers=6")
		a, err := Run(t.Context(), kept, corpus.Halves(text, heldOut), p, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.Recompute = true
		b, err := Run(t.Context(), build(t, name, "dim=32,layers=6"), corpus.Halves(text, heldOut), p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.WeightsHash != b.WeightsHash {
			t.Errorf("%s: recomputing gives other weights", name)
		}
		if name != "rnn" && b.ArenaBytes > a.ArenaBytes*6/10 {
			t.Errorf("%s: %d bytes kept, %d recomputing", name, a.ArenaBytes, b.ArenaBytes)
		}
		t.Logf("%s: %d bytes kept, %d recomputing", name, a.ArenaBytes, b.ArenaBytes)
	}
}

// TestCarriedState checks that the windows of a stream have the losses of the
// same parts of one long text.
func TestCarriedState(t *testing.T) {
	const T, n = 16, 5
	text, heldOut := texts(t)
	text[0] = text[0].Part(0, n*T+1)
	for _, name := range []string{"rwkv4", "rnn", "lstm", "gru"} {
		p := small
		p.Batch, p.Context, p.Steps, p.Order, p.LR, p.MinLR, p.EvalEvery = 1, T, n, "stream", 1e-30, 0, 0
		p.WeightDecay, p.Warmup = 0, 0
		m := build(t, name, "dim=32,layers=2")
		nn.Walk(m, func(p nn.Param) { nn.Normal(p.Tensor, nn.Rand(5, p.Name), 0.5) }) // RWKV begins with zeros that hide its state
		s, err := NewTextSession(m, text, heldOut, p)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		if err := s.Run(t.Context(), Hooks{Progress: func(p Progress) { sum += p.Loss / n }}); err != nil {
			t.Fatal(err)
		}
		whole, err := evaluate(m, text[0], 1, n*T, n*T)
		if err != nil || !(sum-whole.Loss() < 1e-5 && whole.Loss()-sum < 1e-5) {
			t.Errorf("%s: windows of a stream lose %v, the whole text %v (%v)", name, sum, whole.Loss(), err)
		}
	}
	p := small
	p.Order = "stream"
	if _, err := NewTextSession(build(t, "transformer", "dim=16,layers=1,heads=2"), heldOut, heldOut, p); err == nil || !strings.Contains(err.Error(), "grows without end") {
		t.Errorf("a stream for a cache that grows: %v", err)
	}
}

func TestWindow(t *testing.T) {
	p := Plan{Context: 64, ContextFrom: 16, ContextSteps: 10}
	got := ""
	for step := range 12 {
		got += string(rune('0' + p.window(step)/16))
	}
	if want := "111122224444"; got != want {
		t.Errorf("windows %s, want %s", got, want)
	}
}

// TestSeveralTexts checks that evaluated rows are spread evenly over all texts.
func TestSeveralTexts(t *testing.T) {
	text, heldOut := grammar(t)
	p := small
	p.Steps, p.Warmup, p.EvalTokens = 2, 0, 320
	a, b := heldOut.Part(0, 961), heldOut.Part(1000, 3881) // 30 and 90 rows of 32
	s, err := NewTextSession(build(t, "rnn", "dim=16,layers=1"), []corpus.Tokens{text.Part(0, 500), text}, []corpus.Tokens{a, b}, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), Hooks{}); err != nil {
		t.Fatal(err)
	}
	var want corpus.Score
	for i := range 10 {
		of, at := a, i*12*32
		if i*12 >= 30 {
			of, at = b, (i*12-30)*32
		}
		x, err := evaluate(s.Model, of.Part(at, at+33), 1, 32, 32)
		if err != nil {
			t.Fatal(err)
		}
		want = want.Plus(x)
	}
	if got := s.Curve[len(s.Curve)-1].ValLoss; math.Abs(got-want.Loss()) > 1e-6 || want.Tokens != 320 {
		t.Errorf("held-out loss %v, want %v of %d tokens", got, want.Loss(), want.Tokens)
	}
}

// TestStepAllocatesNothing checks that a warm step allocates nothing.
func TestStepAllocatesNothing(t *testing.T) {
	ids := make([]int32, 64)
	for _, name := range arch.Names() {
		tr := NewTrainer(build(t, name, "dim=32,layers=2"), small.AdamWConfig)
		tr.l2wrap, tr.graph.Drop.Rate = true, 0.1
		step := func() {
			if _, _, err := tr.Step(nn.Tokens{IDs: ids, B: 2, T: 32}, ids, 1e-3); err != nil {
				t.Fatal(err)
			}
		}
		step()
		if n := testing.AllocsPerRun(20, step); n > 0 {
			t.Errorf("%s: %v allocations a step", name, n)
		}
	}
}
