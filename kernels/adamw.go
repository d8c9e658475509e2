package kernels

import "math"

// AdamW makes one step (step counts from 1) of decoupled weight decay,
// torch.optim.AdamW's arithmetic:
//
//	g *= gscale;  p -= lr·decay·p
//	m += (1-β1)·(g-m);  v = β2·v + (1-β2)·g²
//	p -= lr/(1-β1^step) · m / (√v/√(1-β2^step) + eps)
//
// All slices have the length of p; g is not changed. The scalars are worked
// out in float64 and rounded once.
// Source: Loshchilov & Hutter (1711.05101).
func AdamW(p, g, m, v []float32, lr, beta1, beta2, eps, decay float32, step int, gscale float32) {
	need("AdamW", "g", g, len(p))
	need("AdamW", "m", m, len(p))
	need("AdamW", "v", v, len(p))
	if step < 1 {
		panic("kernels: AdamW: steps count from 1")
	}
	b1, b2 := float64(beta1), float64(beta2)
	adamJobs.run(len(p), blockFloats, adamJob{p, g, m, v, adamScalars{
		gscale: gscale,
		keep:   float32(1 - float64(lr)*float64(decay)),
		blend1: float32(1 - b1),
		beta2:  beta2,
		blend2: float32(1 - b2),
		root2:  float32(1 / math.Sqrt(1-math.Pow(b2, float64(step)))),
		eps:    eps,
		rate:   float32(float64(lr) / (1 - math.Pow(b1, float64(step)))),
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
