package kerneltest

import (
	"fmt"
	"math"
	"sync"

	"workbench/kernels"
)

// layouts are the three products, with the layout of a and b.
var layouts = map[string]struct {
	f      func(c, a, b []float32, M, N, K int, acc bool)
	ta, tb bool // a is [K,M]; b is [N,K]
}{
	"nt": {kernels.MatMulNT, false, true},
	"nn": {kernels.MatMulNN, false, false},
	"tn": {kernels.MatMulTN, true, false},
}

// productShapes are shapes from training and decoding language models.
var productShapes = []struct {
	layout  string
	M, N, K int
}{
	{"nn", 256, 256, 256}, {"nn", 512, 512, 512}, {"nn", 1024, 1024, 1024}, {"nn", 2048, 2048, 2048},
	{"nt", 1024, 512, 512}, {"nn", 1024, 512, 512}, {"tn", 512, 512, 1024},
	{"nt", 2048, 256, 256}, {"nt", 2048, 768, 256}, {"nt", 2048, 1024, 256}, {"nt", 2048, 256, 1024},
	{"nn", 2048, 256, 1024}, {"tn", 1024, 256, 2048}, {"tn", 256, 1024, 2048},
	{"nt", 2048, 2048, 512}, {"nt", 2048, 512, 2048}, {"nn", 2048, 512, 2048}, {"tn", 2048, 512, 2048},
	{"nt", 512, 768, 768}, {"nt", 512, 3072, 768}, {"nt", 128, 768, 768},
	{"nt", 256, 256, 64}, {"nn", 256, 64, 256},
	{"nt", 8, 256, 256}, {"nt", 1, 512, 512}, {"nt", 4, 512, 512}, {"nt", 8, 512, 512}, {"nt", 16, 512, 512},
	{"nt", 1, 768, 768}, {"nt", 4, 768, 768}, {"nt", 8, 768, 768}, {"nt", 16, 768, 768},
}

// operands are a, b and c, shared by all products.
var operands = sync.OnceValue(func() [3][]float32 {
	const n = 2048 * 2048
	return [3][]float32{make([]float32, n), randoms(n, 1), randoms(n, 2)}
})

func products() (cases []Case) {
	for _, s := range productShapes {
		l, M, N, K := layouts[s.layout], s.M, s.N, s.K
		run := func() {
			x := operands()
			l.f(x[0][:M*N], x[1][:M*K], x[2][:N*K], M, N, K, false)
		}
		c := Case{Kernel: "matmul_" + s.layout, Shape: fmt.Sprintf("M=%d N=%d K=%d", M, N, K), DType: "f32",
			Operations: 2 * float64(M) * float64(N) * float64(K), Bytes: 4 * float64(M*N+M*K+N*K), Compute: M > 1}
		c.Footprint = c.Bytes
		c.Make = func() func() { return run }
		c.Check = func() error {
			x := operands()
			for i := range x[0][:M*N] {
				x[0][i] = float32(math.NaN())
			}
			run()
			return sampled(c.Kernel+" "+c.Shape, x[0], M, N, 2e-6, func(m, n int) (sum, size float64) {
				for k := range K {
					i, j := m*K+k, k*N+n
					if l.ta {
						i = k*M + m
					}
					if l.tb {
						j = n*K + k
					}
					p := float64(x[1][i]) * float64(x[2][j])
					sum, size = sum+p, size+math.Abs(p)
				}
				return sum, size
			})
		}
		cases = append(cases, c)
	}
	return cases
}

// storedProducts is the matrix-vector product of a decode step for every
// storage type: an output head of 50277 tokens over 768 channels.
func storedProducts() (cases []Case) {
	const N, K = 50277, 768
	weights := sync.OnceValue(func() []float32 { return randoms(N*K, 3) })
	for t := kernels.F32; t <= kernels.Q4_0; t++ {
		tol := 2e-6
		if t >= kernels.Q8_0 {
			tol = 0.01 // the inputs are rounded to 8 bits
		}
		matrix := sync.OnceValue(func() *kernels.Matrix {
			m, err := kernels.NewMatrix(t, weights(), N, K)
			if err != nil {
				panic(err) // the weights are in range and K is whole blocks
			}
			return m
		})
		x, y, row := randoms(K, 4), make([]float32, N), make([]float32, K)
		c := Case{Kernel: "mul_vec", Shape: fmt.Sprintf("N=%d K=%d", N, K), DType: t.String(), Operations: 2 * N * K,
			Bytes: bytesOfType(t, N*K), Footprint: bytesOfType(t, N*K)}
		c.Make = func() func() {
			m := matrix()
			return func() { kernels.MulVec(y, m, x) }
		}
		c.Check = func() error {
			c.Make()()
			return sampled("mul_vec "+c.DType, y, 1, N, tol, func(_, n int) (sum, size float64) {
				matrix().Row(row, n)
				for k, w := range row {
					p := float64(w) * float64(x[k])
					sum, size = sum+p, size+math.Abs(p)
				}
				return sum, size
			})
		}
		cases = append(cases, c)
	}
	return cases
}

func bytesOfType(t kernels.DType, n int) float64 {
	return float64(n) * [...]float64{kernels.F32: 4, kernels.BF16: 2, kernels.F16: 2, kernels.Q8_0: 34. / 32, kernels.Q4_0: 18. / 32}[t]
}
