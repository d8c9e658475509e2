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
	// l2wrap adds RWKV's extra gradient.
	l2wrap bool
	// seed is that of dropout.
	seed uint64
}

// A Batch is tokens [B,T] and what follows each, -1 where nothing is to be
// predicted. State is carried over from the batch before, nil: every row
// starts from nothing.
type Batch struct {
	nn.Tokens
	Targets []int32
	State   arch.State
}

// NewTrainer returns a trainer of m that has made no step.
func NewTrainer(m arch.Model, c AdamWConfig) *Trainer {
	nn.ZeroGrad(m)
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
	return t.StepOn(1, func(int) Batch { return Batch{tok, targets, nil} }, lr)
}

// StepOn is Step with the mean loss and gradient of n batches.
func (t *Trainer) StepOn(n int, batch func(i int) Batch, lr float64) (loss, gradNorm float64, err error) {
	for _, p := range t.opt.params {
		clear(p.weight.Grad)
	}
	share := []float32{1 / float32(n)}
	for i := range n {
		b := batch(i)
		g := t.graph
		g.Reset()
		g.Drop.Seed = t.seed ^ uint64(t.step*n+i+1)*0xd1342543de82ef95
		logits := t.model.Logits(g, t.model.Forward(g, b.Tokens, b.State))
		if t.l2wrap {
			nn.L2Wrap(g, logits, share[0])
		}
		y := nn.CrossEntropy(g, logits, b.Targets)
		g.BackwardFrom(y, share)
		loss += float64(y.Data[0]) / float64(n)
	}
	gradNorm = math.NaN()
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
