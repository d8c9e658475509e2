//go:build !purego

package kernels

//go:generate go run -C _asm ./ops -group wkv7 -out ../wkv7_amd64.s -stubs ../wkv7_amd64.go -pkg kernels

// wkv7 does blocks of columns: their state stays in the first-level cache from
// the first step to the last.
func wkv7(y, s, sa, d, r, k, v, a, b []float32, T, C, N int) {
	if !useAVX2 {
		wkv7Generic(y, s, sa, d, r, k, v, a, b, T, C, N)
		return
	}
	var sink [16]float32
	for i := 0; i < N; {
		kept, strideSA := sink[:], 0
		if sa != nil {
			kept, strideSA = sa[i:], C
		}
		switch n := N - i; {
		case n >= 16:
			wkv7x16AVX2(at(y[i:]), at(s[i:]), at(kept), at(d), at(r), at(k), at(v[i:]), at(a), at(b), T, C, strideSA, N)
			i += 16
		case n >= 8:
			wkv7x8AVX2(at(y[i:]), at(s[i:]), at(kept), at(d), at(r), at(k), at(v[i:]), at(a), at(b), T, C, strideSA, N)
			i += 8
		default:
			wkv7RestAVX2(at(y[i:]), at(s[i:]), at(kept), at(d), at(r), at(k), at(v[i:]), at(a), at(b), T, C, strideSA, N, n)
			i += n
		}
	}
}

func wkv7Carry(x, steps []float32, P, rows, T int) { wkv7CarryGeneric(x, steps, P, rows, T) }

func wkv7Advance(x, steps []float32, P, i0, rows, T int) {
	wkv7AdvanceGeneric(x, steps, P, i0, rows, T)
}

func wkv7Reverse(g, x, steps []float32, P, i0, rows, T int) {
	wkv7ReverseGeneric(g, x, steps, P, i0, rows, T)
}
