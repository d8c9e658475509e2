package kernels

// MatMulNT is C[M,N] = A[M,K]·B[N,K]ᵀ, or += with acc: the forward pass of a
// linear layer.
//
//	c[m,n] = Σₖ a[m,k]·b[n,k]
func MatMulNT(c, a, b []float32, M, N, K int, acc bool) {
	needProduct("MatMulNT", c, a, b, M, N, K)
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: N, am: K, ak: 1, bk: 1, bn: K, acc: acc}.run()
}

// MatMulNTThen is C[M,N] = A[M,K]·B[N,K]ᵀ with an epilogue: a linear layer with
// the elementwise operations that follow it.
func MatMulNTThen(c, a, b []float32, M, N, K int, then Epilogue) {
	needProduct("MatMulNTThen", c, a, b, M, N, K)
	then.need("MatMulNTThen", M, N)
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: N, am: K, ak: 1, bk: 1, bn: K, then: then}.run()
}

// MatMulNN is C[M,N] = A[M,K]·B[K,N], or += with acc: the gradient of a linear
// layer to its input.
//
//	c[m,n] = Σₖ a[m,k]·b[k,n]
func MatMulNN(c, a, b []float32, M, N, K int, acc bool) {
	needProduct("MatMulNN", c, a, b, M, N, K)
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: N, am: K, ak: 1, bk: N, bn: 1, acc: acc}.run()
}

// MatMulTN is C[M,N] = A[K,M]ᵀ·B[K,N], or += with acc: the gradient of a linear
// layer to its weight.
//
//	c[m,n] = Σₖ a[k,m]·b[k,n]
func MatMulTN(c, a, b []float32, M, N, K int, acc bool) {
	needProduct("MatMulTN", c, a, b, M, N, K)
	product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: N, am: 1, ak: M, bk: N, bn: 1, acc: acc}.run()
}

func needProduct(op string, c, a, b []float32, M, N, K int) {
	needDims(op, M, N, K)
	need(op, "c", c, M*N)
	need(op, "a", a, M*K)
	need(op, "b", b, N*K)
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

func (p product) run() {
	switch {
	case p.M == 0 || p.N == 0:
	case p.K == 0:
		for m := range p.M {
			if !p.acc {
				clear(p.c[m*p.ldc : m*p.ldc+p.N])
			}
		}
		p.then.rows(p.c, p.ldc, 0, p.M, 0, p.N)
	default:
		multiplyMatrices(&p)
	}
}

// column returns where chunk i of the columns of a product of few rows begins:
// a multiple of the three columns that dot products take at once and of the
// four streams, so that borders change no sum.
func (p *product) column(i, chunks int) int {
	const unit = 12
	return min(i*((p.N+unit-1)/unit)/chunks*unit, p.N)
}
