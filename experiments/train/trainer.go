package train

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
)

// A Trainer makes optimiser steps on a model, keeping its memory from step to
// step.
type Trainer struct {
	model arch.Model
	opt   *AdamW
	graph *nn.Graph
	step  int
}

// NewTrainer returns a trainer of m that has made no step.
func NewTrainer(m arch.Model, c AdamWConfig) *Trainer {
	return &Trainer{model: m, opt: NewAdamW(m, c), graph: nn.NewGraph()}
}

// Diverged is the error of a step whose loss or gradient is not finite.
type Diverged struct {
	Step           int // counted from 0
	Loss, GradNorm float64
}

// Error implements error.
func (e *Diverged) Error() string {
	return fmt.Sprintf("training diverged at step %d: loss %v, gradient norm %v: lower the learning rate", e.Step, e.Loss, e.GradNorm)
}

// Step makes one step on a batch [B,T], every row starting from nothing: the
// mean cross-entropy in nats before the update and the norm of the gradient
// before clipping. The error is *Diverged, and the weights are then those
// before the step.
func (t *Trainer) Step(tok nn.Tokens, targets []int32, lr float64) (loss, gradNorm float64, err error) {
	g := t.graph
	g.Reset()
	nn.ZeroGrad(t.model)
	y := nn.CrossEntropy(g, t.model.Logits(g, t.model.Forward(g, tok, nil)), targets)
	g.Backward(y)
	loss, gradNorm = float64(y.Data[0]), math.NaN()
	if finite(loss) {
		gradNorm = t.opt.Step(lr)
	}
	if !finite(loss) || !finite(gradNorm) {
		return loss, gradNorm, &Diverged{t.step, loss, gradNorm}
	}
	t.step++
	return loss, gradNorm, nil
}

// ArenaBytes is the most memory that activations and their gradients held.
func (t *Trainer) ArenaBytes() int64 { return t.graph.HighWater() }

// Work is what the steps so far have used the model's matrices for.
func (t *Trainer) Work() nn.Work { return t.graph.Work }
