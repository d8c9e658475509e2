package main

import (
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
)

// What training is said to take is no less than it does, and little more; what
// it is said to take at least is no more.
func TestStepBytes(t *testing.T) {
	for _, name := range arch.Names() {
		for _, recompute := range []bool{false, true} {
			const B, T = 3, 40
			config := map[string]any{"dim": 32, "layers": 5, "vocab": 300}
			o, err := arch.NewOutline(name, config)
			if err != nil {
				t.Fatal(err)
			}
			m, _, err := arch.New(name, config, 1)
			if err != nil {
				t.Fatal(err)
			}
			nn.ZeroGrad(m)
			g := nn.NewGraph()
			g.Recompute = recompute
			tok := nn.Tokens{IDs: make([]int32, B*T), B: B, T: T}
			g.Backward(nn.CrossEntropy(g, m.Logits(g, m.Forward(g, tok, nil)), tok.IDs))
			real := float64(g.HighWater())

			weights, least := o.TrainBytes(B*T, recompute)
			said, err := o.StepBytes(B, T, recompute)
			if err != nil || said < real || said > 1.6*real || least > real || !recompute && atMost*least < real {
				t.Errorf("%s, recompute %v: %.0f bytes, at least %.0f; a step took %.0f, %v", name, recompute, said, least, real, err)
			}
			if held := 4 * float64(arch.WeightBytes(m)); weights < held || weights > 1.5*held {
				t.Errorf("%s: %.0f bytes of weights, gradients and moments, which are %.0f", name, weights, held)
			}
			inference := nn.Inference()
			inference.Reset()
			m.Forward(inference, tok, nil)
			if got := o.ReadBytes(B * T); got > float64(inference.HighWater()) {
				t.Errorf("%s: reading takes at least %.0f bytes, and took %d", name, got, inference.HighWater())
			}
		}
	}
}
