package kernels

import "math"

// AdamWStep is one step of AdamW.
type AdamWStep struct {
	Step         int     // counts from 1
	LR           float32 // learning rate
	Beta1, Beta2 float32 // decay rates of the moments m and v
	Eps          float32 // added to √v
	Decay        float32 // weight decay
	Scale        float32 // factor of the gradient, for clipping
}

// AdamW makes one step of Adam with decoupled weight decay, in
// torch.optim.AdamW's arithmetic:
//
//	g *= scale;  p -= lr·decay·p
//	m += (1-β1)·(g-m);  v = β2·v + (1-β2)·g²
//	p -= lr/(1-β1^step) · m / (√v/√(1-β2^step) + eps)
//
// All slices have the length of p; g is not changed. The scalar factors are
// computed in float64 and rounded to float32 once.
// Source: Loshchilov & Hutter (1711.05101).
func AdamW(p, g, m, v []float32, s AdamWStep) {
	need("AdamW", "g", g, len(p))
	need("AdamW", "m", m, len(p))
	need("AdamW", "v", v, len(p))
	if s.Step < 1 {
		panic("kernels: AdamW: steps count from 1")
	}
	b1, b2, lr, step := float64(s.Beta1), float64(s.Beta2), float64(s.LR), float64(s.Step)
	adamJobs.run(len(p), blockFloats, adamJob{p, g, m, v, adamScalars{
		gscale: s.Scale,
		keep:   float32(1 - lr*float64(s.Decay)),
		blend1: float32(1 - b1),
		beta2:  s.Beta2,
		blend2: float32(1 - b2),
		root2:  float32(1 / math.Sqrt(1-math.Pow(b2, step))),
		eps:    s.Eps,
		rate:   float32(lr / (1 - math.Pow(b1, step))),
	}})
}

// adamScalars are a step's constants: keep = 1-lr·decay, blend = 1-β,
// root2 = 1/√(1-β2^step), rate = lr/(1-β1^step). Assembly reads them by offset.
type adamScalars struct {
	gscale, keep, blend1, beta2, blend2, root2, eps, rate float32
}

type adamJob struct {
	p, g, m, v []float32
	s          adamScalars
}

var adamJobs jobs[adamJob, *adamJob]

func (j *adamJob) span(lo, hi int) {
	adamW(j.p[lo:hi], j.g[lo:hi], j.m[lo:hi], j.v[lo:hi], &j.s)
}
