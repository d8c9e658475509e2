//go:build amd64 && !purego

package kernels

// wkv7AVX2 computes blocks of columns, whose state stays in the L1 cache over
// all steps.
func wkv7AVX2(y, s, sa, d, r, k, v, a, b []float32, T, C, N int) {
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

func wkv7CarryAVX2(x []wkv7Tile, steps []wkv7Block, i, T int) {
	wkv7CarryToAVX2(&x[0][0][0], &steps[0][0][0], &steps[i][0][0], len(x), T)
}

func wkv7AdvanceAVX2(x []wkv7Tile, steps []wkv7Block, n, i, T int) {
	wkv7AdvanceToAVX2(&x[0][0][0], &steps[0][0][0], &steps[i][0][0], n, T)
}

// rows is where wkv7Reverse adds up sums along rows: a tile behind the states.
// At N = 64 the states start on a page; the tile's offset within a page
// therefore differs from that of g, as a load waits for an earlier store at the
// same offset.
func (t *wkv7Tape) rows() *wkv7Tile { return &t.states[len(t.states)-1] }

func wkv7ReverseAVX2(tape *wkv7Tape, i, T int) {
	n := tape.n
	last := tape.steps[(T-1)*n : T*n]
	wkv7ReverseFromAVX2(&tape.g[i*n][0][0], &tape.states[(T-1)*n][0][0], &tape.rows()[0][0], &last[0][0][0], &last[i][0][0], n, T)
}

func wkv7PackAVX2(steps []wkv7Block, n, vector int, x []float32, N, T, stride, ahead int) {
	first := &steps[0][vector][0]
	if vector == stepW {
		wkv7PackExpAVX2(first, at(x), n, T, stride, ahead)
	} else {
		wkv7PackRowsAVX2(first, at(x), n, T, stride, ahead)
	}
}

func wkv7UnpackAVX2(x []float32, steps []wkv7Block, n, vector, N, T, stride, ahead int) {
	wkv7UnpackRowsAVX2(&steps[0][vector][0], at(x), n, T, stride, ahead)
}

func wkv7FetchAVX2(x []float32, N, T, stride int) {
	wkv7FetchRowsAVX2(at(x), T, stride, (N+15)/16)
}
