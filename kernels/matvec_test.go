package kernels

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"
)

var dtypes = []DType{F32, BF16, F16, Q8_0, Q4_0}

func normals(n int, seed uint64, scale float64) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(scale * r.NormFloat64())
	}
	return x
}

// matVecInputs returns x as the kernel of a type reads it.
func matVecInputs(t DType, x []float32) []float64 {
	if t != Q8_0 && t != Q4_0 {
		return widen(x)
	}
	q := make([]actBlock, len(x)/blockSize)
	quantiseInputsGeneric(q, x)
	v := make([]float64, len(x))
	for k := range v {
		v[k] = float64(q[k/blockSize].d) * float64(q[k/blockSize].q[k%blockSize])
	}
	return v
}

// testMatVec compares every implementation with a float64 loop over the stored
// weights and x as the kernel reads it. Small vectors lie off floats into
// guarded buffers.
func testMatVec(t *testing.T, d DType, M, N, K, off int) {
	t.Helper()
	const guard = 5
	buf := append(make([]float32, off), normals(N*K, 1, 1)...)
	m, err := NewMatrix(d, buf[off:], N, K)
	if err != nil {
		t.Fatal(err)
	}
	x := append(make([]float32, off), normals(M*K, 2, 1)...)[off:]
	want, size := make([]float64, M*N), make([]float64, M*N)
	row := make([]float32, K)
	for n := range N {
		m.Row(row, n)
		for i := range M {
			xs := widen(x[i*K : (i+1)*K])
			if M <= fewRows(d) {
				xs = matVecInputs(d, x[i*K:(i+1)*K])
			}
			for k, w := range row {
				p := float64(w) * xs[k]
				want[i*N+n] += p
				size[i*N+n] += math.Abs(p)
			}
		}
	}
	eachImpl(t, func(impl string) {
		y := make([]float32, off+M*N+guard)
		poison(y)
		if M == 1 {
			MulVec(y[off:off+N], m, x)
		} else {
			MulMat(y[off:off+M*N], x, m, M)
		}
		what := fmt.Sprintf("%s %s M=%d N=%d K=%d off=%d", impl, d, M, N, K, off)
		checkProduct(t, what, y[off:off+M*N], N, M, N, want, size)
		if d == F32 && M == 1 {
			v := y[off : off+N]
			poison(v)
			MatVec(v, buf[off:], x, N, K)
			checkProduct(t, what+" MatVec", v, N, 1, N, want, size)
		}
		for i, v := range y {
			if (i < off || i >= off+M*N) && v == v {
				t.Fatalf("%s: wrote %v outside of y, at %d", what, v, i-off)
			}
		}
	})
}

func TestMatVec(t *testing.T) {
	for _, d := range dtypes {
		t.Run(d.String(), func(t *testing.T) {
			for K := 0; K <= 130; K++ {
				if _, err := rowBytes(d, K); err != nil {
					continue
				}
				for N := 0; N <= 70; N++ {
					testMatVec(t, d, 1, N, K, (N+K)%4)
				}
			}
			for _, s := range [][2]int{{257, 768}, {33, 4096}, {300, 160}, {64, 2048}, {1001, 416}, {9, 3072}} {
				testMatVec(t, d, 1, s[0], s[1], 1)
			}
			for K := 32; K <= 4096; K += 224 {
				testMatVec(t, d, 1, 75, K, 2)
			}
		})
	}
}

// TestMatVecStale checks that nothing of an earlier input remains.
func TestMatVecStale(t *testing.T) {
	nans := make([]float32, 96)
	poison(nans)
	for _, d := range dtypes[:3] {
		before, err := NewMatrix(d, normals(8*91, 1, 1), 8, 91)
		if err != nil {
			t.Fatal(err)
		}
		eachImpl(t, func(string) {
			MulVec(make([]float32, 8), before, nans[:91])
			testMatVec(t, d, 1, 8, 83, 0)
		})
	}
}

func TestMulMat(t *testing.T) {
	for _, d := range dtypes {
		t.Run(d.String(), func(t *testing.T) {
			for _, s := range [][3]int{{0, 5, 32}, {2, 0, 32}, {2, 70, 0}, {9, 70, 0}, {2, 70, 96}, {3, 9, 64}, {4, 201, 32},
				{5, 193, 96}, {8, 7, 64}, {16, 400, 288}, {17, 5, 32}, {37, 213, 320}, {200, 192, 128}, {17, 700, 4096}} {
				testMatVec(t, d, s[0], s[1], s[2], 1)
			}
			if d != Q8_0 && d != Q4_0 {
				testMatVec(t, d, 2, 35, 19, 3)
				testMatVec(t, d, 21, 35, 19, 2)
			}
		})
	}
}

// TestMulMatThreads checks that any number of threads gives the same bytes.
func TestMulMatThreads(t *testing.T) {
	const N, K = 1003, 416
	defer SetThreads(Threads())
	eachImpl(t, func(impl string) {
		for _, d := range dtypes {
			m, err := NewMatrix(d, normals(N*K, 1, 1), N, K)
			if err != nil {
				t.Fatal(err)
			}
			for _, M := range []int{1, 3, 40} {
				x := normals(M*K, 2, 1)
				var one []float32
				for threads := 1; threads <= 3; threads++ {
					SetThreads(threads)
					y := make([]float32, M*N)
					MulMat(y, x, m, M)
					if threads == 1 {
						one = y
					} else if !bytes.Equal(rawBytes(one), rawBytes(y)) {
						t.Errorf("%s %s M=%d: %d threads differ from one", impl, d, M, threads)
					}
				}
			}
		}
	})
}

func rawBytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

func TestMulMatAllocs(t *testing.T) {
	if testing.Short() {
		t.Skip("says nothing of another processor")
	}
	skipIfPoolsLeak(t)
	const N, K = 300, 416 // rows that are not whole chunks
	for _, d := range dtypes {
		m, err := NewMatrix(d, normals(N*K, 1, 1), N, K)
		if err != nil {
			t.Fatal(err)
		}
		for _, M := range []int{1, 3, 40} {
			x, y := normals(M*K, 2, 1), make([]float32, M*N)
			if a := testing.AllocsPerRun(50, func() { MulMat(y, x, m, M) }); a >= 1 {
				t.Errorf("%s M=%d: %v allocations a call", d, M, a)
			}
		}
	}
}

// TestMulVecError bounds the error of storage types and quantised inputs
// against float32: the relative root mean square error of the product, for
// normal weights and inputs.
func TestMulVecError(t *testing.T) {
	const N, K = 512, 1024
	w, x := normals(N*K, 1, 0.02), normals(K, 2, 1)
	for d, bound := range map[DType][2]float64{F32: {0, 3e-7}, BF16: {1e-3, 2.2e-3}, F16: {1e-4, 2.8e-4}, Q8_0: {4e-3, 8e-3}, Q4_0: {0.05, 0.1}} {
		m, err := NewMatrix(d, w, N, K)
		if err != nil {
			t.Fatal(err)
		}
		y := make([]float32, N)
		MulVec(y, m, x)
		var wrong, all float64
		for n := range N {
			var want float64
			for k, v := range x {
				want += float64(v) * float64(w[n*K+k])
			}
			wrong += (float64(y[n]) - want) * (float64(y[n]) - want)
			all += want * want
		}
		rms := math.Sqrt(wrong / all)
		t.Logf("%s: %.3g", d, rms)
		if !(rms >= bound[0] && rms <= bound[1]) {
			t.Errorf("%s: error %.3g is not in %v", d, rms, bound)
		}
	}
}

// decodeChain returns the matrices that an RWKV-4 169M reads for a token,
// repeated until they are far larger than the caches.
func decodeChain(b *testing.B, d DType) (chain []*Matrix, bytes int) {
	const C, F, V, least = 768, 3072, 50277, 450 << 20
	w := make([]float32, V*C)
	for i, state := 0, uint32(1); i < len(w); i++ {
		state = state*1664525 + 1013904223
		w[i] = float32(int32(state)) * 0x1p-36
	}
	for bytes < least {
		shapes := [][2]int{{V, C}}
		for range 12 {
			shapes = append(shapes, [2]int{C, C}, [2]int{C, C}, [2]int{C, C}, [2]int{C, C}, [2]int{C, C}, [2]int{F, C}, [2]int{C, F})
		}
		for _, s := range shapes {
			own := w[:s[0]*s[1]]
			if d == F32 {
				own = append(buffer[float32](s[0] * s[1])[:0], own...)
			}
			m, err := NewMatrix(d, own, s[0], s[1])
			if err != nil {
				b.Fatal(err)
			}
			chain, bytes = append(chain, m), bytes+m.Bytes()
		}
	}
	return chain, bytes
}

// BenchmarkDecodeChain reports the share of the read bandwidth: products over
// the chain and plain reads in turn, median by median and best by best.
func BenchmarkDecodeChain(b *testing.B) {
	roof := buffer[float32](64 << 20)
	for i := range roof {
		roof[i] = float32(i & 7)
	}
	read := func() float64 {
		start := time.Now()
		readChunks(roof)
		return 4 * float64(len(roof)) / float64(time.Since(start))
	}
	for _, d := range dtypes {
		b.Run(d.String(), func(b *testing.B) {
			chain, bytes := decodeChain(b, d)
			x, y := normals(3072, 4, 1), make([]float32, 50277)
			var chains, reads []float64
			b.ResetTimer()
			for b.Loop() {
				start := time.Now()
				for _, m := range chain {
					MulVec(y[:m.N], m, x[:m.K])
				}
				chains = append(chains, float64(bytes)/float64(time.Since(start)))
				reads = append(reads, read())
			}
			slices.Sort(chains)
			slices.Sort(reads)
			n := len(reads)
			b.ReportMetric(chains[n/2], "GB/s")
			b.ReportMetric(reads[n/2], "roofGB/s")
			b.ReportMetric(chains[n/2]/reads[n/2], "share")
			b.ReportMetric(chains[n-1]/reads[n-1], "bestshare")
		})
	}
}

// BenchmarkMulMat reports how much longer the matrices of a layer take in a
// type than in float32, in turn, for few rows and for prefill.
func BenchmarkMulMat(b *testing.B) {
	for _, M := range []int{2, 4, 8, 16, 512} {
		for _, s := range [][2]int{{768, 768}, {3072, 768}, {768, 3072}} {
			N, K := s[0], s[1]
			w, x, y := normals(N*K, 1, 1), normals(M*K, 2, 1), make([]float32, M*N)
			f, err := NewMatrix(F32, w, N, K)
			if err != nil {
				b.Fatal(err)
			}
			for _, d := range dtypes[1:] {
				m, err := NewMatrix(d, w, N, K)
				if err != nil {
					b.Fatal(err)
				}
				b.Run(fmt.Sprintf("%s/M=%d/%dx%d", d, M, N, K), func(b *testing.B) {
					var ratios []float64
					for b.Loop() {
						start := time.Now()
						MulMat(y, x, f, M)
						between := time.Now()
						MulMat(y, x, m, M)
						ratios = append(ratios, float64(time.Since(between))/float64(between.Sub(start)))
					}
					slices.Sort(ratios)
					b.ReportMetric(ratios[len(ratios)/2], "×f32")
				})
			}
		}
	}
}
