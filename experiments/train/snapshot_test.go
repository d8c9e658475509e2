package train

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"workbench/arch/checkpoint"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
	"workbench/experiments/record"
)

// An interrupted session, resumed at any step, ends in the same bytes.
func TestSessionResumes(t *testing.T) {
	text, heldOut := texts(t)
	// A stream of 20 steps: the state is carried over, and starts anew once.
	short := []corpus.Tokens{text[0].Part(0, 4*(20*32+1))}
	rwkv, stream, epochs, grows := small, small, small, small
	rwkv.Accumulate, rwkv.LayerLR, rwkv.L2Wrap = 2, true, true
	stream.Order, stream.Dropout = "stream", 0.1
	epochs.Order, epochs.Dropout, epochs.Recompute, epochs.Accumulate = "epochs", 0.2, true, 3
	grows.ContextFrom, grows.ContextSteps, grows.Weights = 8, 20, []float64{1}
	for _, c := range []struct {
		arch string
		plan Plan
		text []corpus.Tokens
	}{{"rwkv4", rwkv, text}, {"transformer", small, text}, {"rnn", small, text}, {"rwkv4", stream, short}, {"rnn", stream, short},
		{"transformer", epochs, text}, {"rnn", grows, text}} {
		arch, plan, text := c.arch, c.plan, c.text
		whole, err := NewTextSession(build(t, arch, "dim=32,layers=2"), text, heldOut, plan)
		if err != nil {
			t.Fatal(err)
		}
		if err := whole.Run(t.Context(), Hooks{}); err != nil {
			t.Fatal(err)
		}
		for _, leave := range []int{1, 12, 17, 30} {
			path := filepath.Join(t.TempDir(), "session.safetensors")
			s, _ := NewTextSession(build(t, arch, "dim=32,layers=2"), text, heldOut, plan)
			ctx, stop := context.WithCancel(t.Context())
			err := s.Run(ctx, Hooks{Made: func(steps int) error {
				if steps == leave {
					stop()
					return s.Save(path)
				}
				return nil
			}})
			if leave < 30 && !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: %v", arch, err)
			}
			again, _ := NewTextSession(build(t, arch, "dim=32,layers=2"), text, heldOut, plan)
			if err := again.load(path); err != nil {
				t.Fatal(err)
			}
			if err := again.Run(t.Context(), Hooks{}); err != nil {
				t.Fatal(err)
			}
			if hash(again.Model) != hash(whole.Model) {
				t.Errorf("%s left after %d steps ends in other weights", arch, leave)
			}
			if len(again.Curve) != len(whole.Curve) || again.Curve[len(again.Curve)-1] != whole.Curve[len(whole.Curve)-1] {
				t.Errorf("%s left after %d steps: curve %v, want %v", arch, leave, again.Curve, whole.Curve)
			}
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	text, heldOut := texts(t)
	dir := t.TempDir()
	s, _ := NewTextSession(build(t, "rwkv4", "dim=32,layers=2"), text, heldOut, small)
	if err := s.start(Hooks{}); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(dir, "good")
	if err := s.Save(good); err != nil {
		t.Fatal(err)
	}
	whole, _ := os.ReadFile(good)
	cut := filepath.Join(dir, "cut")
	os.WriteFile(cut, whole[:len(whole)-9], 0o666)
	short := small
	short.Steps = 5
	s.trainer.step = 20
	late := filepath.Join(dir, "late")
	s.Save(late)
	for _, c := range []struct {
		path, set string
		plan      Plan
		says      string
	}{
		{filepath.Join(dir, "absent"), "dim=32,layers=2", small, "absent"},
		{cut, "dim=32,layers=2", small, "cut"},
		{good, "dim=16,layers=2", small, "elements"},
		{good, "dim=32,layers=1", small, "tensor "},
		{late, "dim=32,layers=2", short, "does not belong to a run of 5 steps"},
	} {
		again, err := NewTextSession(build(t, "rwkv4", c.set), text, heldOut, c.plan)
		if err != nil {
			t.Fatal(err)
		}
		before := hash(again.Model)
		if err := again.load(c.path); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", c.path, err, c.says)
		}
		if hash(again.Model) != before || again.Made() != 0 {
			t.Errorf("%s: the session changed", c.path)
		}
	}
}

// A checkpoint with any byte changed is refused as damaged and the one before
// is used, as where the last is missing.
func TestDamagedSession(t *testing.T) {
	defer func(d time.Duration) { keepEvery = d }(keepEvery)
	keepEvery = 0
	text, heldOut := texts(t)
	session := func() *Session {
		s, err := NewTextSession(build(t, "rnn", "dim=8,layers=1"), text, heldOut, small)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "session.safetensors")
	previous := filepath.Join(dir, "session.previous.safetensors")
	s := session()
	if err := s.Run(t.Context(), Hooks{Made: func(steps int) error {
		if steps == 4 || steps == 8 {
			return s.Save(path)
		}
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	eight, _ := os.ReadFile(path)
	four, _ := os.ReadFile(previous)
	for at := 0; at < len(eight); at += 1 + len(eight)/97 {
		bad := slices.Clone(eight)
		bad[at] ^= 1
		os.WriteFile(path, bad, 0o666)
		os.WriteFile(previous, four, 0o666)
		again := session()
		if err := again.load(path); !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "checksum") {
			t.Fatalf("byte %d changed: %v", at, err)
		}
		said, err := again.Resume(path)
		if err != nil || again.Made() != 4 || !strings.Contains(said, "damaged") || !strings.Contains(said, "of step 4") {
			t.Fatalf("byte %d changed: step %d, %q, %v", at, again.Made(), said, err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, four) {
			t.Fatal("the damaged session was kept in place of the good one")
		}
	}
	os.WriteFile(path, eight[:len(eight)-40], 0o666)
	for _, c := range []struct {
		say func()
		err error
	}{{func() {}, checkpoint.ErrDamaged}, {func() { os.Remove(path) }, fs.ErrNotExist}} {
		c.say()
		if _, err := session().Resume(path); !errors.Is(err, c.err) {
			t.Errorf("no good session: %v, want %v", err, c.err)
		}
	}
	os.WriteFile(previous, four, 0o666)
	again := session()
	if said, err := again.Resume(path); err != nil || again.Made() != 4 || !strings.Contains(said, "missing") {
		t.Errorf("only the session before: step %d, %q, %v", again.Made(), said, err)
	}
	os.WriteFile(path, eight, 0o666)
	if said, err := session().Resume(path); err != nil || said != "" {
		t.Errorf("a good session: %q, %v", said, err)
	}
}

// Two microbatches have the mean loss and gradient of one batch of twice the
// size.
func TestAccumulation(t *testing.T) {
	ids, targets := make([]int32, 64), make([]int32, 64)
	for i := range ids {
		ids[i], targets[i] = int32(i*7%256), int32(i*13%256)
	}
	one, two := NewTrainer(build(t, "rwkv4", "dim=32,layers=2"), small.AdamWConfig), NewTrainer(build(t, "rwkv4", "dim=32,layers=2"), small.AdamWConfig)
	one.l2wrap, two.l2wrap = true, true
	loss1, norm1, err1 := one.Step(nn.Tokens{IDs: ids, B: 4, T: 16}, targets, 1e-3)
	loss2, norm2, err2 := two.stepOn(2, 64, func(i int) microbatch {
		return microbatch{nn.Tokens{IDs: ids[32*i : 32*i+32], B: 2, T: 16}, targets[32*i : 32*i+32], nil}
	}, 1e-3)
	if err1 != nil || err2 != nil || math.Abs(loss1-loss2) > 1e-6 || math.Abs(norm1-norm2) > 1e-5*norm1 {
		t.Errorf("loss %v and %v, norm %v and %v (%v, %v)", loss1, loss2, norm1, norm2, err1, err2)
	}
}

// Two microbatches of documents of different length have the loss and gradient
// of one batch of both, whatever is padded and whichever comes first.
func TestAccumulationWeighsTargets(t *testing.T) {
	text, _ := grammar(t)
	docs := []corpus.Tokens{text.Part(0, 33), text.Part(40, 45)}
	for _, config := range []string{"rwkv4", "transformer", "lstm"} {
		step := func(docs []corpus.Tokens, batch, accumulate int) (loss, norm float64) {
			p := small
			p.Batch, p.Accumulate, p.Context, p.Order, p.Steps, p.EvalEvery, p.L2Wrap, p.Warmup, p.Clip = batch, accumulate, 32, "documents", 1, 0, true, 0, 0
			s, err := NewTextSession(build(t, config, "dim=32,layers=1"), docs, docs, p)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Run(t.Context(), Hooks{Progress: func(p Progress) { loss, norm = p.Loss, p.GradNorm }}); err != nil {
				t.Fatal(err)
			}
			if last := s.Curve[1]; last.TrainLoss != loss || last.Tokens != 36 {
				t.Errorf("%s: the point has loss %v over %d targets, the step %v over 36", config, last.TrainLoss, last.Tokens, loss)
			}
			return loss, norm
		}
		loss1, norm1 := step(docs, 2, 1)
		for _, order := range [][]corpus.Tokens{docs, {docs[1], docs[0]}} {
			if loss2, norm2 := step(order, 1, 2); math.Abs(loss1-loss2) > 1e-6*loss1 || math.Abs(norm1-norm2) > 1e-5*norm1 {
				t.Errorf("%s: loss %v and %v, gradient norm %v and %v", config, loss1, loss2, norm1, norm2)
			}
		}
	}
}

// The training loss of a point weighs steps by their targets.
func TestTrainLossWeighsTargets(t *testing.T) {
	text, _ := grammar(t)
	docs := []corpus.Tokens{text.Part(0, 33), text.Part(40, 45)}
	p := small
	p.Batch, p.Context, p.Order, p.Steps, p.EvalEvery, p.Warmup = 1, 32, "documents", 2, 0, 0
	s, err := NewTextSession(build(t, "rnn", "dim=32,layers=1"), docs, docs, p)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	if err := s.Run(t.Context(), Hooks{Progress: func(p Progress) { want += p.Loss * float64(s.counted(p.Step-1)) / 36 }}); err != nil {
		t.Fatal(err)
	}
	if got := s.Curve[1].TrainLoss; math.Abs(got-want) > 1e-9 || s.counted(0) == s.counted(1) {
		t.Errorf("loss %v, want %v over %d and %d targets", got, want, s.counted(0), s.counted(1))
	}
}

func TestPatience(t *testing.T) {
	for _, c := range []struct {
		scores []float64
		better string
		want   bool
	}{
		{[]float64{8, 7, 6}, record.Lower, false}, {[]float64{8, 6, 7}, record.Lower, false},
		{[]float64{8, 6, 7, 6.5}, record.Lower, true}, {[]float64{8, 6, 6, 6}, record.Lower, true},
		{[]float64{1, 2, 3}, record.Higher, false}, {[]float64{3, 2, 1}, record.Higher, true},
	} {
		s := &Session{Plan: Plan{Patience: 2}, grader: func() corpus.Grader { return graded{c.better} }}
		for _, x := range c.scores {
			s.Curve = append(s.Curve, Point{Score: x})
		}
		if s.stale() != c.want {
			t.Errorf("%v, %s is better: ended %v, want %v", c.scores, c.better, s.stale(), c.want)
		}
	}
}

// graded is a grader of which only the direction matters.
type graded struct{ better string }

func (g graded) Add(int, int32, float32, []float32) {}
func (g graded) Values() []record.Value {
	return []record.Value{record.Quantity{Name: "points", Better: g.better}.Of(0)}
}

// RWKV's decay and bonus learn faster, all else as before.
func TestLayerLR(t *testing.T) {
	c := small.AdamWConfig
	c.LayerLR = true
	rates := map[float32]int{}
	for _, p := range NewAdamW(build(t, "rwkv4", "dim=32,layers=3"), c).params {
		rates[p.rate]++
	}
	if rates[2] != 3 || rates[3] != 3 {
		t.Errorf("tensors by rate: %v", rates)
	}
}
