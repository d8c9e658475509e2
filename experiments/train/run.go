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

// A Result is the outcome of a training run.
type Result struct {
	Curve       []Point // from step 0 to the end
	ValBPB      float64 // held-out bits per byte at the end
	WeightsHash string  // SHA-256 of the trained weights: see hash
	ArenaBytes  int64   // most memory of activations and their gradients in a step
}

// A Point is one evaluation.
type Point struct {
	Step      int     // steps made
	Tokens    int     // unmasked targets trained on
	TrainLoss float64 // nats per token, mean since the last point; at step 0 that of the first batch
	ValBPB    float64
	ValLoss   float64 // nats per token
}

// Progress describes one step.
type Progress struct {
	Step, Steps     int     // steps made and planned
	Loss            float64 // nats per token, before the update
	GradNorm        float64 // before clipping
	LR              float64
	TokensPerSecond float64 // of this step alone
}

// Run trains m on the text. It evaluates on the held-out text before training,
// every EvalEvery steps and at the end. progress, which may be nil, is called
// after every step. A loss or gradient that is not finite stops the run with
// *Diverged, the end of ctx with the error of ctx; m then holds the weights so
// far and the result the points so far.
func Run(ctx context.Context, m arch.Model, text, heldOut corpus.Tokens, p Plan, progress func(Progress)) (*Result, error) {
	s, err := NewSession(m, []corpus.Tokens{text}, []corpus.Tokens{heldOut}, p)
	if err != nil {
		return &Result{}, err
	}
	err = s.Run(ctx, Hooks{Progress: progress})
	if err == nil {
		s.WeightsHash = hash(m)
	}
	return &s.Result, err
}

// A Session is a training run that can be interrupted and resumed: Save writes
// its progress, and everything else follows from the plan and the number of the
// step.
type Session struct {
	Plan
	Result
	Model arch.Model

	heldOut      []corpus.Tokens
	sampler      *corpus.Sampler
	trainer      *Trainer
	tok, targets []int32    // [Batch,Context]
	state        arch.State // carried along a stream
	kept         time.Time  // when Save last kept the checkpoint before
	since        mean       // losses since the last point
	tokens       int        // trained on
}

// Hooks are called while a session runs; each may be nil.
type Hooks struct {
	Progress  func(Progress)        // after every step
	Evaluated func(Point) error     // after every evaluation
	Made      func(steps int) error // after a step and its evaluation: the place to save
}

// NewSession returns a session that trains m on texts and evaluates it on
// heldOut. In the order "documents", texts are pieces of at most a context, and
// held-out texts whole documents.
func NewSession(m arch.Model, texts, heldOut []corpus.Tokens, p Plan) (*Session, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if err := usable(m, heldOut, p.Batch, p.Context); err != nil {
		return nil, fmt.Errorf("held-out text: %w", err)
	}
	p.Accumulate = max(1, p.Accumulate)
	if p.Order == "" {
		p.Order = "random"
	}
	sampler, err := corpus.NewSampler(texts, p.Weights, p.Batch, p.Context, p.Seed, p.Order)
	if err != nil {
		return nil, fmt.Errorf("training text: %w", err)
	}
	s := &Session{Plan: p, Model: m, heldOut: heldOut, sampler: sampler, trainer: NewTrainer(m, p.AdamWConfig)}
	s.trainer.l2wrap, s.trainer.seed = p.L2Wrap, p.Seed
	s.trainer.graph.Drop.Rate, s.trainer.graph.Recompute = p.Dropout, p.Recompute
	s.tok, s.targets = make([]int32, p.Batch*p.Context), make([]int32, p.Batch*p.Context)
	if p.Order == "stream" {
		s.state = m.NewState(p.Batch)
		nn.WalkState(s.state, func(name string, t *nn.Tensor) {
			if t.Len() == 0 {
				err = fmt.Errorf("a stream carries the state along, and slot %s of this model's grows without end", name)
			}
		})
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Made is the number of steps made.
func (s *Session) Made() int { return s.trainer.step }

// Work counts the matrix products of the steps so far.
func (s *Session) Work() nn.Work { return s.trainer.Work() }

// Run continues to the end of the plan, or until evaluations no longer improve.
func (s *Session) Run(ctx context.Context, h Hooks) error {
	if len(s.Curve) == 0 {
		if err := s.start(h); err != nil {
			return err
		}
	}
	for s.Made() < s.Steps && !s.stale() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.step(h); err != nil {
			return err
		}
	}
	s.ValBPB = s.Curve[len(s.Curve)-1].ValBPB
	return nil
}

// stale reports whether the last Patience evaluations have not improved on the
// best.
func (s *Session) stale() bool {
	best := 0
	for i, p := range s.Curve {
		if p.ValBPB < s.Curve[best].ValBPB {
			best = i
		}
	}
	return s.Patience > 0 && len(s.Curve)-1-best >= s.Patience
}

// windows returns the sampler and the window length T of microbatch i, counted
// from 0 over all steps.
func (s *Session) windows(i int) (of *corpus.Sampler, T int) {
	if T = s.window(i / s.Accumulate); T == s.Context {
		return s.sampler, T
	}
	of, _ = s.sampler.Sized(s.Batch*s.Context/T, T) // no error: shorter windows fit where longer ones do
	return of, T
}

// batch returns microbatch i, counted from 0 over all steps.
func (s *Session) batch(i int) microbatch {
	sampler, T := s.windows(i)
	sampler.Batch(i, s.tok, s.targets)
	if s.state != nil && sampler.Fresh(i) {
		arch.CopyState(s.state, s.Model.NewState(s.Batch))
	}
	return microbatch{nn.Tokens{IDs: s.tok, B: s.Batch * s.Context / T, T: T}, s.targets, s.state}
}

// counted is the number of unmasked targets of a step, counted from 0.
func (s *Session) counted(step int) (n int) {
	for i := range s.Accumulate {
		at := step*s.Accumulate + i
		sampler, _ := s.windows(at)
		n += sampler.Counted(at)
	}
	return n
}

// start adds the point of step 0.
func (s *Session) start(h Hooks) error {
	b := s.batch(0)
	g := nn.Inference()
	y := nn.CrossEntropy(g, s.Model.Logits(g, s.Model.Forward(g, b.Tokens, nil)), b.Targets)
	s.since.add(float64(y.Data[0]), nn.Counted(b.Targets))
	return s.evaluate(h)
}

func (s *Session) step(h Hooks) error {
	begin := time.Now()
	step := s.Made()
	lr, counted := s.rate(step), s.counted(step)
	loss, norm, err := s.trainer.stepOn(s.Accumulate, counted, func(i int) microbatch { return s.batch(step*s.Accumulate + i) }, lr)
	if err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds()
	s.since.add(loss, counted)
	s.tokens += counted
	s.ArenaBytes = s.trainer.ArenaBytes()
	if h.Progress != nil {
		h.Progress(Progress{step + 1, s.Steps, loss, norm, lr, float64(counted) / max(seconds, 1e-9)})
	}
	if step+1 == s.Steps || s.EvalEvery > 0 && (step+1)%s.EvalEvery == 0 {
		if err := s.evaluate(h); err != nil {
			return err
		}
	}
	if h.Made != nil {
		return h.Made(step + 1)
	}
	return nil
}

// evaluate adds the point of the steps made so far.
func (s *Session) evaluate(h Hooks) error {
	score, err := EvaluateDocuments(s.Model, s.heldOut, s.Batch, s.Context, s.EvalTokens, nil)
	if err != nil {
		return err
	}
	if loss := s.since.nats(); !finite(score.Nats) || !finite(loss) {
		return &Diverged{s.Made(), loss, math.NaN()}
	}
	p := Point{s.Made(), s.tokens, s.since.nats(), score.BPB(), score.Loss()}
	s.Curve = append(s.Curve, p)
	s.since = mean{}
	if h.Evaluated != nil {
		return h.Evaluated(p)
	}
	return nil
}

// hash is the SHA-256 of a model's weights in the order of nn.Walk: for each
// its name, a zero byte and its little-endian float32.
func hash(m arch.Model) string {
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
