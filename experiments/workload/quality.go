package workload

import (
	"context"
	"fmt"
	"math"

	"workbench/arch"
	"workbench/experiments/corpus"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/experiments/train"
)

func init() {
	Register(record.Workload{Name: "quality", Title: "Quality"}, false, func() Settings {
		return &Quality{Steps: 300, Batch: 16, Context: 128, EvalTokens: 65536}
	}, heldOutLoss, longContextGap, forgetting, arenaBytes, meter.PeakRSS)
}

var (
	heldOutLoss    = record.Define(record.Quantity{Name: "val_bits_per_byte", Title: "held-out loss", Unit: "bits/byte", Kind: record.Seeded, Better: record.Lower, Main: true})
	longContextGap = record.Define(record.Quantity{Name: "long_context_gap", Title: "loss of the last position bucket minus the first", Unit: "bits/byte", Kind: record.Seeded, Better: record.Lower})
	forgetting     = record.Define(record.Quantity{Name: "probe:", Title: "loss from forgetting ", Unit: "bits/byte", Kind: record.Seeded, Better: record.Lower})
)

// HeldOut is the fraction of a corpus, its end, that models are judged on.
const HeldOut = 0.1

// Quality trains every arm with several seeds and evaluates it.
type Quality struct {
	Steps      int   `yaml:"steps,omitempty" min:"1" max:"10000000" doc:"optimiser steps"`
	Batch      int   `yaml:"batch,omitempty" min:"1" max:"4096" doc:"windows a step"`
	Context    int   `yaml:"context,omitempty" min:"1" max:"1048576" doc:"tokens a window"`
	LR         Rates `yaml:"lr,omitempty" doc:"learning rates: of all models, or by label or architecture"`
	EvalEvery  int   `yaml:"eval_every,omitempty" min:"1" max:"10000000" doc:"steps between evaluations, by default a sixth of steps"`
	EvalTokens int   `yaml:"eval_tokens,omitempty" min:"1" max:"1073741824" doc:"held-out tokens an evaluation"`
	// LongContext evaluates windows of that many training contexts by position.
	LongContext int     `yaml:"long_context,omitempty" min:"0" max:"1024" doc:"windows of that many training contexts are evaluated by position"`
	Probes      []Probe `yaml:"probes,omitempty" doc:"parts of the state that are forgotten while evaluating"`
}

// A Probe forgets part of the state every few tokens while evaluating, and
// compares with forgetting another part, or nothing.
type Probe struct {
	Name  string   `yaml:"name"`
	Slots []string `yaml:"slots,flow"` // names of state slots, without the layer
	Than  []string `yaml:"than,omitempty,flow"`
	Every []int    `yaml:"every,flow"`
}

// Complete implements Settings.
func (q *Quality) Complete() error {
	if q.EvalEvery == 0 {
		q.EvalEvery = max(1, q.Steps/6)
	}
	return nil
}

// Run implements Whole: it trains the model and evaluates it.
func (q *Quality) Run(e *Env, c Cell, r *record.Record) error {
	text, err := corpus.Open(e.Corpus)
	if err != nil {
		return err
	}
	rate, _ := c.Keys["lr"].(float64)
	training, held := text.Split(HeldOut)
	plan := train.Default
	plan.Steps, plan.Batch, plan.Context, plan.Seed = q.Steps, q.Batch, q.Context, c.Seed
	plan.LR, plan.MinLR, plan.Warmup = rate, rate/10, min(plan.Warmup, q.Steps/10)
	plan.EvalEvery, plan.EvalTokens = q.EvalEvery, q.EvalTokens
	result, err := train.Run(context.Background(), e.Model, corpus.OfBytes(training), corpus.OfBytes(held), plan, func(p train.Progress) {
		if p.Step%max(1, p.Steps/50) == 0 {
			e.Progress(p.Step, p.Steps, p.TokensPerSecond)
		}
	})
	if err != nil {
		return err
	}
	r.Keys["batch"], r.Keys["context"], r.Keys["steps"], r.Keys["lr"], r.Keys["corpus"] = q.Batch, q.Context, q.Steps, rate, text.Name
	r.Notes = map[string]string{"weights_sha256": result.WeightsHash}
	r.Add(heldOutLoss.Of(result.ValBPB))
	curve := record.Series{Name: heldOutLoss.Name, Title: heldOutLoss.Title, Unit: heldOutLoss.Unit, Axis: "training text read", AxisUnit: "tokens"}
	for _, p := range result.Curve {
		curve.X, curve.Y = append(curve.X, float64(p.Tokens)), append(curve.Y, p.ValBPB)
	}
	r.Samples = append(r.Samples, curve)
	if err := q.longContext(e.Model, held, r); err != nil {
		r.Warnings = append(r.Warnings, "long context: "+err.Error())
	}
	q.probe(e.Model, held, r)
	r.Add(arenaBytes.Of(float64(result.ArenaBytes)))
	if peak, err := meter.RSS(); err == nil {
		r.Add(meter.PeakRSS.Of(float64(peak)))
	}
	return nil
}

// evalBatch is the windows read side by side in evaluations beyond the
// training context.
const evalBatch = 8

// longContext evaluates windows of several training contexts by position.
// Every window is read again from each later context on, so that all buckets
// hold almost the same text and differ by how much was read before it.
func (q *Quality) longContext(m arch.Model, held []byte, r *record.Record) error {
	if q.LongContext < 2 {
		return nil
	}
	T := q.Context * q.LongContext
	if len(held) < q.Context*(q.LongContext-1)+T+1 {
		return fmt.Errorf("the held-out text of %d bytes is too short for windows of %d", len(held), T)
	}
	region := min(len(held)-q.Context*(q.LongContext-1)-1, max(T, q.EvalTokens))/T*T + 1 // whole windows
	s := record.Series{Name: "loss_by_position", Title: heldOutLoss.Title, Unit: heldOutLoss.Unit, Axis: "position in the text", AxisUnit: "tokens"}
	for k := range q.LongContext {
		from := k * q.Context
		buckets, err := train.EvaluateByPosition(m, []corpus.Tokens{corpus.OfBytes(held[from : from+region])}, evalBatch, T, region, q.Context)
		if err != nil {
			return err
		}
		for i, b := range buckets {
			if k == 0 { // a bucket stands at its geometric middle
				s.X, s.Y = append(s.X, math.Sqrt(float64(max(1, b.From))*float64(b.To))), append(s.Y, 0)
			}
			s.Y[i] += b.BPB / float64(q.LongContext)
		}
	}
	r.Samples = append(r.Samples, s)
	if n := len(s.Y); n > 1 {
		r.Add(longContextGap.Of(s.Y[n-1] - s.Y[0]))
	}
	return nil
}

// probe forgets the named slots in windows as long as those of longContext; a
// state without them has no such value.
func (q *Quality) probe(m arch.Model, held []byte, r *record.Record) {
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
	for _, p := range q.Probes {
		for _, every := range p.Every {
			if lost := forget(p.Slots, every) - forget(p.Than, every); !math.IsNaN(lost) {
				what := forgetting
				what.Name, what.Title = fmt.Sprintf("%s%s/%d", what.Name, p.Name, every), fmt.Sprintf("%s%s every %d tokens", what.Title, p.Name, every)
				r.Add(what.Of(lost))
			}
		}
	}
}
