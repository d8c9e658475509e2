package workload

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/experiments/train"
)

func init() {
	Register(Workload{
		Workload:   record.Workload{Name: "quality", Title: "Quality"},
		Defaults:   func() Settings { return &Quality{Steps: 300, Batch: 16, Context: 128, EvalTokens: 65536} },
		Quantities: []record.Quantity{longContextGap, forgetting, arenaBytes, meter.PeakRSS},
	})
}

// Of a source that is no text, both have the unit of its score.
var (
	longContextGap = record.Define(record.Quantity{Name: "long_context_gap", Title: "loss of the last training context minus the second", Unit: "bits/byte", Kind: record.Seeded, Better: record.Lower})
	forgetting     = record.Define(record.Quantity{Name: "probe:", Title: "loss from forgetting ", Unit: "bits/byte", Kind: record.Seeded, Better: record.Lower})
)

// Quality trains every arm with several seeds and evaluates it.
type Quality struct {
	Steps      int   `yaml:"steps,omitempty" min:"1" max:"10000000" doc:"optimiser steps"`
	Batch      int   `yaml:"batch,omitempty" min:"1" max:"4096" doc:"windows a step"`
	Context    int   `yaml:"context,omitempty" min:"1" max:"1048576" doc:"tokens a window"`
	LR         Rates `yaml:"lr,omitempty" json:"-" doc:"learning rates: of all models, or by label or architecture"`
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

// Need implements Settings.
func (q *Quality) Need(o *arch.Outline) []meter.Part {
	return trainingNeed(o, float64(q.Batch)*float64(within(o, q.Context)), "a smaller quality.batch or quality.context")
}

// Cells implements Whole: one for every seed and learning rate.
func (q *Quality) Cells(a Arm, seeds []uint64) (cells []Cell, err error) {
	rates := q.LR.Of(a.Label, a.Arch)
	if len(rates) == 0 {
		return nil, faultf(at("lr"), "lr: no learning rate for %q", a.Label)
	}
	for _, seed := range seeds {
		for _, lr := range rates {
			cells = append(cells, Cell{What: fmt.Sprintf("seed %d lr %g", seed, lr), Seed: seed, Keys: map[string]any{"lr": lr}})
		}
	}
	return cells, nil
}

// Yields implements Whole.
func (q *Quality) Yields(a Arm) []string {
	names := []string{arenaBytes.Name, meter.PeakRSS.Name}
	for _, score := range corpus.Scores(a.Corpus) {
		names = append(names, score.Name)
	}
	if q.LongContext > 2 {
		names = append(names, longContextGap.Name)
	}
	for _, p := range q.Probes {
		for _, every := range p.Every {
			names = append(names, p.quantity(every).Name)
		}
	}
	return names
}

// Check implements Whole: learning rates and slots are of models that are there.
func (q *Quality) Check(arms []Arm) error {
	known, slots := map[string]bool{}, map[string]bool{}
	for _, a := range arms {
		if len(q.Probes) > 0 && !known[a.Arch] {
			for _, slot := range slotsOf(a.Arch) {
				slots[slot] = true
			}
		}
		known[a.Arch] = true
	}
	for _, a := range arms {
		known[a.Label] = true
	}
	for _, label := range slices.Sorted(maps.Keys(q.LR.By)) {
		if !known[label] {
			return faultf(at("lr", label), "lr: there is no model or architecture %q (there are: %s)", label, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	names := map[string]bool{}
	for i, p := range q.Probes {
		if p.Name == "" || len(p.Slots) == 0 || len(p.Every) == 0 {
			return faultf(at("probes", i), "a probe has a name, slots and every")
		}
		if names[p.Name] {
			return faultf(at("probes", i), "two probes are called %q", p.Name)
		}
		names[p.Name] = true
		for _, list := range []struct {
			key   string
			slots []string
		}{{"slots", p.Slots}, {"than", p.Than}} {
			for _, slot := range list.slots {
				if !slots[slot] {
					return faultf(at("probes", i, list.key), "probes: no model has a state slot %q", slot)
				}
			}
		}
	}
	return nil
}

// slotsOf are the names of an architecture's state slots, without the layer;
// none where its defaults alone make no model.
func slotsOf(name string) (slots []string) {
	m, _, err := arch.Empty(name, nil)
	if err != nil {
		return nil
	}
	nn.WalkState(m.NewState(1), func(name string, _ *nn.Tensor) {
		slots = append(slots, name, name[strings.LastIndex(name, ".")+1:])
	})
	return slots
}

// Operations implements Whole: 6 a weight and token, and 2 of those for reading
// when only evaluated. Source: Kaplan et al., arXiv 2001.08361.
func (q *Quality) Operations(a Arm) float64 {
	train := float64(q.Steps) * float64(q.Batch) * float64(q.Context)
	evals := float64(q.Steps)/float64(max(1, q.EvalEvery)) + float64(q.LongContext)
	for _, p := range q.Probes {
		evals += float64(len(p.Every))
	}
	return float64(a.Params) * (6*train + 2*evals*float64(q.EvalTokens))
}

// Run implements Whole: it trains the model and evaluates it.
func (q *Quality) Run(e *Env, c Cell, r *record.Record) error {
	src, err := corpus.Open(e.Corpus)
	if err != nil {
		return err
	}
	rate, _ := c.Keys["lr"].(float64)
	plan := train.Default
	plan.Steps, plan.Batch, plan.Context, plan.Seed = q.Steps, q.Batch, q.Context, c.Seed
	plan.LR, plan.MinLR, plan.Warmup = rate, rate/10, min(plan.Warmup, q.Steps/10)
	plan.EvalEvery, plan.EvalTokens = q.EvalEvery, q.EvalTokens
	result, err := train.Run(context.Background(), e.Model, src, plan, func(p train.Progress) {
		if p.Step%max(1, p.Steps/50) == 0 {
			e.Progress(p.Step, p.Steps, p.TokensPerSecond)
		}
	})
	if err != nil {
		return err
	}
	r.Keys["batch"], r.Keys["context"], r.Keys["steps"], r.Keys["lr"], r.Keys["corpus"] = q.Batch, q.Context, q.Steps, rate, src.About().Name
	r.Notes = map[string]string{"weights_sha256": result.WeightsHash}
	for _, v := range result.Values {
		r.Add(v)
	}
	x := exam{q, e.Model, src, result.Values[0].Quantity, r}
	curve := record.Series{Name: x.main.Name, Title: x.main.Title, Unit: x.main.Unit, Axis: "training text read", AxisUnit: "tokens"}
	for _, p := range result.Curve {
		curve.X, curve.Y = append(curve.X, float64(p.Tokens)), append(curve.Y, p.Score)
	}
	r.Samples = append(r.Samples, curve)
	if err := x.longContext(); err != nil {
		r.Warnings = append(r.Warnings, "long context: "+err.Error())
	}
	x.probe()
	r.Add(arenaBytes.Of(float64(result.ArenaBytes)))
	if peak, err := meter.RSS(); err == nil {
		r.Add(meter.PeakRSS.Of(float64(peak)))
	}
	return nil
}

// An exam evaluates a trained model.
type exam struct {
	*Quality
	model arch.Model
	src   corpus.Source
	main  record.Quantity // that models are compared by
	r     *record.Record
}

// evalBatch is the rows read side by side in evaluations beyond the training
// context.
const evalBatch = 8

// longContext evaluates rows of several training contexts by position.
func (x *exam) longContext() error {
	if x.LongContext < 2 {
		return nil
	}
	T := x.Context * x.LongContext
	sets, err := x.longSets(T)
	if err != nil {
		return err
	}
	s := record.Series{Name: "loss_by_position", Title: x.main.Title, Unit: x.main.Unit, Axis: "position in the text", AxisUnit: "tokens"}
	for k, set := range sets {
		buckets, err := train.EvaluateByPosition(x.model, x.src, set, evalBatch, T, max(T, x.EvalTokens), x.Context)
		if err != nil {
			return err
		}
		for i, b := range buckets {
			if k == 0 { // a bucket stands at its geometric middle
				s.X, s.Y = append(s.X, math.Sqrt(float64(max(1, b.From))*float64(b.To))), append(s.Y, 0)
			}
			s.Y[i] += b.Score / float64(len(sets))
		}
	}
	x.r.Samples = append(x.r.Samples, s)
	if n := len(s.Y); n > 2 { // the first is short of context itself
		gap := longContextGap
		if gap.Unit != x.main.Unit {
			gap.Title, gap.Unit, gap.Better = x.main.Title+" of the last training context minus the second", x.main.Unit, x.main.Better
		}
		x.r.Add(gap.Of(s.Y[n-1] - s.Y[1]))
	}
	return nil
}

// longSets are the test in rows of T tokens. A text is read again from each
// later context on, so that all buckets hold almost the same text and differ by
// how much was read before it.
func (x *exam) longSets(T int) (sets []corpus.Set, err error) {
	text, ok := x.src.(*corpus.Text)
	if !ok {
		set, err := x.src.Test(T)
		return []corpus.Set{set}, err
	}
	_, held := text.Split(corpus.HeldOut)
	shifts := x.Context * (x.LongContext - 1)
	if len(held) < shifts+T+1 {
		return nil, fmt.Errorf("the held-out text of %d bytes is too short for windows of %d", len(held), T)
	}
	region := min(len(held)-shifts-1, max(T, x.EvalTokens))/T*T + 1 // whole windows
	for k := range x.LongContext {
		from := k * x.Context
		sets = append(sets, corpus.NewRows([]corpus.Tokens{corpus.OfBytes(held[from : from+region])}, T))
	}
	return sets, nil
}

// probe forgets the named slots in rows as long as those of longContext; a
// state without them has no such value.
func (x *exam) probe() {
	T := x.Context * max(1, x.LongContext)
	type outcome struct {
		score float64
		err   error
	}
	known := map[string]outcome{}
	forget := func(slots []string, every int) outcome {
		key := fmt.Sprint(slots, every)
		o, ok := known[key]
		if !ok {
			o.score, o.err = train.EvaluateForgetting(x.model, x.src, evalBatch, T, x.EvalTokens, slots, every)
			known[key] = o
		}
		return o
	}
	for _, p := range x.Probes {
		for _, every := range p.Every {
			these, those := forget(p.Slots, every), forget(p.Than, every)
			if these.err != nil || those.err != nil {
				continue
			}
			q := p.quantity(every)
			if q.Unit != x.main.Unit {
				q.Title, q.Unit, q.Better = fmt.Sprintf("%s from forgetting %s every %d tokens", x.main.Title, p.Name, every), x.main.Unit, x.main.Better
			}
			x.r.Add(q.Of(these.score - those.score))
		}
	}
}

// quantity is what forgetting changes.
func (p Probe) quantity(every int) record.Quantity {
	q := forgetting
	q.Name, q.Title = fmt.Sprintf("%s%s/%d", q.Name, p.Name, every), fmt.Sprintf("%s%s every %d tokens", q.Title, p.Name, every)
	return q
}
