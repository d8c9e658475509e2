package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
	"workbench/experiments/record"
)

// A Result is the outcome of a training run.
type Result struct {
	Curve       []Point        // from step 0 to the end
	Score       float64        // at the end
	Values      []record.Value // of the grader, at the end
	WeightsHash string         // Hash of the trained weights
	ArenaBytes  int64          // most memory of activations and their gradients in a step
}

// A Point is one evaluation.
type Point struct {
	Step      int     // steps made
	Tokens    int     // trained on: targets that counted
	TrainLoss float64 // nats per token, mean over those since the last point; at step 0 the first batch's
	// Score is the first value of the source's grader: held-out bits per byte of
	// a text, and so it is called in sessions that are on disk.
	Score   float64 `json:"ValBPB"`
	ValLoss float64 // nats per token
}

// Progress describes one step.
type Progress struct {
	Step, Steps     int     // steps made and planned
	Loss            float64 // nats per token, before the update
	GradNorm        float64 // before clipping
	LR              float64
	TokensPerSecond float64 // of this step alone
}

// Run trains m on a source, evaluating before, every EvalEvery steps and at the
// end. progress, which may be nil, is called after every step. A loss or
// gradient that is not finite ends the run with *Diverged, the end of ctx with
// its error; m then holds the weights so far and the result the points so far.
func Run(ctx context.Context, m arch.Model, src corpus.Source, p Plan, progress func(Progress)) (*Result, error) {
	s, err := NewSession(m, src, p)
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

	batches      corpus.Batches
	heldOut      corpus.Set
	grader       func() corpus.Grader
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

// NewSession prepares to train m on a source, in the order random.
func NewSession(m arch.Model, src corpus.Source, p Plan) (*Session, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if p.Order != "" && p.Order != corpus.Orders[0] || p.Weights != nil || p.ContextFrom != 0 {
		return nil, errors.New("an order, weights and a context that grows are of texts")
	}
	batches, err := src.Train(p.Batch, p.Context, p.Seed)
	if err != nil {
		return nil, fmt.Errorf("training part: %w", err)
	}
	heldOut, err := src.Test(p.Context)
	if err != nil {
		return nil, fmt.Errorf("held-out part: %w", err)
	}
	return newSession(m, p, src.Vocab(), batches, heldOut, src.Grader)
}

// NewTextSession prepares to train m on texts, and to evaluate it on others. In
// the order documents the texts to train on are pieces of at most a context,
// those held out whole documents.
func NewTextSession(m arch.Model, texts, heldOut []corpus.Tokens, p Plan) (*Session, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if p.Order == "" {
		p.Order = corpus.Orders[0]
	}
	batches, err := corpus.NewSampler(texts, p.Weights, p.Batch, p.Context, p.Seed, p.Order)
	if err != nil {
		return nil, fmt.Errorf("training part: %w", err)
	}
	grader := func() corpus.Grader { return corpus.NewScore(heldOut[0]) }
	return newSession(m, p, vocabOf(heldOut), batches, corpus.NewRows(heldOut, p.Context), grader)
}

func newSession(m arch.Model, p Plan, vocab int, batches corpus.Batches, heldOut corpus.Set, grader func() corpus.Grader) (*Session, error) {
	if err := usable(m, vocab, heldOut, p.Context); err != nil {
		return nil, fmt.Errorf("held-out part: %w", err)
	}
	p.Accumulate = max(1, p.Accumulate)
	s := &Session{Plan: p, Model: m, batches: batches, heldOut: heldOut, grader: grader, trainer: NewTrainer(m, p.AdamWConfig)}
	s.trainer.l2wrap, s.trainer.seed = p.L2Wrap, p.Seed
	s.trainer.graph.Drop.Rate, s.trainer.graph.Recompute = p.Dropout, p.Recompute
	s.tok, s.targets = make([]int32, p.Batch*p.Context), make([]int32, p.Batch*p.Context)
	if p.Order == "stream" {
		return s, s.carry()
	}
	return s, nil
}

// carry makes the state that a stream hands on from window to window.
func (s *Session) carry() (err error) {
	s.state = s.Model.NewState(s.Batch)
	nn.WalkState(s.state, func(name string, t *nn.Tensor) {
		if t.Len() == 0 {
			err = fmt.Errorf("a stream carries the state along, and slot %s of this model's grows without end", name)
		}
	})
	return err
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
	s.Score = s.Curve[len(s.Curve)-1].Score
	return nil
}

// stale reports whether the last Patience evaluations have not improved on the
// best.
func (s *Session) stale() bool {
	best, sign := 0, 1.0
	if s.grader().Values()[0].Better == record.Higher {
		sign = -1
	}
	for i, p := range s.Curve {
		if sign*p.Score < sign*s.Curve[best].Score {
			best = i
		}
	}
	return s.Patience > 0 && len(s.Curve)-1-best >= s.Patience
}

// windows cuts the windows of batch i, counted from 0 over all steps.
func (s *Session) windows(i int) (of corpus.Batches, T int) {
	if T = s.window(i / s.Accumulate); T == s.Context {
		return s.batches, T
	}
	of, _ = s.batches.(*corpus.Sampler).Sized(s.Batch*s.Context/T, T) // shorter windows fit where longer ones do
	return of, T
}

// batch is batch i, counted from 0 over all steps.
func (s *Session) batch(i int) microbatch {
	batches, T := s.windows(i)
	batches.Batch(i, s.tok, s.targets)
	if s.state != nil && batches.(*corpus.Sampler).Fresh(i) {
		arch.CopyState(s.state, s.Model.NewState(s.Batch))
	}
	return microbatch{nn.Tokens{IDs: s.tok, B: s.Batch * s.Context / T, T: T}, s.targets, s.state}
}

// counted is the number of unmasked targets of a step, counted from 0.
func (s *Session) counted(step int) (n int) {
	for i := range s.Accumulate {
		at := step*s.Accumulate + i
		batches, _ := s.windows(at)
		n += batches.Counted(at)
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
	grader := s.grader()
	loss := Evaluate(s.Model, s.heldOut, s.Batch, s.EvalTokens, grader, nil)
	if trained := s.since.nats(); !finite(loss) || !finite(trained) {
		return &Diverged{s.Made(), trained, math.NaN()}
	}
	p := Point{s.Made(), s.tokens, s.since.nats(), mainScore(grader), loss}
	s.Curve, s.Values = append(s.Curve, p), grader.Values()
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
