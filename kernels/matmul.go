package kernels

import "fmt"

// MatMulNT is C[M,N] = A[M,K]·B[N,K]ᵀ, or += with acc: a linear layer forward.
//
//	c[m,n] = Σₖ a[m,k]·b[n,k]
func MatMulNT(c, a, b []float32, M, N, K int, acc bool) {
	needProduct("MatMulNT", c, a, b, M, N, K)
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: N, am: K, ak: 1, bk: 1, bn: K, acc: acc}.run(true)
}

// MatMulNTThen is C[M,N] = A[M,K]·B[N,K]ᵀ with every element finished by then:
// a linear layer with what follows it.
func MatMulNTThen(c, a, b []float32, M, N, K int, then Epilogue) {
	needProduct("MatMulNTThen", c, a, b, M, N, K)
	then.need("MatMulNTThen", M, N)
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: N, am: K, ak: 1, bk: 1, bn: K, then: then}.run(true)
}

// MatMulNN is C[M,N] = A[M,K]·B[K,N], or += with acc: a linear layer's
// gradient to its input.
//
//	c[m,n] = Σₖ a[m,k]·b[k,n]
func MatMulNN(c, a, b []float32, M, N, K int, acc bool) {
	needProduct("MatMulNN", c, a, b, M, N, K)
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: N, am: K, ak: 1, bk: N, bn: 1, acc: acc}.run(true)
}

// MatMulTN is C[M,N] = A[K,M]ᵀ·B[K,N], or += with acc: a linear layer's
// gradient to its weight.
//
//	c[m,n] = Σₖ a[k,m]·b[k,n]
func MatMulTN(c, a, b []float32, M, N, K int, acc bool) {
	needProduct("MatMulTN", c, a, b, M, N, K)
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: N, am: 1, ak: M, bk: N, bn: 1, acc: acc}.run(true)
}

// MatMulNTStrided is MatMulNT on one thread, rows of c, a and b being ldc, lda
// and ldb floats apart.
func MatMulNTStrided(c []float32, ldc int, a []float32, lda int, b []float32, ldb int, M, N, K int, acc bool) {
	needStrided("MatMulNTStrided", c, ldc, a, lda, b, ldb, [3][2]int{{M, N}, {M, K}, {N, K}})
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: ldc, am: lda, ak: 1, bk: 1, bn: ldb, acc: acc}.run(false)
}

// MatMulNNStrided is MatMulNN on one thread, likewise.
func MatMulNNStrided(c []float32, ldc int, a []float32, lda int, b []float32, ldb int, M, N, K int, acc bool) {
	needStrided("MatMulNNStrided", c, ldc, a, lda, b, ldb, [3][2]int{{M, N}, {M, K}, {K, N}})
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: ldc, am: lda, ak: 1, bk: ldb, bn: 1, acc: acc}.run(false)
}

// MatMulTNStrided is MatMulTN on one thread, likewise.
func MatMulTNStrided(c []float32, ldc int, a []float32, lda int, b []float32, ldb int, M, N, K int, acc bool) {
	needStrided("MatMulTNStrided", c, ldc, a, lda, b, ldb, [3][2]int{{M, N}, {K, M}, {K, N}})
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: ldc, am: 1, ak: lda, bk: ldb, bn: 1, acc: acc}.run(false)
}

func needProduct(op string, c, a, b []float32, M, N, K int) {
	needDims(op, M, N, K)
	need(op, "c", c, M*N)
	need(op, "a", a, M*K)
	need(op, "b", b, N*K)
}

// needStrided checks that matrices of the given rows and columns fit.
func needStrided(op string, c []float32, ldc int, a []float32, lda int, b []float32, ldb int, dims [3][2]int) {
	for i, m := range []struct {
		x  []float32
		ld int
	}{{c, ldc}, {a, lda}, {b, ldb}} {
		rows, cols := dims[i][0], dims[i][1]
		needDims(op, rows, cols)
		if rows == 0 || cols == 0 {
			continue
		}
		if m.ld < cols || len(m.x) < (rows-1)*m.ld+cols {
			panic(fmt.Sprintf("kernels: %s: matrix %d of %d rows and %d columns does not fit in %d floats with rows %d apart",
				op, i, rows, cols, len(m.x), m.ld))
		}
	}
}

// product is one matrix product: a's element (m,k) is at m·am+k·ak, b's (k,n)
// at k·bk+n·bn, c's (m,n) at m·ldc+n.
type product struct {
	c, a, b             []float32
	M, N, K             int
	ldc, am, ak, bk, bn int
	acc                 bool
	then                Epilogue
}

func (p product) run(threaded bool) {
	switch {
	case p.M == 0 || p.N == 0:
	case p.K == 0:
		for m := range p.M {
			if !p.acc {
				clear(p.c[m*p.ldc : m*p.ldc+p.N])
			}
		}
		p.then.rows(p.c, p.ldc, 0, p.M, 0, p.N)
	case useAVX2:
		p.avx2(threaded)
	case threaded:
		genericProducts.run(p.M, max(1, 1<<15/(p.N*p.K)), p)
	default:
		p.span(0, p.M)
	}
}

// column is where chunk i of the columns of a product of few rows begins: a
// multiple of the three columns that rows of a take at once and of the four
// streams, so that borders change no sum.
func (p *product) column(i, chunks int) int {
	const unit = 12
	return min(i*((p.N+unit-1)/unit)/chunks*unit, p.N)
}

// few computes chunks lo … hi-1 of the columns on this thread, by dot products
// of a's and b's rows.
func (p *product) few(lo, hi, chunks int) {
	if useAVX2 {
		p.dots(lo, hi, chunks)
		return
	}
	q := *p
	n0 := p.column(lo, chunks)
	q.c, q.b, q.N = p.c[n0:], p.b[n0*p.bn:], p.column(hi, chunks)-n0
	q.span(0, q.M)
}

var genericProducts jobs[product, *product]
