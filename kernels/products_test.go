package kernels

import (
	"math"
	"slices"
	"testing"
)

// someProducts are products of M rows, of several sizes, with and without
// epilogues, of type d where rows are whole blocks.
func someProducts(t *testing.T, d DType, M int) (p []Product) {
	for i, s := range [][2]int{{768, 96}, {96, 96}, {5, 64}, {300, 32}, {1, 7}, {0, 32}} {
		N, K := s[0], s[1]
		as := d
		if K%blockSize != 0 {
			as = F16
		}
		w := normals(N*K, uint64(i), 1)
		m, err := NewMatrix(as, w, N, K)
		if err != nil {
			t.Fatal(err)
		}
		if d == F32 {
			f := Floats(w, N, K)
			m = &f
		}
		q := Product{Y: make([]float32, M*N), X: normals(M*K, uint64(20+i), 1), W: *m}
		if i%2 == 1 {
			q.Then = Epilogue{Bias: normals(N, 40, 1), F: ActReLUSq, Residual: normals(M*N, 50, 1)}
		}
		poison(q.Y)
		p = append(p, q)
	}
	return p
}

// TestMulMats checks that MulMats gives the bytes of separate products, at any
// number of threads.
func TestMulMats(t *testing.T) {
	before := Threads()
	t.Cleanup(func() { SetThreads(before) })
	eachImpl(t, func(impl string) {
		for _, d := range dtypes {
			for _, M := range []int{0, 1, 3, 20} {
				want := someProducts(t, d, M)
				for i := range want {
					MulMatThen(want[i].Y, want[i].X, &want[i].W, M, want[i].Then)
				}
				for threads := 1; threads <= 3; threads++ {
					SetThreads(threads)
					got := someProducts(t, d, M)
					MulMats(got, M)
					for i := range got {
						if !slices.Equal(got[i].Y, want[i].Y) {
							t.Errorf("%s %s M=%d, %d threads: product %d differs", impl, d, M, threads, i)
						}
					}
				}
			}
		}
	})
}

func TestMulMatsAllocs(t *testing.T) {
	for _, d := range dtypes {
		p := someProducts(t, d, 1)
		n := math.Inf(1)
		for range 3 { // a garbage collection in between would empty the pools of scratch
			n = min(n, testing.AllocsPerRun(10, func() { MulMats(p, 1) }))
		}
		if n >= 1 {
			t.Errorf("%s: %v allocations", d, n)
		}
	}
}

func TestMulMatsPanics(t *testing.T) {
	for name, p := range map[string][]Product{
		"too many": make([]Product, MaxProducts+1),
		"short y":  {{Y: make([]float32, 2), X: make([]float32, 4), W: Floats(make([]float32, 12), 3, 4)}},
		"bias":     {{Y: make([]float32, 3), X: make([]float32, 4), W: Floats(make([]float32, 12), 3, 4), Then: Epilogue{Bias: make([]float32, 2)}}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			MulMats(p, 1)
		})
	}
}
