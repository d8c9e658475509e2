package train

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
)

// A Trainer makes optimiser steps on a model, and keeps its memory from step to
// step.
type Trainer struct {
	model arch.Model
	opt   *AdamW
	graph *nn.Graph
	step  int
	// l2wrap turns on RWKV's extra gradient: see nn.L2Wrap.
	l2wrap bool
	// seed is the seed of dropout.
	seed uint64
}

// A microbatch is tokens [B,T] and the target of each, -1 where it is masked.
// State continues from the microbatch before; with nil every row starts from
// zeros.
type microbatch struct {
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
	Step           int // counted from 1 as in logs; 0: before the first step
	Loss, GradNorm float64
}

// Error implements error.
func (e *Diverged) Error() string {
	return fmt.Sprintf("training diverged at step %d: loss %v, gradient norm %v: lower the learning rate", e.Step, e.Loss, e.GradNorm)
}

// Step makes one step on a batch [B,T] whose rows start from zeros. It returns
// the mean cross-entropy in nats before the update, and the norm of the
// gradient before clipping. The error is *Diverged, and then the weights are
// unchanged.
func (t *Trainer) Step(tok nn.Tokens, targets []int32, lr float64) (loss, gradNorm float64, err error) {
	return t.stepOn(1, nn.Counted(targets), func(int) microbatch { return microbatch{tok, targets, nil} }, lr)
}

// stepOn is Step on n microbatches with that many unmasked targets in total:
// loss and gradient are means over these targets, as for one batch.
func (t *Trainer) stepOn(n, counted int, batch func(i int) microbatch, lr float64) (loss, gradNorm float64, err error) {
	for _, p := range t.opt.params {
		clear(p.weight.Grad)
	}
	seen := 0
	for i := range n {
		b := batch(i)
		own := nn.Counted(b.Targets)
		seen += own
		share := float64(own) / float64(max(1, counted))
		loss += share * t.backward(b, uint64(t.step*n+i+1), float32(share))
	}
	if seen != counted {
		panic(fmt.Sprintf("train: stepOn: %d targets count, %d were said to", seen, counted))
	}
	gradNorm = math.NaN()
	if finite(loss) {
		gradNorm = t.opt.Step(lr)
	}
	if !finite(loss) || !finite(gradNorm) {
		return loss, gradNorm, &Diverged{t.step + 1, loss, gradNorm}
	}
	t.step++
	return loss, gradNorm, nil
}

// backward adds the gradient of the mean loss of a microbatch, times share, and
// returns that loss in nats. number counts the microbatches of a run from 1.
func (t *Trainer) backward(b microbatch, number uint64, share float32) (loss float64) {
	g := t.graph
	g.Reset()
	g.Drop.Seed = t.seed ^ number*0xd1342543de82ef95
	logits := t.model.Logits(g, t.model.Forward(g, b.Tokens, b.State))
	if t.l2wrap {
		nn.L2Wrap(g, logits, b.Targets, share)
	}
	y := nn.CrossEntropy(g, logits, b.Targets)
	g.BackwardFrom(y, []float32{share})
	return float64(y.Data[0])
}

// ArenaBytes is the most memory that activations and their gradients have held.
func (t *Trainer) ArenaBytes() int64 { return t.graph.HighWater() }

// Work counts the matrix products of the steps so far.
func (t *Trainer) Work() nn.Work { return t.graph.Work }
