package archtest

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
)

// slopeError is the tolerance of a slope by central differences, relative to
// the slope by the tape.
const slopeError = 0.02

// gradient compares the gradient of the tape with central differences of the
// loss along random directions, weight by weight.
func gradient(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	tok := text(m, batch, length, 10)
	return compareGradient(m, slopeError, func(g *nn.Graph) float64 { return meanLoss(g, m, tok, nil) })
}

// gradientFromState is gradient for a text that continues from a state, into
// which no gradient flows.
func gradientFromState(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	tok := text(m, batch, length, 11)
	start, state := m.NewState(batch), m.NewState(batch)
	Logits(m, piece(tok, 0, 4), start)
	rest := piece(tok, 4, length)
	// Rounded keys and values make the loss a function with steps. The longest
	// moves change logits by about their size, of which each end is off by the
	// bound.
	return compareGradient(m, slopeError+2*s.cacheBound(m), func(g *nn.Graph) float64 {
		arch.CopyState(state, start)
		return meanLoss(g, m, rest, state)
	})
}

// compareGradient moves every weight along a direction with the signs of its
// gradient, far enough for float32 to resolve the change of the loss.
func compareGradient(m arch.Model, tolerance float64, loss func(*nn.Graph) float64) error {
	nn.ZeroGrad(m)
	loss(nn.NewGraph())
	g := nn.Inference()
	var worst error
	nn.Walk(m, func(p nn.Param) {
		if p.Tensor.Const || worst != nil {
			return
		}
		dir, slope := direction(p)
		if slope == 0 {
			return
		}
		// The best of several step lengths: short steps are lost in rounding, long
		// ones in curvature.
		best := math.Inf(1)
		for _, step := range []float64{1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1} {
			eps := step / math.Sqrt(float64(len(dir)))
			up := shifted(p.Tensor, dir, eps, g, loss)
			down := shifted(p.Tensor, dir, -eps, g, loss)
			best = min(best, math.Abs((up-down)/(2*eps)-slope)/math.Abs(slope))
		}
		if best > tolerance {
			worst = fmt.Errorf("%s: the tape says %.6g along a direction, differences are off by %.1f %%", p.Name, slope, 100*best)
		}
	})
	return worst
}

// direction returns a direction of entries of about unit size and the slope
// along it by the tape: every entry has the sign of its gradient, so that
// entries do not cancel, and a third of them have a random size.
func direction(p nn.Param) (dir []float64, slope float64) {
	r := nn.Rand(12, p.Name)
	dir = make([]float64, p.Tensor.Len())
	for i, d := range p.Tensor.Grad {
		dir[i] = math.Copysign(1, float64(d))
		if r.IntN(3) == 0 {
			dir[i] *= math.Abs(r.NormFloat64())
		}
		slope += dir[i] * float64(d)
	}
	return dir, slope
}

func shifted(t *nn.Tensor, dir []float64, eps float64, g *nn.Graph, loss func(*nn.Graph) float64) float64 {
	kept := append([]float32(nil), t.Data...)
	defer copy(t.Data, kept)
	for i := range t.Data {
		t.Data[i] += float32(eps * dir[i])
	}
	g.Reset()
	return loss(g)
}
