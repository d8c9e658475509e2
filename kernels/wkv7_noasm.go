//go:build !amd64 || purego

package kernels

func wkv7(y, s, sa, d, r, k, v, a, b []float32, T, C, N int) {
	wkv7Generic(y, s, sa, d, r, k, v, a, b, T, C, N)
}

func wkv7Carry(x []wkv7Tile, steps []wkv7Block, i, T int) { wkv7CarryGeneric(x, steps, i, T) }

func wkv7Advance(x []wkv7Tile, steps []wkv7Block, n, i, T int) {
	wkv7AdvanceGeneric(x, steps, n, i, T)
}

func wkv7Reverse(tape *wkv7Tape, i, T int) { wkv7ReverseGeneric(tape, i, T) }
