package experiments

import (
	"context"
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
	"workbench/experiments/record"
	"workbench/experiments/train"
)

// heldOut is the fraction of a corpus, its end, that models are judged on.
const heldOut = 0.1

// trainTask times whole optimiser steps; a point is the tokens a window.
type trainTask struct {
	model   arch.Model
	text    []byte
	plan    *Train
	seed    uint64
	trainer *train.Trainer

	context int
	step    int
	tok     []int32 // [B,T]
	targets []int32 // [B,T]
}

func newTrain(m arch.Model, text []byte, plan *Train, seed uint64) *trainTask {
	return &trainTask{model: m, text: text, plan: plan, seed: seed}
}

func (t *trainTask) batch() int { return t.plan.BatchTokens / t.context }

func (t *trainTask) reach(context int) error {
	if err := fits(t.model, context); err != nil {
		return err
	}
	// Note: a fresh trainer, so that a point's memory is not another's.
	t.trainer = train.NewTrainer(t.model, train.Default.AdamWConfig)
	return t.fill(context)
}

// fill reads the next batch of windows.
func (t *trainTask) fill(context int) error {
	t.context = context
	windows, err := corpus.Windows(corpus.OfBytes(t.text), t.batch(), context, t.seed)
	if err != nil {
		return err
	}
	n := t.batch() * context
	t.tok, t.targets = make([]int32, n), make([]int32, n)
	windows.Batch(t.step, t.tok, t.targets)
	t.step++
	return nil
}

func (t *trainTask) save([]int) error { return nil }

func (t *trainTask) restore(context int) {
	if err := t.fill(context); err != nil {
		panic("experiments: " + err.Error())
	}
}

func (t *trainTask) work() (int, error) {
	tok := nn.Tokens{IDs: t.tok, B: t.batch(), T: t.context}
	_, _, err := t.trainer.Step(tok, t.targets, 1e-4)
	return len(t.tok), err
}

func (t *trainTask) describe(r *record.Record) {
	arena := t.trainer.ArenaBytes()
	r.Batch, r.ArenaBytes = t.batch(), &arena
}

// quality trains the model and evaluates it.
func (c *cell) quality() (reply, error) {
	q := c.spec.Quality
	text, err := corpus.Open(c.spec.Corpus)
	if err != nil {
		return reply{}, err
	}
	training, held := text.Split(heldOut)
	plan := train.Default
	plan.Steps, plan.Batch, plan.Context, plan.Seed = q.Steps, q.Batch, q.Context, c.spec.Seed
	plan.LR, plan.MinLR, plan.Warmup = c.spec.LR, c.spec.LR/10, min(plan.Warmup, q.Steps/10)
	plan.EvalEvery, plan.EvalTokens = q.EvalEvery, q.EvalTokens
	result, err := train.Run(context.Background(), c.model, corpus.OfBytes(training), corpus.OfBytes(held), plan, func(p train.Progress) {
		if p.Step%max(1, p.Steps/50) == 0 {
			c.send(reply{Progress: &progressNote{p.Step, p.Steps, p.TokensPerSecond}})
		}
	})
	if err != nil {
		return reply{}, err
	}
	r := c.base
	r.Batch, r.Context, r.Tokens = q.Batch, q.Context, q.Steps*q.Batch*q.Context
	r.Quality = &record.Quality{Corpus: text.Name, LR: c.spec.LR, Steps: q.Steps,
		ValBPB: result.ValBPB, WeightsHash: result.WeightsHash}
	for _, p := range result.Curve {
		r.Quality.Curve = append(r.Quality.Curve, record.CurvePoint{Step: p.Step, Tokens: p.Tokens, TrainLoss: p.TrainLoss, ValBPB: p.ValBPB})
	}
	if r.Quality.ByPosition, err = longContext(c.model, held, q); err != nil {
		r.Warnings = append(r.Warnings, "long context: "+err.Error())
	}
	r.Quality.Probes = probes(c.model, held, q)
	peak := peakRSS()
	r.ArenaBytes = &result.ArenaBytes
	if peak > 0 {
		r.PeakRSSBytes = &peak
	}
	return reply{Records: []record.Record{r}}, nil
}

// evalBatch is the windows read side by side in evaluations beyond the
// training context.
const evalBatch = 8

// longContext evaluates windows of several training contexts by position.
// Every window is read again from each later context on, so that all buckets
// hold almost the same text and differ by how much was read before it.
func longContext(m arch.Model, held []byte, q *Quality) ([]record.Bucket, error) {
	if q.LongContext < 2 {
		return nil, nil
	}
	T := q.Context * q.LongContext
	if len(held) < q.Context*(q.LongContext-1)+T+1 {
		return nil, fmt.Errorf("the held-out text of %d bytes is too short for windows of %d", len(held), T)
	}
	region := min(len(held)-q.Context*(q.LongContext-1)-1, max(T, q.EvalTokens))/T*T + 1 // whole windows
	var sum []record.Bucket
	for k := range q.LongContext {
		from := k * q.Context
		buckets, err := train.EvaluateByPosition(m, []corpus.Tokens{corpus.OfBytes(held[from : from+region])}, evalBatch, T, region, q.Context)
		if err != nil {
			return nil, err
		}
		if sum == nil {
			sum = make([]record.Bucket, len(buckets))
		}
		for i, b := range buckets {
			sum[i].From, sum[i].To = b.From, b.To
			sum[i].BPB += b.BPB / float64(q.LongContext)
		}
	}
	return sum, nil
}

// probes forget the named slots in windows as long as those of longContext; a
// state without them has none.
func probes(m arch.Model, held []byte, q *Quality) []record.Probe {
	T := q.Context * max(1, q.LongContext)
	known := map[string]float64{}
	forget := func(slots []string, every int) float64 {
		key := fmt.Sprint(slots, every)
		bpb, ok := known[key]
		if !ok {
			var err error
			if bpb, err = train.EvaluateForgetting(m, corpus.OfBytes(held), evalBatch, T, q.EvalTokens, slots, every); err != nil {
				bpb = math.NaN()
			}
			known[key] = bpb
		}
		return bpb
	}
	var out []record.Probe
	for _, p := range q.Probes {
		for _, every := range p.Every {
			base := forget(p.Than, every)
			if with := forget(p.Slots, every); !math.IsNaN(with - base) {
				out = append(out, record.Probe{Slots: p.Name, Every: every, BPB: with, Base: base})
			}
		}
	}
	return out
}
