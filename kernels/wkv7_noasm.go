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

func wkv7Pack(steps []wkv7Block, n, vector int, x []float32, N, T, stride, ahead int) {
	wkv7PackGeneric(steps, n, vector, x, N, T, stride)
}

func wkv7Unpack(x []float32, steps []wkv7Block, n, vector, N, T, stride, ahead int) {
	wkv7UnpackGeneric(x, steps, n, vector, N, T, stride)
}

func wkv7Fetch(x []float32, N, T, stride int) {}
