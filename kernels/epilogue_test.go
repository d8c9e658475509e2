package kernels

import (
	"fmt"
	"slices"
	"testing"
)

// epilogues are the epilogues of a product [M,N]: all combinations of parts or,
// for a large product, those with every part.
func epilogues(M, N int) (all []Epilogue) {
	first := 0
	if M*N > 1e5 {
		first = 15
	}
	r := func(n int, seed uint64) []float32 {
		x := make([]float32, n)
		for i, v := range randoms(n, seed) {
			x[i] = float32(3 * v)
		}
		return x
	}
	for bits := first; bits < 16; bits++ {
		for f := Identity; f <= ActGELUTanh; f++ {
			e := Epilogue{F: f}
			if bits&1 != 0 {
				e.Bias = r(N, 11)
			}
			if bits&2 != 0 {
				e.Gate = r(M*N, 12)
			}
			if bits&4 != 0 {
				e.Residual = r(M*N, 13)
			}
			if bits&8 != 0 {
				e.Raw = make([]float32, M*N)
			}
			all = append(all, e)
		}
	}
	return all
}

// stepwise applies e by separate operations; the second result is raw.
func stepwise(e Epilogue, c []float32, M, N int) (y, raw []float32) {
	y = slices.Clone(c)
	if e.Bias != nil {
		for m := range M {
			Accumulate(y[m*N:(m+1)*N], e.Bias)
		}
	}
	if e.Raw != nil {
		raw = slices.Clone(y)
	}
	switch e.F {
	case ActReLUSq:
		ReLUSq(y, y)
	case ActGELU:
		GELU(y, y)
	case ActGELUTanh:
		GELUTanh(y, y)
	}
	if e.Gate != nil {
		SigmoidMul(y, e.Gate, y)
	}
	if e.Residual != nil {
		Accumulate(y, e.Residual)
	}
	return y, raw
}

// TestEpilogue compares every product algorithm with an epilogue, to the bit,
// with the product followed by separate operations.
func TestEpilogue(t *testing.T) {
	defer SetThreads(Threads())
	for _, d := range [][3]int{{1, 7, 5}, {5, 49, 33}, {32, 65, 40}, {37, 130, 70}, {257, 100, 31}, {300, 70, 1100}, {260, 4100, 1100}, {3, 4, 0}} {
		M, N, K := d[0], d[1], d[2]
		eachImpl(t, func(impl string) {
			if impl == "generic" && M*N*K > 1e6 {
				return
			}
			for threads := 1; threads <= 2; threads++ {
				SetThreads(threads)
				a, b := strewn(randoms(M*K, 1), M, K, K, 0)[:M*K], strewn(randoms(N*K, 2), N, K, K, 0)[:N*K]
				plain, c := make([]float32, M*N), make([]float32, M*N)
				MatMulNT(plain, a, b, M, N, K, false)
				for _, e := range epilogues(M, N) {
					what := fmt.Sprintf("%s M=%d N=%d K=%d threads=%d bias=%v raw=%v f=%d gate=%v residual=%v", impl, M, N, K, threads,
						e.Bias != nil, e.Raw != nil, e.F, e.Gate != nil, e.Residual != nil)
					poison(c)
					MatMulNTThen(c, a, b, M, N, K, e)
					want, raw := stepwise(e, plain, M, N)
					if !slices.Equal(c, want) || !slices.Equal(e.Raw, raw) {
						t.Fatalf("%s: differs from the separate operations", what)
					}
					copy(c, plain)
					if e.Apply(c, M, N); !slices.Equal(c, want) || !slices.Equal(e.Raw, raw) {
						t.Fatalf("%s: Apply differs from the separate operations", what)
					}
				}
			}
		})
	}
}

// TestEpilogueOfStored is TestEpilogue for stored weights, with few and with
// many rows, and more than one strip.
func TestEpilogueOfStored(t *testing.T) {
	const N, K = 300, 32 * 288
	w := strewn(randoms(N*K, 1), N, K, K, 0)[:N*K]
	x := strewn(randoms(20*K, 2), 20, K, K, 0)[:20*K]
	for typ := F32; typ <= Q4_0; typ++ {
		m, err := NewMatrix(typ, w, N, K)
		if err != nil {
			t.Fatal(err)
		}
		for _, M := range []int{1, 3, 20} {
			plain, c := make([]float32, M*N), make([]float32, M*N)
			MulMat(plain, x[:M*K], m, M)
			all := epilogues(M, N)
			e := all[len(all)-1]
			MulMatThen(c, x[:M*K], m, M, e)
			if want, raw := stepwise(e, plain, M, N); !slices.Equal(c, want) || !slices.Equal(e.Raw, raw) {
				t.Errorf("%s, %d rows: differs from the separate operations", typ, M)
			}
		}
	}
}

func TestActivationGrad(t *testing.T) {
	x, dy := strewn(randoms(37, 1), 1, 37, 37, 0)[:37], strewn(randoms(37, 2), 1, 37, 37, 0)[:37]
	for f, grad := range map[Activation]func(dx, dy, x []float32){Identity: func(dx, dy, _ []float32) { Accumulate(dx, dy) },
		ActReLUSq: ReLUSqGrad, ActGELU: GELUGrad, ActGELUTanh: GELUTanhGrad} {
		got, want := slices.Clone(x), slices.Clone(x)
		f.Grad(got, dy, x)
		if grad(want, dy, x); !slices.Equal(got, want) {
			t.Errorf("the gradient of activation %d is wrong", f)
		}
	}
}
