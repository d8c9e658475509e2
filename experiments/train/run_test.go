package train

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
	_ "workbench/arch/rnn"
	_ "workbench/arch/rwkv"
	"workbench/arch/settings"
	_ "workbench/arch/transformer"
	"workbench/experiments/corpus"
	"workbench/kernels"
)

// build returns a small model with its initial weights.
func build(t *testing.T, name, set string) arch.Model {
	t.Helper()
	config, err := settings.Parse(set)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := arch.New(name, config, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// grammar returns a training and a held-out text.
func grammar(t *testing.T) (text, heldOut corpus.Tokens) {
	t.Helper()
	x, err := corpus.OpenText("grammar")
	if err != nil {
		t.Fatal(err)
	}
	return corpus.OfBytes(x.Data).Split(0.1)
}

// texts is grammar as lists of texts.
func texts(t *testing.T) (text, heldOut []corpus.Tokens) {
	a, b := grammar(t)
	return []corpus.Tokens{a}, []corpus.Tokens{b}
}

var small = Plan{
	Steps: 30, Batch: 4, Context: 32, LR: 1e-2, MinLR: 1e-3, Warmup: 3, Schedule: "cosine",
	AdamWConfig: Default.AdamWConfig, EvalEvery: 12, EvalTokens: 512, Seed: 3,
}

func TestRunLearns(t *testing.T) {
	text, heldOut := grammar(t)
	m := build(t, "rwkv4", "dim=32,layers=2")
	var steps []int
	var since float64
	r, err := Run(t.Context(), m, corpus.Halves(text, heldOut), small, func(p Progress) {
		steps = append(steps, p.Step)
		if p.Step > 24 {
			since += p.Loss
		}
		if p.Steps != 30 || p.LR != small.rate(p.Step-1) || !(p.Loss > 0) || !(p.GradNorm > 0) || !(p.TokensPerSecond > 0) {
			t.Errorf("progress %+v", p)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 30 || steps[0] != 1 || steps[29] != 30 {
		t.Errorf("progress after steps %v", steps)
	}
	var at []int
	for _, p := range r.Curve {
		at = append(at, p.Step)
		if p.Tokens != p.Step*4*32 {
			t.Errorf("%d tokens at step %d", p.Tokens, p.Step)
		}
	}
	if !slices.Equal(at, []int{0, 12, 24, 30}) {
		t.Errorf("evaluated at steps %v", at)
	}
	first, last := r.Curve[0], r.Curve[3]
	if math.Abs(first.Score-8) > 1 || math.Abs(first.TrainLoss-8*math.Ln2) > 0.7 {
		t.Errorf("before training: %+v, expected about 8 bits", first)
	}
	if last.Score > 5 || last.TrainLoss > r.Curve[1].TrainLoss || r.Score != last.Score {
		t.Errorf("after training: %+v, result %v", last, r.Score)
	}
	if math.Abs(last.TrainLoss-since/6) > 1e-6 {
		t.Errorf("training loss %v since step 24, want the mean %v", last.TrainLoss, since/6)
	}
	again, err := evaluate(m, heldOut, 4, 32, 512)
	if err != nil || again.BPB() != r.Score {
		t.Errorf("evaluated again: %v, %v; want %v", again, err, r.Score)
	}
	if r.ArenaBytes <= 0 || r.WeightsHash != hash(m) {
		t.Errorf("arena %d bytes, hash %s", r.ArenaBytes, r.WeightsHash)
	}
}

func TestRunIsDeterministic(t *testing.T) {
	text, heldOut := grammar(t)
	defer kernels.SetThreads(kernels.Threads())
	p := small
	p.Steps, p.EvalEvery = 4, 0
	for _, name := range arch.Names() {
		hashes := map[string]string{}
		run := func(what string, threads int, seed uint64) {
			kernels.SetThreads(threads)
			p.Seed = seed
			r, err := Run(t.Context(), build(t, name, "dim=32,layers=2"), corpus.Halves(text, heldOut), p, nil)
			if err != nil {
				t.Fatal(err)
			}
			hashes[what] = r.WeightsHash
		}
		run("one thread", 1, 3)
		run("two threads", 2, 3)
		run("other seed", 2, 4)
		if hashes["one thread"] != hashes["two threads"] || hashes["one thread"] == hashes["other seed"] {
			t.Errorf("%s: hashes %v", name, hashes)
		}
	}
}

func TestHashSeesEveryWeightAndName(t *testing.T) {
	m := build(t, "rnn", "dim=8,layers=1")
	before := hash(m)
	nn.Walk(m, func(p nn.Param) {
		last := &p.Tensor.Data[p.Tensor.Len()-1]
		old := *last
		*last = math.Nextafter32(old, 9)
		if hash(m) == before {
			t.Errorf("a change of %s does not show", p.Name)
		}
		*last = old
	})
	if hash(m) != before {
		t.Error("equal weights with another hash")
	}
}

func TestTrainerOverfitsOneBatch(t *testing.T) {
	text, _ := grammar(t)
	s, err := corpus.Windows(text, 2, 16, 1)
	if err != nil {
		t.Fatal(err)
	}
	ids, targets := make([]int32, 32), make([]int32, 32)
	s.Batch(0, ids, targets)
	for _, name := range arch.Names() {
		tr := NewTrainer(build(t, name, "dim=32,layers=2"), AdamWConfig{Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Clip: 1})
		loss := math.Inf(1)
		for steps := 0; loss > 0.1 && steps < 250; steps++ { // torch's LSTM takes about 190
			if loss, _, err = tr.Step(nn.Tokens{IDs: ids, B: 2, T: 16}, targets, 1e-2); err != nil {
				t.Fatal(err)
			}
		}
		if loss > 0.1 {
			t.Errorf("%s: loss %v after 250 steps on one batch", name, loss)
		}
	}
}

func TestRunStopsWhenDiverging(t *testing.T) {
	text, heldOut := grammar(t)
	m := build(t, "transformer", "dim=16,layers=1,heads=2")
	p := small
	p.LR, p.MinLR, p.Warmup = 1e30, 0, 0
	r, err := Run(t.Context(), m, corpus.Halves(text, heldOut), p, nil)
	var d *Diverged
	if !errors.As(err, &d) || d.Step < 1 || d.Step > 12 || !strings.Contains(err.Error(), "diverged at step") {
		t.Fatalf("error %v", err)
	}
	if len(r.Curve) != 1 || r.WeightsHash != "" {
		t.Errorf("result %+v", r)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	text, heldOut := grammar(t)
	ctx, cancel := context.WithCancel(t.Context())
	steps := 0
	_, err := Run(ctx, build(t, "rnn", "dim=16,layers=1"), corpus.Halves(text, heldOut), small, func(Progress) {
		if steps++; steps == 5 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || steps != 5 {
		t.Errorf("error %v after %d steps", err, steps)
	}
}

func TestRunErrors(t *testing.T) {
	text, heldOut := grammar(t)
	m := build(t, "transformer", "dim=16,layers=1,heads=2,context=32")
	for _, c := range []struct {
		name          string
		text, heldOut corpus.Tokens
		change        func(*Plan)
		m             arch.Model
		want          string
	}{
		{"plan", text, heldOut, func(p *Plan) { p.Steps = 0 }, m, "steps"},
		{"short text", text.Part(0, 32), heldOut, func(*Plan) {}, m, "training part: the text has 32 tokens"},
		{"short held-out", text, heldOut.Part(0, 1), func(*Plan) {}, m, "held-out part: the text has no two tokens"},
		{"limit", text, heldOut, func(p *Plan) { p.Context = 33 }, m, "limit of 32"},
		{"vocabulary", text, heldOut, func(*Plan) {}, build(t, "rnn", "dim=8,layers=1,vocab=64"), "set vocab=256"},
	} {
		p := small
		c.change(&p)
		if _, err := Run(t.Context(), c.m, corpus.Halves(c.text, c.heldOut), p, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}
