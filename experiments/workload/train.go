package workload

import (
	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/experiments/train"
)

func init() {
	Register(Workload{
		Workload: record.Workload{Name: "train", Title: "Training", Axis: &record.Axis{Key: "context", Title: "Training window", Unit: "tokens"}},
		Defaults: func() Settings {
			return &Train{Context: []int{64, 128, 256, 512}, BatchTokens: 2048, Timing: Timing{Rounds: 8, SampleMS: 100}}
		},
		Quantities: []record.Quantity{arenaBytes},
	})
}

// Train times whole optimiser steps at several lengths of context.
type Train struct {
	Context     []int `yaml:"context,omitempty,flow" min:"1" max:"1048576" doc:"tokens a window"`
	BatchTokens int   `yaml:"batch_tokens,omitempty" min:"1" max:"1048576" doc:"tokens a step"`
	Timing      `yaml:",inline"`
}

// Complete implements Settings.
func (t *Train) Complete() error {
	t.Context = rising(t.Context)
	if longest := t.Context[len(t.Context)-1]; longest > t.BatchTokens {
		return faultf(at("context"), "context: %d is not between 1 and %d, the tokens of a batch", longest, t.BatchTokens)
	}
	return nil
}

// Need implements Settings.
func (t *Train) Need(o *arch.Outline) []meter.Part {
	return trainingNeed(o, float64(t.BatchTokens), "a smaller train.batch_tokens")
}

// Points implements Timed.
func (t *Train) Points() []int { return t.Context }

// Start implements Timed.
func (t *Train) Start(e *Env) (Task, error) {
	return &training{model: e.Model, text: corpus.OfIDs(e.Tokens, e.Vocab), plan: t, seed: e.Seed}, nil
}

// training is the task of Train.
type training struct {
	model   arch.Model
	text    corpus.Tokens
	plan    *Train
	seed    uint64
	trainer *train.Trainer

	context int
	step    int
	tok     []int32 // [B,T]
	targets []int32 // [B,T]
	before  nn.Work // at the last Restore
}

func (t *training) batch() int { return t.plan.BatchTokens / t.context }

// Reach implements Task.
func (t *training) Reach(context int) error {
	if err := Fits(t.model, context); err != nil {
		return err
	}
	// Note: a fresh trainer, so that a point's memory is not another's.
	t.trainer = train.NewTrainer(t.model, train.Default.AdamWConfig)
	return t.fill(context)
}

// fill reads the next batch of windows.
func (t *training) fill(context int) error {
	t.context = context
	windows, err := corpus.Windows(t.text, t.batch(), context, t.seed)
	if err != nil {
		return err
	}
	n := t.batch() * context
	t.tok, t.targets = make([]int32, n), make([]int32, n)
	windows.Batch(t.step, t.tok, t.targets)
	t.step++
	return nil
}

// Save implements Task.
func (t *training) Save([]int) error { return nil }

// Restore implements Task.
func (t *training) Restore(context int) {
	if err := t.fill(context); err != nil {
		panic("workload: " + err.Error()) // Reach has done the same
	}
	t.before = t.trainer.Work()
}

// Work implements Task.
func (t *training) Work() (int, error) {
	_, _, err := t.trainer.Step(nn.Tokens{IDs: t.tok, B: t.batch(), T: t.context}, t.targets, 1e-4)
	return len(t.tok), err
}

// Load implements Task.
func (t *training) Load() Load {
	w := t.trainer.Work()
	return Load{float64(w.Operations - t.before.Operations), float64(w.WeightBytes - t.before.WeightBytes), float64(arch.WeightBytes(t.model))}
}

// Describe implements Task.
func (t *training) Describe(r *record.Record) {
	r.Keys["batch"] = t.batch()
	r.Add(arenaBytes.Of(float64(t.trainer.ArenaBytes())))
}

// Series implements Task.
func (t *training) Series() []record.Series { return nil }
