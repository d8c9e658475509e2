package train

import (
	"path/filepath"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/nn"
)

// The trajectories of train.json come from torch.optim.AdamW in float64.
func TestGoldenTrajectories(t *testing.T) {
	shared := archtest.Shared()
	if shared == "" {
		t.Skip("no golden data: ../shared/data is absent")
	}
	trainer := func(m arch.Model, r archtest.TrainRule) func(nn.Tokens, []int32) (float64, float64, error) {
		tr := NewTrainer(m, AdamWConfig{Beta1: r.Beta1, Beta2: r.Beta2, Eps: r.Eps, WeightDecay: r.Decay, Clip: r.Clip})
		return func(tok nn.Tokens, targets []int32) (float64, float64, error) { return tr.Step(tok, targets, r.LR) }
	}
	for _, name := range []string{"rwkv4", "rwkv5_small", "rwkv6_small", "rwkv7", "gpt2_hf", "rnn", "lstm", "gru"} {
		t.Run(name, func(t *testing.T) {
			results, err := archtest.Golden(filepath.Join(shared, "golden", name), archtest.Options{Trainer: trainer})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				loss, ok := r.MaxAbs["train_loss"]
				if norm := r.MaxAbs["train_grad_norm"]; !ok || loss > 2e-4 || norm > 1e-3 {
					t.Errorf("%s: losses within %v, gradient norms within %v of the reference; %s", r.Impl, loss, norm, r.Error)
				}
			}
		})
	}
}
