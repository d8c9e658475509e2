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

// dyadic draws multiples of 1/64, so that sums with keys of ±1e4 are exact in
// float32 and the usual tolerance holds.
func dyadic(lo, hi int) func(r *rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return float64(lo+r.IntN(hi-lo+1)) / 64 }
}

// TestWKV4Range runs keys that overflow an unshifted exponential, with and
// without decay, forward and backward.
func TestWKV4Range(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, size := range []int{100, 1000, 10000} {
			for _, decay := range []int{0, -64, -64 * 20} {
				o := wkv4Op("", false)
				inputs := o.inputs
				o.inputs = func(d []int) []array {
					a := inputs(d)
					a[0].value = dyadic(-64*size, 64*size)
					a[2].value, a[3].value = dyadic(decay, decay), dyadic(-128, 128)
					return a
				}
				t.Run(fmt.Sprintf("keys=%d/w=%d", size, decay/64), func(t *testing.T) {
					o.testForward(t, []int{1, 256, 19}, 1)
					o.testGrad(t, []int{1, 5, 9}, 1)
				})
			}
		}
	})
}

// TestWKV4GradRange checks that long sequences of huge keys give finite
// gradients.
func TestWKV4GradRange(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		o := wkv4Op("", false)
		c, _ := o.build([]int{2, 256, 24}, 1, 0)
		for i := range c.in[0] {
			c.in[0][i] *= 150
		}
		clear(c.in[2][:8])
		o.run(c)
		o.grad(c)
		for i, d := range c.din {
			for k, g := range d {
				if math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) {
					t.Fatalf("gradient %d [%d] is %v", i, k, g)
				}
			}
		}
	})
}

// TestWKV4FirstToken checks the identity wkv_1 = v_1 for any u and k.
func TestWKV4FirstToken(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		o := wkv4Op("", false)
		c, _ := o.build([]int{3, 1, 37}, 1, 0)
		for i := range c.in[0] {
			c.in[0][i] *= 90
		}
		o.run(c)
		near(t, "first output", c.out[0], widen(c.in[1]), 2e-7)
	})
}

// TestWKV4Chunks checks that cutting the sequence into calls changes no byte.
func TestWKV4Chunks(t *testing.T) {
	const T, C = 30, 45
	underEachImpl(t, func(t *testing.T) {
		o := wkv4Op("", true)
		c, _ := o.build([]int{1, T, C}, 1, 0)
		whole, _ := o.build([]int{1, T, C}, 1, 0)
		o.run(whole)
		from := 0
		for _, n := range []int{1, 1, 7, 2, 19} {
			i, k := from*C, (from+n)*C
			kernels.WKV4(c.out[0][i:k], wkv4State(c.out[1:]), kernels.WKV4Inputs{W: c.in[2], U: c.in[3], K: c.in[0][i:k], V: c.in[1][i:k]}, 1, n, C)
			from += n
		}
		for i := range c.out {
			if !bytes.Equal(bytesOf(c.out[i]), bytesOf(whole.out[i])) {
				t.Errorf("output %d differs", i)
			}
		}
	})
}

// TestGradNil checks that each gradient is the same when the others are nil.
func TestGradNil(t *testing.T) {
	for _, c := range []struct {
		name string
		op   *Op
		dims []int
		grad func(c *call, d [][]float32)
	}{
		{"WKV4Grad", wkv4Op("", true), []int{2, 7, 27}, func(c *call, d [][]float32) {
			kernels.WKV4Grad(wkv4Inputs(d), c.dout[0], wkv4State(c.in[4:]), wkv4Inputs(c.in), 2, 7, 27)
		}},
		{"LayerNormGrad", layerNormOp(), []int{5, 27}, func(c *call, d [][]float32) {
			kernels.LayerNormGrad(d[0], d[1], d[2], c.dout[0], norm(c, 0, 0))
		}},
		{"SigmoidMulGrad", opNamed("sigmoid_mul"), []int{27}, func(c *call, d [][]float32) {
			kernels.SigmoidMulGrad(d[0], d[1], c.dout[0], c.in[0], c.in[1])
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole, _ := c.op.build(c.dims, 1, 0)
			c.op.run(whole)
			c.grad(whole, whole.din)
			for _, i := range c.op.wrt {
				alone, _ := c.op.build(c.dims, 1, 0)
				c.op.run(alone)
				one := make([][]float32, len(alone.din))
				one[i] = alone.din[i]
				c.grad(alone, one)
				if !slices.Equal(one[i], whole.din[i]) {
					t.Errorf("gradient of input %d differs alone", i)
				}
			}
		})
	}
}

func opNamed(name string) *Op {
	all := table()
	return all[slices.IndexFunc(all, func(o *Op) bool { return o.name == name })]
}

// TestShapePanics checks that wrong shapes panic with the package's prefix.
func TestShapePanics(t *testing.T) {
	x := func(n int) []float32 { return make([]float32, n) }
	wkv4 := kernels.WKV4Inputs{W: x(3), U: x(3), K: x(6), V: x(6)}
	for name, f := range map[string]func(){
		"Exp":       func() { kernels.Exp(x(3), x(4)) },
		"Epilogue":  func() { kernels.Epilogue{Bias: x(3)}.Apply(x(8), 2, 4) },
		"LayerNorm": func() { kernels.LayerNorm(x(6), kernels.Norm{X: x(6), W: x(3), B: x(3), Mean: x(1), R: 2, C: 3}) },
		"Softmax":   func() { kernels.Softmax(x(6), x(6), -2, -3) },
		"target":    func() { kernels.CrossEntropy(x(1), nil, x(3), []int32{3}, 1, 3) },
		"targets":   func() { kernels.CrossEntropyGrad(x(3), x(3), x(1), nil, 1, 1, 3) },
		"WKV4":      func() { kernels.WKV4(x(6), kernels.WKV4State{A: x(3), B: x(3), P: x(2)}, wkv4, 1, 2, 3) },
		"WKV4Grad":  func() { kernels.WKV4Grad(kernels.WKV4Inputs{}, x(6), kernels.WKV4State{A: x(3)}, wkv4, 1, 2, 3) },
		"Attention": func() {
			kernels.Attention(x(4), nil, kernels.QKV{Q: x(4), K: x(4), V: x(3)}, kernels.AttentionShape{B: 1, T: 2, S: 2, H: 1, D: 2, QB: 4, QT: 2, KB: 4, KS: 2})
		},
		"more queries": func() {
			kernels.Attention(x(4), nil, kernels.QKV{Q: x(4), K: x(4), V: x(4)}, kernels.AttentionShape{B: 1, T: 2, S: 1, H: 1, D: 2, QB: 4, QT: 2, KB: 4, KS: 2})
		},
		"RoPE odd": func() { kernels.RoPE(x(3), x(3), kernels.RoPEShape{B: 1, T: 1, H: 1, D: 3, Stride: 3, Theta: 10000}) },
		"Elman":    func() { kernels.Elman(x(2), x(2), x(3), nil, 1, 1, 2) },
		"LSTM":     func() { kernels.LSTM(kernels.LSTMCells{H: x(2), C: x(2), Z: x(6)}, x(16), 1, 1, 2) },
		"LSTMGrad": func() {
			kernels.LSTMGrad(x(8), x(15), x(2), kernels.LSTMCells{H: x(2), C: x(2), Z: x(8)}, x(16), 1, 1, 2)
		},
		"GRU": func() { kernels.GRU(kernels.GRUCells{H: x(2), Q: x(2), G: x(6), Bias: x(4)}, x(12), 1, 1, 2) },
		"GRUGrad": func() {
			kernels.GRUGrad(x(6), nil, x(2), x(2), kernels.GRUCells{H: x(2), Q: x(2), G: x(6), Bias: x(6)}, x(12), 1, 1, 2)
		},
		"AdamW": func() { kernels.AdamW(x(1), x(1), x(1), x(1), kernels.AdamWStep{LR: 1, Scale: 1}) },
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

// TestMaskedRows checks that a row without a target has no loss and no
// gradient.
func TestMaskedRows(t *testing.T) {
	logits, d := []float32{1, 2, 3, 4}, make([]float32, 4)
	nll, lse := []float32{9, 9}, []float32{9, 9}
	kernels.CrossEntropy(nll, lse, logits, []int32{-1, 1}, 2, 2)
	kernels.CrossEntropyGrad(d, logits, lse, []int32{-1, 1}, 1, 2, 2)
	if nll[0] != 0 || d[0] != 0 || d[1] != 0 || nll[1] == 0 || d[2] == 0 {
		t.Errorf("nll %v, gradient %v", nll, d)
	}
}

// TestExtremeRows checks that rows of huge, equal and tiny values stay exact.
func TestExtremeRows(t *testing.T) {
	fill := func(n int, f func(i int) float32) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = f(i)
		}
		return x
	}
	const C = 37
	underEachImpl(t, func(t *testing.T) {
		for _, x := range [][]float32{
			fill(C, func(i int) float32 { return 1e4 * float32(i%5-2) }),
			fill(C, func(i int) float32 { return 100 * float32(i%3-1) }),
			fill(C, func(i int) float32 { return -3e10 }),
			fill(C, func(i int) float32 { return float32(i) * 1e-42 }),
			fill(C, func(i int) float32 { return []float32{0, float32(math.Inf(-1))}[i%2] }),
		} {
			e := &exact{d: []int{1, C}, in: [][]float64{widen(x)}, out: [][]float64{make([]float64, C)}}
			opNamed("softmax").ref(e)
			y, nll, lse := make([]float32, C), make([]float32, 1), make([]float32, 1)
			kernels.Softmax(y, x, 1, C)
			near(t, "softmax", y, e.out[0], 1e-6)
			kernels.CrossEntropy(nll, lse, x, []int32{0}, 1, C)
			near(t, "lse", lse, []float64{refLSE(widen(x))}, 1e-6)
			near(t, "nll", nll, []float64{refLSE(widen(x)) - float64(x[0])}, 1e-6)
		}
	})
}

// TestAttentionRange checks that scores of several thousand stay in range, over
// one and several blocks of keys.
func TestAttentionRange(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, d := range [][]int{{1, 1, 1500, 2, 64}, {1, 20, 40, 2, 64}} {
			o := attentionOp("", d[1] == 1)
			o.tol = 5e-3
			inputs := o.inputs
			o.inputs = func(d []int) []array {
				a := inputs(d)
				a[0].value = func(r *rand.Rand) float64 { return 1000 * r.NormFloat64() }
				return a
			}
			o.testForward(t, d, 0)
		}
	})
}

// TestAliasing checks that in-place calls, where the doc allows them, give the
// same values.
func TestAliasing(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, name := range []string{"exp", "tanh", "sigmoid", "softmax"} {
			o := opNamed(name)
			d := o.dims[len(o.dims)-1]
			apart, _ := o.build(d, 1, 0)
			o.run(apart)
			inPlace, _ := o.build(d, 1, 0)
			inPlace.out[0] = inPlace.in[0]
			o.run(inPlace)
			if !bytes.Equal(bytesOf(apart.out[0]), bytesOf(inPlace.out[0])) {
				t.Errorf("%s differs in place", name)
			}
		}
	})
}
