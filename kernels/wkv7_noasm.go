//go:build !amd64 || purego

package kernels

func wkv7(y, s, sa, d, r, k, v, a, b []float32, T, C, N int) {
	wkv7Generic(y, s, sa, d, r, k, v, a, b, T, C, N)
}

func wkv7Carry(x, steps []float32, P, rows, T int) { wkv7CarryGeneric(x, steps, P, rows, T) }

func wkv7Advance(x, steps []float32, P, i0, rows, T int) {
	wkv7AdvanceGeneric(x, steps, P, i0, rows, T)
}

func wkv7Reverse(g, x, steps []float32, P, i0, rows, T int) {
	wkv7ReverseGeneric(g, x, steps, P, i0, rows, T)
}
