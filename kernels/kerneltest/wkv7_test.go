package kerneltest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"workbench/kernels"
)

// asModel gives a call of wkv7Op inputs as in a model: decays above e^-e^-0.5,
// a = -κ̂ of length 1, b = κ̂⊙rate.
func asModel(c *call) {
	N := c.d[3]
	w, a, b := c.in[0], c.in[4], c.in[5]
	sigmoid := func(x float32) float64 { return 1 / (1 + math.Exp(-4*float64(x))) }
	for at := 0; at < len(a); at += N {
		var norm float64
		for _, x := range a[at : at+N] {
			norm += float64(x) * float64(x)
		}
		for i := at; i < at+N; i++ {
			w[i] = float32(-math.Exp(-0.5) * sigmoid(w[i]+1))
			a[i] = float32(float64(a[i]) / math.Sqrt(norm))
			b[i] = float32(-float64(a[i]) * sigmoid(b[i]))
		}
	}
}

func wkv7Run(c *call, sa []float32) {
	kernels.WKV7(c.out[0], c.out[1], sa, wkv7Inputs(c.in), c.d[0], c.d[1], c.d[2], c.d[3])
}

// TestWKV7Long compares thousands of steps of such inputs with float64, forward
// and backward.
func TestWKV7Long(t *testing.T) {
	skipInShort(t)
	underEachImpl(t, func(t *testing.T) {
		for _, state := range []bool{true, false} {
			o := wkv7Op("", state)
			c, _ := o.build([]int{1, 4096, 1, 32}, 4, 1)
			asModel(c)
			e := o.exactOf(c)
			o.run(c)
			for i := range c.out {
				near(t, fmt.Sprint("out ", i), c.out[i], e.out[i], 2e-6)
			}
			before := make([][]float64, len(c.in))
			for _, i := range o.wrt {
				before[i] = widen(c.din[i])
			}
			o.grad(c)
			for _, i := range o.wrt {
				o.compareGrad(t, c, e, i, before[i])
			}
		}
	})
}

// TestWKV7Range runs decays from none to complete, and large and tiny keys and
// values.
func TestWKV7Range(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, w := range [][2]float64{{0, 0}, {-1e-3, 0}, {-0.6066, 0}, {-30, -30}, {-200, 0}} {
			for _, size := range []float64{1e-12, 1, 1e6} {
				if w[0] < -1 && size < 1 {
					continue // a state that decays to nothing has no scale for the tolerance
				}
				o := wkv7Op("", true)
				inputs := o.inputs
				o.inputs = func(d []int) []array {
					a := inputs(d)
					a[0].value = uniform(w[0], w[1])
					for _, i := range []int{2, 3} {
						a[i].value = func(r *rand.Rand) float64 { return size * r.NormFloat64() }
					}
					return a
				}
				t.Run(fmt.Sprintf("w=%v/size=%v", w, size), func(t *testing.T) {
					o.testForward(t, []int{1, 50, 2, 64}, 1)
					o.testForward(t, []int{1, 20, 1, 21}, 3)
					if size == 1 {
						o.testGrad(t, []int{1, 20, 1, 21}, 1)
						o.testGrad(t, []int{1, 35, 1, 64}, 3)
					}
				})
			}
		}
	})
}

// TestWKV7Chunks checks that pieces of every length give the same bytes, with
// and without sa.
func TestWKV7Chunks(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, N := range []int{1, 13, 24, 64} {
			const T, H = 50, 2
			o, C := wkv7Op("", true), H*N
			whole, _ := o.build([]int{1, T, H, N}, 1, 0)
			o.run(whole)
			for piece := 1; piece <= T; piece++ {
				c, _ := o.build([]int{1, T, H, N}, 1, 1)
				for from := 0; from < T; from += piece {
					n := min(piece, T-from)
					part := &call{d: []int{1, n, H, N}}
					for i, x := range c.in {
						if i < 6 {
							x = x[from*C : (from+n)*C]
						}
						part.in = append(part.in, x)
					}
					part.out = [][]float32{c.out[0][from*C : (from+n)*C], c.out[1]}
					var sa []float32
					if piece%2 == 1 {
						sa = c.out[2][from*C : (from+n)*C]
					}
					wkv7Run(part, sa)
				}
				for i := range c.out {
					if (i < 2 || piece%2 == 1) && !bytes.Equal(bytesOf(c.out[i]), bytesOf(whole.out[i])) {
						t.Fatalf("N = %d: output %d differs in pieces of %d", N, i, piece)
					}
				}
			}
		}
	})
}

// TestWKV7GradAlone checks that each gradient is the same when the others are
// nil, and that a nil state equals a state of zeros.
func TestWKV7GradAlone(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, d := range [][]int{{2, 37, 2, 16}, {1, 7, 2, 21}} {
			o := wkv7Op("", false)
			grad := func(c *call, dx [][]float32, s0 []float32) {
				kernels.WKV7Grad(wkv7Inputs(dx), c.dout[0], s0, c.out[2], wkv7Inputs(c.in), d[0], d[1], d[2], d[3])
			}
			whole, _ := o.build(d, 1, 0)
			o.run(whole)
			grad(whole, whole.din, nil)
			for _, i := range o.wrt {
				alone, _ := o.build(d, 1, 0)
				o.run(alone)
				one := make([][]float32, len(alone.din))
				one[i] = alone.din[i]
				grad(alone, one, alone.in[6])
				if !slices.Equal(one[i], whole.din[i]) {
					t.Errorf("%v: gradient of input %d differs alone", d, i)
				}
			}
		}
	})
}

// TestWKV7Panics checks that wrong shapes panic with the package's prefix.
func TestWKV7Panics(t *testing.T) {
	x := func(n int) []float32 { return make([]float32, n) }
	in := kernels.WKV7Inputs{W: x(4), R: x(4), K: x(4), V: x(4), A: x(4), B: x(4)}
	long := in
	long.B = x(5)
	for name, f := range map[string]func(){
		"s":  func() { kernels.WKV7(x(4), x(3), nil, in, 1, 2, 1, 2) },
		"sa": func() { kernels.WKV7(x(4), x(4), x(2), in, 1, 2, 1, 2) },
		"b":  func() { kernels.WKV7(x(4), x(4), nil, long, 1, 2, 1, 2) },
		"kept": func() {
			kernels.WKV7Grad(kernels.WKV7Inputs{}, x(4), nil, nil, in, 1, 2, 1, 2)
		},
		"dv": func() {
			kernels.WKV7Grad(kernels.WKV7Inputs{V: x(3)}, x(4), nil, x(4), in, 1, 2, 1, 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, ok := recover().(string); !ok || len(s) < 9 || s[:9] != "kernels: " {
					t.Errorf("panic %q", s)
				}
			}()
			f()
		})
	}
}
