package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// layer7 holds the arguments of WKV7 in a time mixing, with values as in a
// model: decays of e^(-0.6065σ), removal keys of length 1, rates in (0,1).
type layer7 struct {
	B, T, H, N              int
	w, r, k, v, a, b, sa, s []float32
	y, dy                   []float32
	dw, dr, dk, dv, da, db  []float32
}

func newLayer7(B, T, H, N int) *layer7 {
	l := &layer7{B: B, T: T, H: H, N: N}
	g := rand.New(rand.NewPCG(1, 2))
	for _, x := range []*[]float32{&l.w, &l.r, &l.k, &l.v, &l.a, &l.b, &l.sa, &l.y, &l.dy, &l.dw, &l.dr, &l.dk, &l.dv, &l.da, &l.db} {
		*x = make([]float32, B*T*H*N)
		for i := range *x {
			(*x)[i] = float32(g.NormFloat64())
		}
	}
	for i, x := range l.w {
		l.w[i] = float32(-math.Exp(-0.5) / (1 + math.Exp(-float64(x))))
	}
	for at := 0; at < len(l.a); at += N {
		kappa := l.a[at : at+N]
		norm := float32(math.Sqrt(float64(sumSquaresGeneric(kappa))))
		for i := range kappa {
			kappa[i] /= -norm
			l.b[at+i] = -kappa[i] / (1 + exp32(-l.b[at+i]))
		}
	}
	l.s = make([]float32, B*H*N*N)
	return l
}

func (l *layer7) forward(h int) {
	j := wkv7Job{l.y, l.s, l.sa, WKV7Inputs{l.w, l.r, l.k, l.v, l.a, l.b}, l.T, l.H, l.N}
	j.span(h, h+1)
}

func (l *layer7) backward(h int) {
	j := wkv7GradJob{
		[...][]float32{stepDW: l.dw, stepDR: l.dr, stepDK: l.dk, stepDA: l.da, stepDB: l.db, stepDV: l.dv},
		[...][]float32{stepW: l.w, stepR: l.r, stepK: l.k, stepA: l.a, stepB: l.b, stepV: l.v, stepSA: l.sa, stepDY: l.dy}, nil, l.T, l.H, l.N}
	j.span(h, h+1)
}

// fastest returns the shortest time of f over heads in turn, within d.
func (l *layer7) fastest(d time.Duration, f func(h int)) float64 {
	least := time.Duration(math.MaxInt64)
	end := time.Now().Add(d)
	for h := 0; time.Now().Before(end); h = (h + 1) % (l.B * l.H) {
		start := time.Now()
		f(h)
		least = min(least, time.Since(start))
	}
	return least.Seconds()
}

// BenchmarkWKV7Share reports the share of the recurrence in a layer's training
// step at C = 768, with the matrix products at .85 of the FMA peak. It times
// single heads on one thread, as threads share nothing but memory.
func BenchmarkWKV7Share(b *testing.B) {
	const B, T, H, N, C = 4, 512, 12, 64, 768
	l := newLayer7(B, T, H, N)
	before := Threads()
	defer SetThreads(before)
	SetThreads(1)
	for b.Loop() {
		peak := FMAPeak(300*time.Millisecond) * 1e9
		forward, backward := l.fastest(time.Second, l.forward), l.fastest(2*time.Second, l.backward)
		products := 2.0 * T * (12*C*C + 2*C*(64+64+32+128)) / (.85 * peak) / H
		elements := float64(T * N * N)
		b.ReportMetric(peak/1e9, "GFLOP/s")
		b.ReportMetric(10*elements/peak/forward, "forward/peak")
		b.ReportMetric(32*elements/peak/backward, "backward/peak")
		b.ReportMetric(forward/(products+forward), "forward-share")
		b.ReportMetric((forward+backward)/(3*products+forward+backward), "training-share")
	}
}

// BenchmarkWKV7Decode times one token of a head, whose state is in the L1 or L2
// cache.
func BenchmarkWKV7Decode(b *testing.B) {
	l := newLayer7(1, 1, 12, 64)
	l.sa = nil
	for b.Loop() {
		b.ReportMetric(1e9*l.fastest(time.Second, l.forward), "ns/head")
	}
}
