// Package train trains models on texts: AdamW, learning rate schedules,
// gradient clipping, evaluation on held-out text. The same plan and seed give
// the same weights at any number of threads.
package train

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"workbench/experiments/corpus"
)

// A Plan is everything that decides a training run besides the model and the
// text.
type Plan struct {
	Steps   int // optimiser steps
	Batch   int // windows in a microbatch
	Context int // tokens in a window

	LR       float64
	MinLR    float64 // at the end of the schedule
	Warmup   int     // steps of linear warm-up
	Schedule string  // "cosine", "exponential" or "constant" after the warm-up

	// Order is the order of windows, one of corpus.Orders; "" is random. In the
	// order "stream" the state is carried from window to window, without a
	// gradient.
	Order string
	// Weights are the weights of several texts in random order, nil: their
	// lengths.
	Weights []float64
	// ContextFrom is the window length of the first step, 0: Context. It doubles
	// in even steps up to Context within the first ContextSteps steps, at a
	// constant number of tokens in a batch.
	ContextFrom, ContextSteps int
	// Dropout is the dropout rate: see nn.Drop.
	Dropout float64
	// Recompute keeps only the inputs of layers for the gradient, which trades
	// time for memory.
	Recompute bool

	// Accumulate is the number of microbatches of a step, 0: one. Loss and
	// gradient are means over all their targets, as for one batch of that size.
	Accumulate int
	// L2Wrap turns on the extra gradient of RWKV's official trainer: see
	// nn.L2Wrap.
	L2Wrap bool

	AdamWConfig

	EvalEvery  int // steps between evaluations, 0: only before and after training
	EvalTokens int // held-out tokens of an evaluation
	// Patience stops a run after that many evaluations in a row without
	// improvement on the best, 0: never.
	Patience int
	Seed     uint64
}

// Default is a plan for small models on bytes.
var Default = Plan{
	Steps: 1000, Batch: 16, Context: 128,
	LR: 1e-3, MinLR: 1e-4, Warmup: 50, Schedule: "cosine",
	AdamWConfig: AdamWConfig{Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.1, Clip: 1},
	EvalEvery:   100, EvalTokens: 1 << 15, Seed: 1,
}

var schedules = []string{"cosine", "exponential", "constant"}

// Check returns an error for an invalid plan.
func (p Plan) Check() error {
	for _, n := range []struct {
		name       string
		value, min int
	}{{"steps", p.Steps, 1}, {"batch", p.Batch, 1}, {"context", p.Context, 1}, {"warm-up steps", p.Warmup, 0},
		{"steps between evaluations", p.EvalEvery, 0}, {"held-out tokens", p.EvalTokens, 1}, {"accumulated batches", p.Accumulate, 0}, {"patience", p.Patience, 0}} {
		if n.value < n.min {
			return fmt.Errorf("%s: %d is less than %d", n.name, n.value, n.min)
		}
	}
	if !slices.Contains(schedules, p.Schedule) {
		return fmt.Errorf("schedule %q is not one of %s", p.Schedule, strings.Join(schedules, ", "))
	}
	if !(p.LR > 0) || math.IsInf(p.LR, 0) {
		return fmt.Errorf("learning rate %v is not a positive number", p.LR)
	}
	if p.Schedule == "cosine" && !(p.MinLR >= 0 && p.MinLR <= p.LR) {
		return fmt.Errorf("final learning rate %v is not between 0 and %v", p.MinLR, p.LR)
	}
	if p.Schedule == "exponential" && !(p.MinLR > 0 && p.MinLR <= p.LR) {
		return fmt.Errorf("final learning rate %v of an exponential schedule is not above 0 and at most %v", p.MinLR, p.LR)
	}
	if p.Schedule == "constant" && p.MinLR != 0 {
		return fmt.Errorf("a constant schedule has no final learning rate, got %v", p.MinLR)
	}
	if p.Order != "" && !slices.Contains(corpus.Orders, p.Order) {
		return fmt.Errorf("order %q is not one of %s", p.Order, strings.Join(corpus.Orders, ", "))
	}
	if !(p.Dropout >= 0 && p.Dropout < 1) {
		return fmt.Errorf("dropout %v is not from 0 to below 1", p.Dropout)
	}
	if p.ContextFrom != 0 {
		if n := p.Context / max(1, p.ContextFrom); p.ContextFrom < 1 || p.ContextSteps < 1 || p.ContextFrom*n != p.Context || n&(n-1) != 0 {
			return fmt.Errorf("a context that grows from %d to %d in %d steps: it must reach that by doubling, in at least 1 step", p.ContextFrom, p.Context, p.ContextSteps)
		}
		if p.Order != "" && p.Order != "random" {
			return fmt.Errorf("a context that grows needs random windows, not order %s", p.Order)
		}
	}
	if p.Order == "stream" && p.Recompute {
		return errors.New("layers cannot be recomputed in a stream: the forward pass changes the state")
	}
	if p.Warmup > p.Steps {
		return fmt.Errorf("%d warm-up steps in a run of %d", p.Warmup, p.Steps)
	}
	return p.AdamWConfig.check()
}

// window is the window length of a step, counted from 0.
func (p Plan) window(step int) int {
	if p.ContextFrom == 0 || step >= p.ContextSteps {
		return p.Context
	}
	doublings := bits.Len(uint(p.Context/p.ContextFrom)) - 1
	return p.ContextFrom << (step * (doublings + 1) / (p.ContextSteps + 1))
}

// rate is the learning rate of a step, counted from 0:
//
//	LR·(step+1)/(Warmup+1)                                  during the warm-up
//	MinLR + (LR-MinLR)·½(1+cos(π·(step-W)/(Steps-W)))       after it: cosine
//	LR·(MinLR/LR)^((step-W)/(Steps-W))                      exponential, as RWKV-LM's
//	LR                                                      constant
func (p Plan) rate(step int) float64 {
	switch {
	case step < p.Warmup:
		return p.LR * float64(step+1) / float64(p.Warmup+1)
	case p.Schedule == "constant":
		return p.LR
	}
	progress := float64(step-p.Warmup) / float64(p.Steps-p.Warmup)
	if p.Schedule == "exponential" {
		return p.LR * math.Pow(p.MinLR/p.LR, progress)
	}
	return p.MinLR + (p.LR-p.MinLR)*(1+math.Cos(math.Pi*progress))/2
}
