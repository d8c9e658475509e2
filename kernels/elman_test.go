package kernels

import (
	"slices"
	"testing"
)

// TestElmanThreads: rows of their own for every thread and columns shared by
// all give the same numbers, and so do texts alone and in a batch of whole
// groups.
func TestElmanThreads(t *testing.T) {
	defer SetThreads(Threads())
	const T = 3
	for _, d := range [][2]int{{1, 40}, {4, 260}, {8, 100}, {9, 100}, {7, 371}, {32, 64}} {
		B, H := d[0], d[1]
		eachImpl(t, func(impl string) {
			x, w, h0 := strewn(randoms(B*T*H, 1), 1, B*T*H, 0, 0)[:B*T*H], strewn(randoms(H*H, 2), 1, H*H, 0, 0)[:H*H], strewn(randoms(B*H, 3), 1, B*H, 0, 0)[:B*H]
			Scale(w, 0.1)
			var want [4][]float32
			for threads := 1; threads <= 3; threads++ {
				SetThreads(threads)
				var got [4][]float32
				got[1] = slices.Clone(h0)
				for i, n := range map[int]int{0: B * T * H, 2: B * T * H, 3: H * H} {
					got[i] = make([]float32, n)
				}
				Elman(got[0], x, w, got[1], B, T, H)
				ElmanGrad(got[2], got[3], x, got[0], w, h0, B, T, H)
				if threads == 1 {
					want = got
				}
				for i := range got {
					if !slices.Equal(got[i], want[i]) {
						t.Fatalf("%s B=%d H=%d: result %d differs on %d threads", impl, B, H, i, threads)
					}
				}
			}
		})
	}
}
