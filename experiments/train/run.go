package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
)

// A Result is what a training run says.
type Result struct {
	Curve       []Point // from step 0 to the end
	ValBPB      float64 // held-out bits per byte at the end
	WeightsHash string  // Hash of the trained weights
	ArenaBytes  int64   // most memory of activations and their gradients in a step
}

// A Point is one evaluation.
type Point struct {
	Step      int     // steps made
	Tokens    int     // tokens trained on
	TrainLoss float64 // nats per byte, mean since the last point; at step 0 the first batch's
	ValBPB    float64
}

// Progress is one step made.
type Progress struct {
	Step, Steps     int     // steps made, of the plan
	Loss            float64 // nats per byte, before the update
	GradNorm        float64 // before clipping
	LR              float64
	TokensPerSecond float64 // of this step alone
}

// Run trains m on the text, evaluating on the held-out text before, every
// EvalEvery steps and at the end. progress, which may be nil, is called after
// every step. A loss or gradient that is not finite ends the run with
// *Diverged, the end of ctx with its error; m then holds the weights so far
// and the result the points so far.
func Run(ctx context.Context, m arch.Model, text, heldOut []byte, p Plan, progress func(Progress)) (*Result, error) {
	r := &run{Plan: p, model: m, heldOut: heldOut, result: &Result{}}
	if err := r.prepare(text); err != nil {
		return r.result, err
	}
	if err := r.start(); err != nil {
		return r.result, err
	}
	for step := range p.Steps {
		if err := ctx.Err(); err != nil {
			return r.result, err
		}
		if err := r.step(step, progress); err != nil {
			return r.result, err
		}
	}
	last := r.result.Curve[len(r.result.Curve)-1]
	r.result.ValBPB, r.result.WeightsHash = last.ValBPB, Hash(m)
	return r.result, nil
}

// run is a Run under way.
type run struct {
	Plan
	model        arch.Model
	heldOut      []byte
	sampler      *corpus.Sampler
	trainer      *Trainer
	tok, targets []int32 // [Batch,Context]
	since        mean    // losses since the last point
	result       *Result
}

func (r *run) prepare(text []byte) (err error) {
	if err := r.Check(); err != nil {
		return err
	}
	if err := usable(r.model, r.heldOut, r.Batch, r.Context); err != nil {
		return fmt.Errorf("held-out text: %w", err)
	}
	if r.sampler, err = corpus.Windows(text, r.Batch, r.Context, r.Seed); err != nil {
		return fmt.Errorf("training text: %w", err)
	}
	r.trainer = NewTrainer(r.model, r.AdamWConfig)
	r.tok, r.targets = make([]int32, r.Batch*r.Context), make([]int32, r.Batch*r.Context)
	return nil
}

// batch is that of a step, counted from 0.
func (r *run) batch(step int) nn.Tokens {
	r.sampler.Batch(step, r.tok, r.targets)
	return nn.Tokens{IDs: r.tok, B: r.Batch, T: r.Context}
}

// start makes the point of step 0.
func (r *run) start() error {
	tok := r.batch(0)
	g := nn.Inference()
	y := nn.CrossEntropy(g, r.model.Logits(g, r.model.Forward(g, tok, nil)), r.targets)
	r.since.add(y.Data[0])
	return r.evaluate(0)
}

func (r *run) step(step int, progress func(Progress)) error {
	begin := time.Now()
	lr := r.Rate(step)
	loss, norm, err := r.trainer.Step(r.batch(step), r.targets, lr)
	if err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds()
	r.since.add(float32(loss))
	r.result.ArenaBytes = r.trainer.ArenaBytes()
	if progress != nil {
		progress(Progress{step + 1, r.Steps, loss, norm, lr, float64(len(r.tok)) / max(seconds, 1e-9)})
	}
	if step+1 == r.Steps || r.EvalEvery > 0 && (step+1)%r.EvalEvery == 0 {
		return r.evaluate(step + 1)
	}
	return nil
}

// evaluate adds the point after that many steps.
func (r *run) evaluate(steps int) error {
	bpb, err := Evaluate(r.model, r.heldOut, r.Batch, r.Context, r.EvalTokens)
	if err != nil {
		return err
	}
	if loss := r.since.nats(); !finite(bpb) || !finite(loss) {
		return &Diverged{steps, loss, math.NaN()}
	}
	r.result.Curve = append(r.result.Curve, Point{steps, steps * len(r.tok), r.since.nats(), bpb})
	r.since = mean{}
	return nil
}

// Hash is the SHA-256 of a model's weights: of each in the order of nn.Walk
// its name, a zero byte and its little-endian float32.
func Hash(m arch.Model) string {
	h := sha256.New()
	var buf []byte
	nn.Walk(m, func(p nn.Param) {
		buf = append(append(buf[:0], p.Name...), 0)
		for _, x := range p.Tensor.Data {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
		}
		h.Write(buf)
	})
	return hex.EncodeToString(h.Sum(nil))
}
