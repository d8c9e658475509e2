package kerneltest

import (
	"fmt"
	"math"
	"sync"

	"workbench/kernels"
)

// productBatches are the matrices of a layer that multiply one vector: queries,
// keys and values, or gate and up. 12 layers of them exceed every cache.
func productBatches() (cases []Case) {
	for _, s := range []struct{ count, N, K int }{{3, 768, 768}, {2, 2240, 768}} {
		for _, t := range []kernels.DType{kernels.F32, kernels.BF16} {
			cases = append(cases, productBatch(t, s.count, s.N, s.K))
		}
	}
	return cases
}

func productBatch(t kernels.DType, count, N, K int) Case {
	const layers = 12
	c := Case{Kernel: "mul_mats", Shape: fmt.Sprintf("%dx N=%d K=%d", count, N, K), DType: t.String(),
		Operations: float64(2 * count * N * K), Bytes: bytesOfType(t, count*N*K), Footprint: layers * bytesOfType(t, count*N*K)}
	x, y := randoms(K, 4), make([]float32, count*N)
	batches := sync.OnceValue(func() (b [layers][]kernels.Product) {
		for l := range layers {
			for i := range count {
				m, err := kernels.NewMatrix(t, randoms(N*K, uint64(l*count+i)), N, K)
				if err != nil {
					panic(err) // the weights are in range
				}
				b[l] = append(b[l], kernels.Product{Y: y[i*N : (i+1)*N], X: x, W: *m})
			}
		}
		return b
	})
	c.Make = func() func() {
		b, at := batches(), 0
		return func() {
			at = (at + 1) % layers
			kernels.MulMats(b[at], 1)
		}
	}
	c.Check = func() error {
		for i := range y {
			y[i] = float32(math.NaN())
		}
		b, row := batches()[0], make([]float32, K)
		kernels.MulMats(b, 1)
		return sampled("mul_mats "+c.DType, y, 1, count*N, 2e-6, func(_, n int) (sum, size float64) {
			b[n/N].W.Row(row, n%N)
			for k, w := range row {
				p := float64(w) * float64(x[k])
				sum, size = sum+p, size+math.Abs(p)
			}
			return sum, size
		})
	}
	return c
}
