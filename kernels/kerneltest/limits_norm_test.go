package kerneltest

import (
	"workbench/kernels"

	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAttentionExtremes checks that scores of ±1e4 select one key exactly,
// forward and backward, over many blocks of keys.
func TestAttentionExtremes(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, d := range [][]int{{1, 1, 1500, 2, 64}, {1, 1, 77, 1, 8}, {1, 130, 450, 1, 16}, {1, 7, 7, 1, 4}} {
			o := attentionOp("", d[1] == 1)
			inputs := o.inputs
			root := math.Sqrt(float64(d[4]))
			// One channel carries the score: q = √D and k a multiple of 1/4, so that
			// scores are exact and no two are nearly equal.
			o.inputs = func(d []int) []array {
				a := inputs(d)
				i, D := 0, d[4]
				a[0].value = func(*rand.Rand) float64 {
					i++
					if (i-1)%D == 0 {
						return float64(float32(root))
					}
					return 0
				}
				n := 0
				a[1].value = func(r *rand.Rand) float64 {
					n++
					if (n-1)%D == 0 {
						return float64(r.IntN(80001)-40000) / 4
					}
					return 0
				}
				return a
			}
			if d[4]&(d[4]-1) == 0 && math.Trunc(root) == root {
				t.Run(fmt.Sprint(d), func(t *testing.T) { o.testForward(t, d, 1) })
			}
		}
	})
}

// TestAttentionGradExtremes checks that scores of thousands give finite
// gradients.
func TestAttentionGradExtremes(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		o := attentionOp("", false)
		c, _ := o.build([]int{1, 100, 220, 2, 24}, 1, 0)
		for i := range c.in[0] {
			c.in[0][i] *= 2000
		}
		o.run(c)
		o.grad(c)
		for i, list := range [][][]float32{c.out, c.din} {
			for k, x := range list {
				for n, v := range x {
					if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
						t.Fatalf("output or gradient %d.%d [%d] is %v", i, k, n, v)
					}
				}
			}
		}
	})
}

// TestWKV4Limits compares keys of ±80 and decays close to 0 and close to 1 with
// the definition, at every length to 130. The smallest log-decay, 2^-12, is
// well above the resolution of float32 at 80, 2^-17.
func TestWKV4Limits(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, w := range []float64{0, -math.Ldexp(1, -12), -1. / 64, -1, -88, -1e4} {
			o := wkv4Op("", false)
			inputs := o.inputs
			o.inputs = func(d []int) []array {
				a := inputs(d)
				a[0].value = dyadic(-80*64, 80*64)
				a[2].value, a[3].value = func(*rand.Rand) float64 { return w }, dyadic(-128, 128)
				return a
			}
			t.Run(fmt.Sprintf("w=%g", w), func(t *testing.T) {
				for T := range 131 {
					o.testForward(t, []int{1, T, 1 + T%19}, T%4)
				}
				o.testGrad(t, []int{1, 6, 9}, 1)
			})
		}
	})
}

// TestSoftmaxLimits compares rows of every length to 130 with values of ±1e4,
// and the in-place gradient, with the definition.
func TestSoftmaxLimits(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, o := range []*Op{opNamed("softmax"), inPlaceOp()} {
			inputs := o.inputs
			o.inputs = func(d []int) []array {
				a := inputs(d)
				a[0].value = func(r *rand.Rand) float64 { return 1e4 * float64(r.IntN(3)-1) }
				return a
			}
			for n := 1; n <= 130; n++ {
				o.testForward(t, []int{2, n}, n%4)
			}
		}
	})
}

// TestLongRest compares the variants that split longer rows differently with
// the definition, at every length to 130.
func TestLongRest(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, name := range []string{"layer_norm", "bias", "sigmoid_mul", "gelu", "adamw", "sum_squares"} {
			o := opNamed(name)
			for n := 71; n <= 130; n++ {
				d := []int{2, n}
				if len(o.dims[0]) == 1 {
					d = d[1:]
				}
				o.testForward(t, d, n%4)
				if o.grad != nil {
					o.testGrad(t, d, n%4)
				}
			}
		}
	})
}

// TestNormLimits checks rows far from zero, which must stay finite, and rows of
// one value, which must give exactly the bias.
func TestNormLimits(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		const C, H = 24, 3
		x, w, b, y := make([]float32, C), make([]float32, C), make([]float32, C), make([]float32, C)
		for _, v := range []float32{0, 1, -4096, 1 << 60} {
			for i := range x {
				x[i], w[i], b[i] = v, 2, float32(i)
			}
			kernels.GroupNorm(y, kernels.Norm{X: x, W: w, B: b, R: 1, C: C, H: H, Eps: 1e-5})
			for i := range y {
				if y[i] != b[i] {
					t.Errorf("equal values %v: y[%d] = %v, want %v", v, i, y[i], b[i])
				}
			}
		}
	})
}

// TestAttentionLayouts checks that keys and values in a cache [S,B,H·D] give
// the same bytes, gradients too, as rows of packed queries, keys and values.
func TestAttentionLayouts(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, d := range [][]int{{3, 1, 1, 2, 8}, {2, 100, 100, 2, 8}, {3, 65, 65, 1, 5}} {
			B, T, H, D := d[0], d[1], d[3], d[4]
			o := attentionOp("", false)
			c, _ := o.build(d, 1, 0)
			for _, g := range c.din {
				clear(g)
			}
			o.run(c)
			o.grad(c)
			C := H * D
			s := kernels.AttentionShape{B: B, T: T, S: T, H: H, D: D, QB: T * 3 * C, QT: 3 * C, KB: T * 3 * C, KS: 3 * C}
			packed, y, lse := make([]float32, B*T*3*C), make([]float32, B*T*C), make([]float32, B*H*T)
			for i := range B * T {
				row, key := packed[i*3*C:], (i%T*B+i/T)*C
				copy(row[:C], c.in[0][i*3*C:])
				copy(row[C:2*C], c.in[1][key:])
				copy(row[2*C:3*C], c.in[2][key:])
			}
			kernels.Attention(y, lse, kernels.QKV{Q: packed, K: packed[C:], V: packed[2*C:]}, s)
			if !bytes.Equal(bytesOf(y), bytesOf(c.out[0])) || !bytes.Equal(bytesOf(lse), bytesOf(c.out[1])) {
				t.Fatalf("%v: another layout gives other bytes", d)
			}
			dp := make([]float32, len(packed))
			kernels.AttentionGrad(kernels.QKV{Q: dp, K: dp[C:], V: dp[2*C:]}, c.dout[0], y, lse, kernels.QKV{Q: packed, K: packed[C:], V: packed[2*C:]}, s)
			for i := range B * T {
				row, key := dp[i*3*C:], (i%T*B+i/T)*C
				if !slices.Equal(row[:C], c.din[0][i*3*C:][:C]) || !slices.Equal(row[C:2*C], c.din[1][key:][:C]) || !slices.Equal(row[2*C:3*C], c.din[2][key:][:C]) {
					t.Fatalf("%v: another layout gives another gradient of row %d", d, i)
				}
			}
		}
	})
}

// TestShiftMixAllocatesNothing covers what the table cannot, as it cuts the
// outputs from one slice: a caller's list of outputs stays on its stack.
func TestShiftMixAllocatesNothing(t *testing.T) {
	skipIfPoolsLeak(t)
	const B, T, C, n = 2, 40, 256, 5
	x, last, mu, y := make([]float32, B*T*C), make([]float32, B*C), make([][]float32, n), make([][]float32, n)
	for i := range mu {
		mu[i], y[i] = make([]float32, C), make([]float32, B*T*C)
	}
	least := math.Inf(1)
	for range 3 {
		least = min(least, testing.AllocsPerRun(10, func() {
			out, in := mixes(y), kernels.MixInputs{X: x, Last: last, Mu: mixes(mu)}
			kernels.ShiftMix(out[:n], in, B, T, C)
			kernels.ShiftMixGrad(kernels.MixInputs{X: x, Mu: mixes(mu)}, out[:n], in, B, T, C)
		}))
	}
	if least >= 1 {
		t.Errorf("%v allocations", least)
	}
}
