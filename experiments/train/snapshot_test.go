package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"workbench/arch/nn"
	"workbench/experiments/corpus"
)

// A session left anywhere and taken up again ends in the same bytes.
func TestSessionResumes(t *testing.T) {
	text, heldOut := texts(t)
	// A stream of 20 steps: the state is carried, and begins anew once.
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
		whole, err := NewSession(build(t, arch, "dim=32,layers=2"), text, heldOut, plan)
		if err != nil {
			t.Fatal(err)
		}
		if err := whole.Run(t.Context(), Hooks{}); err != nil {
			t.Fatal(err)
		}
		for _, leave := range []int{1, 12, 17, 30} {
			path := filepath.Join(t.TempDir(), "session.safetensors")
			s, _ := NewSession(build(t, arch, "dim=32,layers=2"), text, heldOut, plan)
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
			again, _ := NewSession(build(t, arch, "dim=32,layers=2"), text, heldOut, plan)
			if err := again.Load(path); err != nil {
				t.Fatal(err)
			}
			if err := again.Run(t.Context(), Hooks{}); err != nil {
				t.Fatal(err)
			}
			if Hash(again.Model) != Hash(whole.Model) {
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
	s, _ := NewSession(build(t, "rwkv4", "dim=32,layers=2"), text, heldOut, small)
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
		again, err := NewSession(build(t, "rwkv4", c.set), text, heldOut, c.plan)
		if err != nil {
			t.Fatal(err)
		}
		before := Hash(again.Model)
		if err := again.Load(c.path); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", c.path, err, c.says)
		}
		if Hash(again.Model) != before || again.Made() != 0 {
			t.Errorf("%s: the session changed", c.path)
		}
	}
}

// The mean over two batches is that over one of twice the size.
func TestAccumulation(t *testing.T) {
	ids, targets := make([]int32, 64), make([]int32, 64)
	for i := range ids {
		ids[i], targets[i] = int32(i*7%256), int32(i*13%256)
	}
	one, two := NewTrainer(build(t, "rwkv4", "dim=32,layers=2"), small.AdamWConfig), NewTrainer(build(t, "rwkv4", "dim=32,layers=2"), small.AdamWConfig)
	one.l2wrap, two.l2wrap = true, true
	loss1, norm1, err1 := one.Step(nn.Tokens{IDs: ids, B: 4, T: 16}, targets, 1e-3)
	loss2, norm2, err2 := two.StepOn(2, func(i int) Batch {
		return Batch{nn.Tokens{IDs: ids[32*i : 32*i+32], B: 2, T: 16}, targets[32*i : 32*i+32], nil}
	}, 1e-3)
	if err1 != nil || err2 != nil || math.Abs(loss1-loss2) > 1e-6 || math.Abs(norm1-norm2) > 1e-5*norm1 {
		t.Errorf("loss %v and %v, norm %v and %v (%v, %v)", loss1, loss2, norm1, norm2, err1, err2)
	}
}

func TestPatience(t *testing.T) {
	for _, c := range []struct {
		bpb  []float64
		want bool
	}{{[]float64{8, 7, 6}, false}, {[]float64{8, 6, 7}, false}, {[]float64{8, 6, 7, 6.5}, true}, {[]float64{8, 6, 6, 6}, true}} {
		s := &Session{Plan: Plan{Patience: 2}}
		for _, b := range c.bpb {
			s.Curve = append(s.Curve, Point{ValBPB: b})
		}
		if s.stale() != c.want {
			t.Errorf("%v: ended %v, want %v", c.bpb, s.stale(), c.want)
		}
	}
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
