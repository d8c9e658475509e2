package train

import (
	"fmt"
	"math"
	"strings"

	"workbench/arch/nn"
	"workbench/kernels"
)

// AdamWConfig is the settings of AdamW without the learning rate.
type AdamWConfig struct {
	Beta1, Beta2, Eps float64
	WeightDecay       float64
	Clip              float64 // limit of the norm of the whole gradient, 0: none
	// LayerLR doubles the learning rate of time_decay (w0 in RWKV-7) and triples
	// that of time_first.
	// Source: BlinkDL/RWKV-LM RWKV-v4neo, RWKV-v5 and RWKV-v7/train_temp,
	// src/model.py, configure_optimizers.
	LayerLR bool
}

// check returns an error for settings out of range.
func (c AdamWConfig) check() error {
	for _, x := range []struct {
		name  string
		value float64
		ok    bool
	}{
		{"beta1", c.Beta1, c.Beta1 >= 0 && c.Beta1 < 1},
		{"beta2", c.Beta2, c.Beta2 >= 0 && c.Beta2 < 1},
		{"epsilon", c.Eps, c.Eps > 0},
		{"weight decay", c.WeightDecay, c.WeightDecay >= 0},
		{"gradient clip", c.Clip, c.Clip >= 0},
	} {
		if !x.ok || math.IsInf(x.value, 0) {
			return fmt.Errorf("%s: %v is out of range", x.name, x.value)
		}
	}
	return nil
}

// AdamW holds the moments of a model's weights.
type AdamW struct {
	AdamWConfig
	params []moments
	step   int
}

type moments struct {
	weight *nn.Tensor
	m, v   []float32
	decay  float32
	rate   float32 // factor of the learning rate
}

// NewAdamW returns the optimiser of a model's weights except frozen ones.
// Weight decay applies to matrices whose name ends in ".weight": not to
// vectors, nor to weight_ih and weight_hh of torch's recurrent networks.
func NewAdamW(model any, c AdamWConfig) *AdamW {
	if err := c.check(); err != nil {
		panic("train: NewAdamW: " + err.Error())
	}
	o := &AdamW{AdamWConfig: c}
	nn.Walk(model, func(p nn.Param) {
		t := p.Tensor
		if t.Const {
			return
		}
		s := moments{weight: t, m: make([]float32, t.Len()), v: make([]float32, t.Len()), rate: 1}
		switch {
		case c.LayerLR && (strings.HasSuffix(p.Name, ".time_decay") || strings.HasSuffix(p.Name, ".att.w0")):
			s.rate = 2
		case c.LayerLR && strings.HasSuffix(p.Name, ".time_first"):
			s.rate = 3
		}
		if len(t.Shape) == 2 && strings.HasSuffix(p.Name, ".weight") {
			s.decay = float32(c.WeightDecay)
		}
		o.params = append(o.params, s)
	})
	return o
}

// Step updates every weight from its gradient and returns the norm of the whole
// gradient before clipping. If the norm is not finite, nothing changes.
//
//	g *= min(1, Clip/(norm + 1e-6)), then kernels.AdamW
//
// Source: torch.nn.utils.clip_grad_norm_, torch.optim.AdamW.
func (o *AdamW) Step(lr float64) (gradNorm float64) {
	sum := 0.0
	for _, p := range o.params {
		sum += kernels.SumSquares(p.weight.Grad)
	}
	norm := math.Sqrt(sum)
	if !finite(norm) {
		return norm
	}
	scale := 1.0
	if o.Clip > 0 {
		scale = min(1, o.Clip/(norm+1e-6))
	}
	o.step++
	step := kernels.AdamWStep{Step: o.step, Beta1: float32(o.Beta1), Beta2: float32(o.Beta2), Eps: float32(o.Eps), Scale: float32(scale)}
	for _, p := range o.params {
		step.LR, step.Decay = float32(lr)*p.rate, p.decay
		kernels.AdamW(p.weight.Data, p.weight.Grad, p.m, p.v, step)
	}
	return norm
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
