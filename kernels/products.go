package kernels

import "fmt"

// Product is one product of MulMats: Y[M,N] = X[M,K]·Wᵀ with the epilogue Then.
type Product struct {
	Y, X []float32
	W    Matrix
	Then Epilogue
}

// Floats returns w[N,K] as a Matrix, without a copy.
func Floats(w []float32, N, K int) Matrix {
	needDims("Floats", N, K)
	need("Floats", "w", w, N*K)
	return Matrix{Type: F32, N: N, K: K, f32: w}
}

// MaxProducts is the most products in one call of MulMats.
const MaxProducts = 8

// MulMats is MulMatThen for each product; none may read what another writes.
// Where all have few rows, as in a decode step, the threads share them in one
// parallel region with one fork and join, and a thread that has finished with
// one matrix goes on to the next. The values equal those of MulMatThen to the
// bit.
func MulMats(p []Product, M int) {
	needDims("MulMats", M)
	if len(p) > MaxProducts {
		panic(fmt.Sprintf("kernels: MulMats: %d products, the most is %d", len(p), MaxProducts))
	}
	for i := range p {
		if w := &p[i].W; w.K == 0 || M > 1 && (w.Type == F32 || M > fewRows(w.Type)) {
			for i := range p {
				MulMatThen(p[i].Y, p[i].X, &p[i].W, M, p[i].Then)
			}
			return
		}
	}
	var b vectors
	var in [MaxProducts]*input
	for i := range p {
		p[i].Then.need("MulMats", M, p[i].W.N)
		in[i] = inputs.Get().(*input)
		b.add(p[i].Y, p[i].X, &p[i].W, M, in[i])
	}
	vectorBatches.run(b.chunks, 1, b)
	for i := range p {
		inputs.Put(in[i])
		p[i].Then.Apply(p[i].Y, M, p[i].W.N)
	}
}

// vectors are the products of one parallel region, their chunks numbered in
// sequence.
type vectors struct {
	v      [MaxProducts]placed
	n      int
	chunks int
}

// placed is a product whose chunks, of grain items each, begin at chunk first.
type placed struct {
	vector
	items, grain, first int
}

var vectorBatches jobs[vectors, *vectors]

func (b *vectors) add(y, x []float32, m *Matrix, M int, in *input) {
	s := &b.v[b.n]
	s.first = b.chunks
	s.items, s.grain = s.plan("MulMats", y, x, m, M, in)
	b.chunks += (s.items + s.grain - 1) / s.grain
	b.n++
}

func (b *vectors) span(lo, hi int) {
	i := 0
	for ; lo < hi; lo++ {
		for i+1 < b.n && b.v[i+1].first <= lo {
			i++
		}
		s := &b.v[i]
		from := (lo - s.first) * s.grain
		s.vector.span(from, min(from+s.grain, s.items))
	}
}
