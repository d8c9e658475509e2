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

// TestSwiGLULimits checks that gates that overflow an exponential give 0 or the
// gate itself, forward and backward.
func TestSwiGLULimits(t *testing.T) {
	gates := []float64{0, 1e-30, -1e-30, 20, -20, 87, -87, 88, -88, 100, -100, 1e4, -1e4, 1e30, -1e30}
	underEachImpl(t, func(t *testing.T) {
		o := opNamed("swiglu")
		i := 0
		limits := *o
		limits.inputs = func(d []int) []array {
			a := vectors(2, nil)(d)
			a[0].value = func(*rand.Rand) float64 { i++; return gates[i%len(gates)] }
			return a
		}
		limits.testForward(t, []int{61}, 1)
		c, _ := limits.build([]int{61}, 1, 0)
		before := [2][]float64{widen(c.din[0]), widen(c.din[1])}
		limits.grad(c)
		for k := range 2 {
			want := make([]float64, 61)
			for i := range want {
				g, u, dy := float64(c.in[0][i]), float64(c.in[1][i]), float64(c.dout[0][i])
				s := refSigmoid(g)
				want[i] = before[k][i] + []float64{dy * u * (s + g*s*refSigmoid(-g)), dy * g * s}[k]
			}
			near(t, fmt.Sprint("gradient ", k), c.din[k], want, 2e-6)
		}
	})
}

// TestRMSNormLimits checks that rows of any magnitude, and rows of zeros, stay
// exact.
func TestRMSNormLimits(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, size := range []float64{0, 1e-25, 1e-3, 1e9, 1e17} {
			o := rmsNormOp()
			o.inputs = func(d []int) []array {
				a := shaped("mc")(d)
				a[0].value = func(r *rand.Rand) float64 { return size * (1 + r.Float64()) }
				return a
			}
			o.testForward(t, []int{3, 37}, 2)
			c, _ := o.build([]int{3, 37}, 1, 0)
			o.run(c)
			o.grad(c)
			for k, d := range c.din {
				for i, v := range d {
					if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
						t.Fatalf("size %v: gradient %d [%d] is %v", size, k, i, v)
					}
				}
			}
		}
	})
}

// TestRMSNormGradNil checks that each gradient is the same when the other is
// nil.
func TestRMSNormGradNil(t *testing.T) {
	const R, C = 5, 27
	o := rmsNormOp()
	c, _ := o.build([]int{R, C}, 1, 0)
	o.run(c)
	dx, dw := slices.Clone(c.din[0]), slices.Clone(c.din[1])
	o.grad(c)
	kernels.RMSNormGrad(dx, nil, c.dout[0], c.in[0], c.in[1], c.out[1], R, C)
	kernels.RMSNormGrad(nil, dw, c.dout[0], c.in[0], c.in[1], c.out[1], R, C)
	if !slices.Equal(dx, c.din[0]) || !slices.Equal(dw, c.din[1]) {
		t.Error("a gradient differs alone")
	}
}

// TestLongRestLlama is TestLongRest for SwiGLU and the other operations of
// Llama.
func TestLongRestLlama(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, o := range []*Op{rmsNormOp(), swiGLUOp()} {
			for n := 71; n <= 130; n++ {
				d := []int{2, n}
				if len(o.dims[0]) == 1 {
					d = d[1:]
				}
				o.testForward(t, d, n%4)
				o.testGrad(t, d, n%4)
			}
		}
	})
}

// TestRoPEOrders checks that both conventions are one rotation, with channels
// in another order.
func TestRoPEOrders(t *testing.T) {
	const T, H, D, pos, theta = 7, 3, 26, 11, 500
	order := func(i int) int { return i/D*D + i%D/2 + i%2*D/2 } // index in halves of channel i in pairs
	underEachImpl(t, func(t *testing.T) {
		x := randoms(T*H*D, 1)
		pairs := make([]float32, len(x))
		for i := range pairs {
			pairs[i] = x[order(i)]
		}
		s := kernels.RoPEShape{B: 1, T: T, H: H, D: D, Stride: H * D, Pos: pos, Theta: theta}
		kernels.RoPE(x, x, s)
		kernels.RoPEPairs(pairs, pairs, s)
		want := make([]float64, len(x))
		for i := range want {
			want[i] = float64(x[order(i)])
		}
		near(t, "pairs", pairs, want, 3e-7)
	})
}

// TestAttentionLimits checks that scores of ±1e4 select one key of the window
// exactly, for groups of query heads, in tiles and for one token.
func TestAttentionLimits(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, d := range [][]int{{1, 1, 1500, 4, 64, 2, 700}, {1, 1, 77, 2, 16, 1, 0}, {1, 130, 450, 2, 16, 1, 50}, {1, 300, 300, 4, 4, 2, 131}} {
			o := attentionOp("", d[1] == 1)
			inputs, root := o.inputs, math.Sqrt(float64(d[4]))
			// One channel carries the score: q = √D and k a multiple of 1/4.
			o.inputs = func(d []int) []array {
				a := inputs(d)
				i, n, D := 0, 0, d[4]
				a[0].value = func(*rand.Rand) float64 {
					if i++; (i-1)%D == 0 {
						return root
					}
					return 0
				}
				a[1].value = func(r *rand.Rand) float64 {
					if n++; (n-1)%D == 0 {
						return float64(r.IntN(80001)-40000) / 4
					}
					return 0
				}
				return a
			}
			o.testForward(t, d, 1)
			c, _ := o.build(d, 1, 0)
			o.run(c)
			o.grad(c)
			for k, list := range [][][]float32{c.out, c.din} {
				for i, x := range list {
					for _, v := range x {
						if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
							t.Fatalf("%v: output or gradient %d.%d is %v", d, k, i, v)
						}
					}
				}
			}
		}
	})
}

// TestWideWindow checks that a window over all positions, and groups of one
// query head, change no bit.
func TestWideWindow(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, d := range [][]int{{2, 100, 130, 3, 8}, {2, 1, 130, 3, 8}} {
			o := attentionOp("", d[1] == 1)
			plain, _ := o.build(d, 1, 0)
			o.run(plain)
			o.grad(plain)
			for _, more := range [][]int{{3, 0}, {3, 130}, {3, 1 << 40}} {
				c, _ := o.build(append(slices.Clone(d), more...), 1, 0)
				for i := range c.in {
					copy(c.in[i], plain.in[i])
				}
				copy(c.dout[0], plain.dout[0])
				again, _ := o.build(d, 1, 0)
				for i := range c.din {
					copy(c.din[i], again.din[i])
				}
				o.run(c)
				o.grad(c)
				if !bytes.Equal(bytesOf(c.out[0]), bytesOf(plain.out[0])) || !bytes.Equal(bytesOf(c.din[1]), bytesOf(plain.din[1])) {
					t.Errorf("%v with %v differs", d, more)
				}
			}
		}
	})
}

// TestWindowHides checks that keys that no query sees have no effect, whatever
// their values.
func TestWindowHides(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, d := range [][]int{{1, 100, 400, 2, 8, 1, 30}, {1, 1, 400, 2, 8, 1, 30}} {
			o := attentionOp("", d[1] == 1)
			plain, _ := o.build(d, 1, 0)
			o.run(plain)
			c, _ := o.build(d, 1, 0)
			hidden := (d[2] - d[1] + 1 - d[6]) * d[5] * d[4]
			for i := range hidden {
				c.in[1][i], c.in[2][i] = float32(math.NaN()), float32(math.NaN())
			}
			o.run(c)
			if !bytes.Equal(bytesOf(c.out[0]), bytesOf(plain.out[0])) {
				t.Errorf("%v: keys before the window change the output", d)
			}
		}
	})
}

// TestGroupsPanic checks that query heads that do not split into groups panic.
func TestGroupsPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	x := make([]float32, 12)
	kernels.Attention(x, nil, kernels.QKV{Q: x, K: x, V: x}, kernels.AttentionShape{B: 1, T: 1, S: 1, H: 3, HKV: 2, D: 4, QB: 12, QT: 12, KB: 8, KS: 8})
}
