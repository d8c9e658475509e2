package kernels

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// layout is one of the three products, dense or strided.
type layout struct {
	name    string
	dense   func(c, a, b []float32, M, N, K int, acc bool)
	strided func(c []float32, ldc int, a []float32, lda int, b []float32, ldb int, M, N, K int, acc bool)
	a, b    func(M, N, K int) (rows, cols int)
	at      func(a, b []float64, M, N, K, m, n, k int) float64 // an element of a times one of b
}

var layouts = []layout{
	{"NT", MatMulNT, func(c []float32, ldc int, a []float32, lda int, b []float32, ldb int, M, N, K int, acc bool) {
		product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: ldc, am: lda, ak: 1, bk: 1, bn: ldb, acc: acc}.run()
	},
		func(M, N, K int) (int, int) { return M, K }, func(M, N, K int) (int, int) { return N, K },
		func(a, b []float64, M, N, K, m, n, k int) float64 { return a[m*K+k] * b[n*K+k] }},
	{"NN", MatMulNN, func(c []float32, ldc int, a []float32, lda int, b []float32, ldb int, M, N, K int, acc bool) {
		product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: ldc, am: lda, ak: 1, bk: ldb, bn: 1, acc: acc}.run()
	},
		func(M, N, K int) (int, int) { return M, K }, func(M, N, K int) (int, int) { return K, N },
		func(a, b []float64, M, N, K, m, n, k int) float64 { return a[m*K+k] * b[k*N+n] }},
	{"TN", MatMulTN, func(c []float32, ldc int, a []float32, lda int, b []float32, ldb int, M, N, K int, acc bool) {
		product{c: c, a: a, b: b, M: M, N: N, K: K, ldc: ldc, am: 1, ak: lda, bk: ldb, bn: 1, acc: acc}.run()
	},
		func(M, N, K int) (int, int) { return K, M }, func(M, N, K int) (int, int) { return K, N },
		func(a, b []float64, M, N, K, m, n, k int) float64 { return a[k*M+m] * b[k*N+n] }},
}

// eachImpl runs f under every implementation this machine has.
func eachImpl(t testing.TB, f func(impl string)) {
	before := Impl()
	defer Use(before)
	for _, impl := range Impls() {
		if err := Use(impl); err != nil {
			t.Fatal(err)
		}
		f(impl)
	}
}

// strewn copies a matrix [rows,cols] into rows ld floats apart, off floats into
// a buffer that is NaN elsewhere.
func strewn(x []float64, rows, cols, ld, off int) []float32 {
	buf := make([]float32, off+max(0, rows-1)*ld+cols+9)
	poison(buf)
	for r := range rows {
		for c := range cols {
			buf[off+r*ld+c] = float32(x[r*cols+c])
		}
	}
	return buf[off:]
}

func randoms(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(float32(r.Float64()*2 - 1))
	}
	return x
}

// testProduct compares every implementation with one float64 loop.
func testProduct(t *testing.T, l layout, M, N, K, pad, off int, acc bool) {
	t.Helper()
	ar, ac := l.a(M, N, K)
	br, bc := l.b(M, N, K)
	a, b, c0 := randoms(ar*ac, 1), randoms(br*bc, 2), randoms(M*N, 3)
	want, size := make([]float64, M*N), make([]float64, M*N)
	for m := range M {
		for n := range N {
			for k := range K {
				p := l.at(a, b, M, N, K, m, n, k)
				want[m*N+n] += p
				size[m*N+n] += math.Abs(p)
			}
			if acc {
				want[m*N+n] += c0[m*N+n]
				size[m*N+n] += math.Abs(c0[m*N+n])
			}
		}
	}
	x, y := strewn(a, ar, ac, ac+pad, off), strewn(b, br, bc, bc+pad, off)
	eachImpl(t, func(impl string) {
		what := fmt.Sprintf("%s %s M=%d N=%d K=%d pad=%d off=%d acc=%v", impl, l.name, M, N, K, pad, off, acc)
		c := strewn(c0, M, N, N+pad, off)
		if !acc {
			poison(c)
		}
		l.strided(c, N+pad, x, ac+pad, y, bc+pad, M, N, K, acc)
		checkProduct(t, what+" strided", c, N+pad, M, N, want, size)
		if pad == 0 {
			c := strewn(c0, M, N, N, off)
			if !acc {
				poison(c)
			}
			l.dense(c[:M*N], x[:ar*ac], y[:br*bc], M, N, K, acc)
			checkProduct(t, what, c, N, M, N, want, size)
		}
	})
}

func poison(x []float32) {
	for i := range x {
		x[i] = float32(math.NaN())
	}
}

// checkProduct compares within the rounding of K sums, and checks that nothing
// between the rows was written.
func checkProduct(t *testing.T, what string, c []float32, ldc, M, N int, want, size []float64) {
	t.Helper()
	for i, v := range c {
		m, n := 0, i
		if ldc > 0 {
			m, n = i/ldc, i%ldc
		}
		if m >= M || n >= N {
			if !math.IsNaN(float64(v)) {
				t.Fatalf("%s: wrote outside, at row %d column %d", what, m, n)
			}
		} else if d := math.Abs(float64(v) - want[m*N+n]); !(d <= 1e-6*size[m*N+n]+1e-7) {
			t.Fatalf("%s: c[%d,%d] = %v, want %v", what, m, n, v, want[m*N+n])
		}
	}
}

// TestMatMul combines all small sizes, and larger ones while the product is
// short: remainders of tiles, of vectors, of blocks of rows and of k.
func TestMatMul(t *testing.T) {
	const longest = 20_000
	sizes := []int{31, 32, 33, 63, 64, 65, 100, 257, 530}
	for n := 20; n >= 0; n-- {
		sizes = append(sizes, n)
	}
	for _, l := range layouts {
		for i, M := range sizes {
			for j, N := range sizes {
				for k, K := range sizes {
					if M*N*K > longest || max(M, N, K) > 20 && (i+j+k)%3 != 0 {
						continue
					}
					h := i*7 + j*5 + k*3
					testProduct(t, l, M, N, K, h%3, h%4, h%5 < 2)
				}
			}
		}
		testProduct(t, l, 197, 150, 531, 0, 1, true)
	}
}

// TestMatMulThreads checks that any number of threads gives the same bytes.
func TestMatMulThreads(t *testing.T) {
	defer SetThreads(Threads())
	eachImpl(t, func(impl string) {
		for _, l := range layouts {
			for _, d := range [][3]int{{300, 270, 300}, {1, 1000, 300}, {5, 1000, 300}, {40, 40, 40}} {
				M, N, K := d[0], d[1], d[2]
				a, b := strewn(randoms(M*K, 1), 1, M*K, 0, 0)[:M*K], strewn(randoms(N*K, 2), 1, N*K, 0, 0)[:N*K]
				var first []byte
				for _, threads := range []int{1, 2, 3, 7} {
					SetThreads(threads)
					c := make([]float32, M*N)
					l.dense(c, a, b, M, N, K, false)
					got := unsafe.Slice((*byte)(unsafe.Pointer(&c[0])), 4*len(c))
					if first == nil {
						first = bytes.Clone(got)
					} else if !bytes.Equal(first, got) {
						t.Errorf("%s %s %v: %d threads give other bytes than 1", impl, l.name, d, threads)
					}
				}
			}
		}
	})
}

// TestMatMulFromManyGoroutines checks that callers that share the pool and its
// scratch do not affect each other's results.
func TestMatMulFromManyGoroutines(t *testing.T) {
	defer SetThreads(Threads())
	SetThreads(3)
	const size = 100 * 300
	x, y := strewn(randoms(size, 1), 1, size, 0, 0)[:size], strewn(randoms(size, 2), 1, size, 0, 0)[:size]
	eachImpl(t, func(impl string) {
		var wg sync.WaitGroup
		for g := range 6 {
			l, M, N, K := layouts[g%3], 40+g*9, 100-g*7, 300
			want, row := make([]float32, M*N), make([]float32, N)
			l.strided(want, N, x, cols(l.a(M, N, K)), y, cols(l.b(M, N, K)), M, N, K, false)
			MatVec(row, y[:N*K], x[:K], N, K)
			wg.Go(func() {
				c := make([]float32, M*N)
				for range 15 {
					poison(c)
					l.dense(c, x[:M*K], y[:N*K], M, N, K, false)
					if !slices.Equal(c, want) {
						t.Errorf("%s %s [%d,%d]: other values than alone", impl, l.name, M, N)
						return
					}
					MatVec(c[:N], y[:N*K], x[:K], N, K)
					if !slices.Equal(c[:N], row) {
						t.Errorf("%s MatVec [%d]: other values than alone", impl, N)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func cols(_, n int) int { return n }

// TestProductFits checks that a matrix of the wrong size panics.
func TestProductFits(t *testing.T) {
	x := make([]float32, 20)
	for name, f := range map[string]func(){
		"too few of b":  func() { MatMulTN(x[:16], x[:16], x[:15], 4, 4, 4, false) },
		"negative rows": func() { MatMulNT(x[:0], x[:0], x[:16], -1, 4, 4, false) },
		"c too long":    func() { MatMulNT(x[:17], x[:16], x[:16], 4, 4, 4, false) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func TestMatMulAllocs(t *testing.T) {
	if testing.Short() {
		t.Skip("says nothing of another processor")
	}
	skipIfPoolsLeak(t)
	const n = 256
	x, c := make([]float32, n*n), make([]float32, n*n)
	eachImpl(t, func(impl string) {
		for _, l := range layouts {
			if got := testing.AllocsPerRun(20, func() { l.dense(c, x, x, n, n, n, false) }); got > 0.5 {
				t.Errorf("%s %s allocates %v times", impl, l.name, got)
			}
		}
		if got := testing.AllocsPerRun(20, func() { MatVec(c[:n], x, x[:n], n, n) }); got > 0.5 {
			t.Errorf("%s MatVec allocates %v times", impl, got)
		}
	})
}

// TestPoolFromManyGoroutines checks that callers that find the pool busy run
// alone, and that every chunk runs exactly once.
func TestPoolFromManyGoroutines(t *testing.T) {
	defer SetThreads(Threads())
	SetThreads(3)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for round := range 300 {
				seen := make([]int32, round%50)
				For(len(seen), func(i int) {
					seen[i]++
					if round%10 == 0 {
						For(3, func(int) { runtime.Gosched() })
					}
				})
				if slices.ContainsFunc(seen, func(n int32) bool { return n != 1 }) {
					t.Errorf("chunks ran %v times", seen)
					return
				}
				if round%100 == 99 {
					time.Sleep(3 * spinFor)
				}
			}
		})
	}
	wg.Wait()
}

func TestUse(t *testing.T) {
	defer Use(Impl())
	if err := Use("avx9"); err == nil || Impl() == "avx9" {
		t.Error("an unknown implementation is accepted")
	}
	if err := Use("generic"); err != nil || Impl() != "generic" {
		t.Errorf("generic is refused: %v", err)
	}
}

func TestReadChunks(t *testing.T) {
	x := make([]float32, 3<<18)
	for i := range x {
		x[i] = 1
	}
	eachImpl(t, func(impl string) {
		defer SetThreads(Threads())
		for _, threads := range []int{1, 2} {
			SetThreads(threads)
			if got := readChunks(x); got != float32(len(x)) {
				t.Errorf("%s: %d threads read %v of %d", impl, threads, got, len(x))
			}
		}
	})
}

func BenchmarkMatMul(b *testing.B) {
	for _, d := range [][3]int{{2048, 256, 256}, {2048, 1024, 256}, {2048, 256, 1024}, {1024, 512, 512}, {256, 256, 2048}, {16, 256, 256}, {8, 512, 512}, {4, 512, 512}, {1, 1024, 256}} {
		M, N, K := d[0], d[1], d[2]
		x, y, c := make([]float32, M*K), make([]float32, N*K), make([]float32, M*N)
		for _, impl := range Impls() {
			for _, l := range layouts {
				b.Run(fmt.Sprintf("op=%s/impl=%s/M=%d/N=%d/K=%d", l.name, impl, M, N, K), func(b *testing.B) {
					defer Use(Impl())
					Use(impl)
					for b.Loop() {
						l.dense(c, x, y, M, N, K, false)
					}
					b.ReportMetric(float64(b.N)*float64(2*M*N*K)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
		}
	}
}

func BenchmarkFMAPeak(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			defer SetThreads(Threads())
			SetThreads(threads)
			for b.Loop() {
			}
			b.ReportMetric(FMAPeak(time.Second), "GFLOP/s")
		})
	}
}
