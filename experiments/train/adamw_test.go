package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"workbench/arch/nn"
)

type weights struct {
	Matrix *nn.Tensor `w:"a.weight"`         // decays
	Vector *nn.Tensor `w:"b.weight"`         // one axis: does not
	Hidden *nn.Tensor `w:"rnn.weight_hh_l0"` // name without .weight: does not
	Frozen *nn.Tensor `w:"c.weight"`         // stays
}

func newWeights(r *rand.Rand) *weights {
	w := &weights{nn.New(3, 4), nn.New(5), nn.New(2, 2), nn.New(2, 2)}
	w.Frozen.Const = true
	nn.Walk(w, func(p nn.Param) { nn.Normal(p.Tensor, r, 1) })
	nn.ZeroGrad(w)
	return w
}

// reference is torch.optim.AdamW after torch.nn.utils.clip_grad_norm_, in
// float64.
type reference struct {
	AdamWConfig
	p, m, v, decay []float64
	t              float64
}

func (o *reference) step(g []float64, lr float64) (norm float64) {
	for _, x := range g {
		norm += x * x
	}
	norm = math.Sqrt(norm)
	clip := 1.0
	if o.Clip > 0 {
		clip = math.Min(1, o.Clip/(norm+1e-6))
	}
	o.t++
	for i := range g {
		gi := g[i] * clip
		o.p[i] -= lr * o.decay[i] * o.p[i]
		o.m[i] = o.Beta1*o.m[i] + (1-o.Beta1)*gi
		o.v[i] = o.Beta2*o.v[i] + (1-o.Beta2)*gi*gi
		mhat := o.m[i] / (1 - math.Pow(o.Beta1, o.t))
		vhat := o.v[i] / (1 - math.Pow(o.Beta2, o.t))
		o.p[i] -= lr * mhat / (math.Sqrt(vhat) + o.Eps)
	}
	return norm
}

func TestAdamWIsTorchs(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  AdamWConfig
	}{
		{"usual", AdamWConfig{Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.1, Clip: 1}},
		{"no clipping", AdamWConfig{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.5}},
		{"plain", AdamWConfig{Eps: 1e-3, Clip: 0.25}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			w := newWeights(r)
			frozen := slices.Clone(w.Frozen.Data)
			ref := &reference{AdamWConfig: c.cfg}
			trained := []*nn.Tensor{w.Matrix, w.Vector, w.Hidden}
			for i, x := range trained {
				for _, p := range x.Data {
					ref.p = append(ref.p, float64(p))
					ref.decay = append(ref.decay, []float64{c.cfg.WeightDecay, 0, 0}[i])
				}
			}
			ref.m, ref.v = make([]float64, len(ref.p)), make([]float64, len(ref.p))
			opt := NewAdamW(w, c.cfg)
			for step := range 12 {
				lr := 0.01 * float64(step+1)
				var g []float64
				for _, x := range trained {
					for i := range x.Grad {
						x.Grad[i] = float32(r.NormFloat64() * []float64{0.01, 3}[step%2]) // below and above the clip
						g = append(g, float64(x.Grad[i]))
					}
				}
				got, want := opt.Step(lr), ref.step(g, lr)
				if math.Abs(got-want) > 1e-6*want {
					t.Fatalf("step %d: gradient norm %v, want %v", step, got, want)
				}
			}
			i := 0
			for _, x := range trained {
				for _, p := range x.Data {
					if math.Abs(float64(p)-ref.p[i]) > 5e-6 {
						t.Errorf("weight %d: %v, want %v", i, p, ref.p[i])
					}
					i++
				}
			}
			if !slices.Equal(w.Frozen.Data, frozen) {
				t.Error("a frozen weight moved")
			}
		})
	}
}

func TestAdamWLeavesWeightsOnBadGradients(t *testing.T) {
	w := newWeights(rand.New(rand.NewPCG(1, 2)))
	opt := NewAdamW(w, Default.AdamWConfig)
	before := slices.Clone(w.Matrix.Data)
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		w.Vector.Grad[3] = bad
		if norm := opt.Step(0.1); finite(norm) {
			t.Errorf("gradient with %v has norm %v", bad, norm)
		}
	}
	if !slices.Equal(before, w.Matrix.Data) {
		t.Error("weights changed")
	}
}
