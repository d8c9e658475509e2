package kerneltest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"workbench/kernels"
)

// TestHalfRounding compares the rounding of every upper half of a float32, with
// lower halves around the ties, and of every length, with the generic one.
func TestHalfRounding(t *testing.T) {
	var x []float32
	for high := range uint32(1 << 16) {
		for _, low := range []uint32{0, 1, 0xfff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x3001, 0x7fff, 0x8000, 0x8001, 0xffff} {
			x = append(x, math.Float32frombits(high<<16|low))
		}
	}
	for _, dtype := range []kernels.DType{kernels.BF16, kernels.F16} {
		var want []uint16
		eachImpl(t, func(impl string) {
			h := kernels.Half{Type: dtype}
			h.Append(x[:1])
			for n := 1; n < 20; n++ { // every length, at every place
				h.Append(x[len(h.Bits) : len(h.Bits)+n])
			}
			h.Append(x[len(h.Bits):])
			if want == nil {
				want = h.Bits
			}
			y, z := make([]float32, len(x)), slices.Clone(x)
			h.Expand(y)
			kernels.RoundHalf(dtype, z)
			for i, v := range x {
				if math.IsNaN(float64(v)) {
					if !math.IsNaN(float64(y[i])) {
						t.Fatalf("%s %s: NaN %#x becomes %v", impl, dtype, math.Float32bits(v), y[i])
					}
				} else if h.Bits[i] != want[i] || z[i] != y[i] {
					t.Fatalf("%s %s: %v (%#x) becomes %#x, want %#x", impl, dtype, v, math.Float32bits(v), h.Bits[i], want[i])
				}
			}
		})
	}
}

// TestAttentionHalfBound checks that attention over rounded keys and values
// stays within the bound in the documentation of kernels.Attention, and that
// the bound is not idle.
func TestAttentionHalfBound(t *testing.T) {
	epsilon := map[kernels.DType]float64{kernels.BF16: math.Ldexp(1, -8), kernels.F16: math.Ldexp(1, -11)}
	var shapes [][]int
	for n := 1; n <= 70; n++ { // every length, as prefill and as decode
		shapes = append(shapes, []int{1 + n%2, n, n + n%3, 4, 8, 1 + n%2, n % 5}, []int{1, 1, n, 4, 8 * (1 + n%3), 1 + n%2, n % 7}, []int{1, 1, n, 3, 1 + n%11, 3, 0})
	}
	shapes = append(shapes, []int{1, 1, 4096, 4, 64, 2, 0}, []int{1, 150, 300, 2, 64, 1, 0}, []int{2, 1, 600, 12, 64, 1, 0})
	underEachImpl(t, func(t *testing.T) {
		for dtype, eps := range epsilon {
			closest := 0.0
			for _, d := range shapes {
				closest = max(closest, halfShare(t, d, dtype, eps))
			}
			if closest < 0.05 {
				t.Errorf("%s: no error reaches %.3f of its bound", dtype, closest)
			}
		}
	})
}

// halfShare is the largest error of attention over rounded keys and values as a
// share of its bound.
func halfShare(t *testing.T, d []int, dtype kernels.DType, eps float64) (share float64) {
	o := attentionOp("", d[1] == 1)
	c, _ := o.build(d, 7, 0)
	exactly := o.exactOf(c)
	k, v := kernels.Half{Type: dtype}, kernels.Half{Type: dtype}
	k.Append(c.in[1])
	v.Append(c.in[2])
	kernels.Attention(c.out[0], nil, kernels.QKV{Q: c.in[0], KHalf: k, VHalf: v}, attentionShape(d))

	magnitudes := &exact{d: d, out: make([][]float64, 2)}
	for _, x := range exactly.in {
		magnitudes.in = append(magnitudes.in, slices.Clone(x))
	}
	for i, x := range magnitudes.in[2] {
		magnitudes.in[2][i] = math.Abs(x)
	}
	o.evaluate(magnitudes)
	s := attentionShape(d)
	delta := 0.0
	for i, y := range c.out[0] {
		b, t0, h := i/s.D/s.H/s.T, i/s.D/s.H%s.T, i/s.D%s.H
		if i%s.D == 0 {
			delta = 0
		}
		for n := firstKey(s, s.S-s.T+t0); n <= s.S-s.T+t0 && i%s.D == 0; n++ {
			sum := 0.0
			for ch := range s.D {
				sum += math.Abs(exactly.in[0][b*s.QB+t0*s.QT+h*s.D+ch] * exactly.in[1][b*s.KB+n*s.KS+h/(s.H/s.HKV)*s.D+ch])
			}
			delta = max(delta, eps*sum/math.Sqrt(float64(s.D)))
		}
		size := magnitudes.out[0][i]
		bound := (math.Exp(2*delta)*(1+eps)-1)*size + 4e-6*size // and the rounding of the sums
		err := math.Abs(float64(y) - exactly.out[0][i])
		if !(err <= bound) {
			t.Fatalf("%v %s: output %d is off by %.3g, the bound is %.3g", d, dtype, i, err, bound)
		}
		share = max(share, err/bound)
	}
	return share
}

// TestHalfSpecial checks that keys beyond the range of f16 do not pass
// unnoticed, and that small and large keys within it do.
func TestHalfSpecial(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, D := range []int{3, 8} {
			for _, T := range []int{1, 2} {
				q, x := make([]float32, T*D), make([]float32, T*D)
				fill(q, 1e-3)
				fill(x, 6e4)
				y := make([]float32, T*D)
				run := func(key float32) float32 {
					x[0] = key
					h := kernels.Half{Type: kernels.F16}
					h.Append(x)
					kernels.Attention(y, nil, kernels.QKV{Q: q, KHalf: h, VHalf: h}, kernels.AttentionShape{B: 1, T: T, S: T, H: 1, D: D, QB: T * D, QT: D, KB: T * D, KS: D})
					return y[0]
				}
				for _, key := range []float32{65504, 6e-8, -65504} {
					if got := float64(run(key)); math.IsNaN(got) || math.IsInf(got, 0) {
						t.Errorf("D=%d T=%d: a value of %v gives %v", D, T, key, got)
					}
				}
				if got := float64(run(7e4)); !math.IsNaN(got) && !math.IsInf(got, 0) {
					t.Errorf("D=%d T=%d: a value beyond the range gives %v", D, T, got)
				}
			}
		}
	})
}

// TestHalfPanics checks that wrong types and lengths panic.
func TestHalfPanics(t *testing.T) {
	x := make([]float32, 8)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range x {
		x[i] = r.Float32()
	}
	half := func(t kernels.DType, n int) kernels.Half {
		h := kernels.Half{Type: t}
		h.Append(x[:n])
		return h
	}
	s := kernels.AttentionShape{B: 1, T: 1, S: 1, H: 1, D: 8, QB: 8, QT: 8, KB: 8, KS: 8}
	b, f := half(kernels.BF16, 8), half(kernels.F16, 8)
	for name, f := range map[string]func(){
		"two types": func() { kernels.Attention(x, nil, kernels.QKV{Q: x, KHalf: b, VHalf: f}, s) },
		"one type":  func() { kernels.Attention(x, nil, kernels.QKV{Q: x, KHalf: b, V: x}, s) },
		"short":     func() { kernels.Attention(x, nil, kernels.QKV{Q: x, KHalf: b, VHalf: half(kernels.BF16, 7)}, s) },
		"quantised": func() {
			q := kernels.Half{Type: kernels.Q8_0, Bits: make([]uint16, 8)}
			kernels.Attention(x, nil, kernels.QKV{Q: x, KHalf: q, VHalf: q}, s)
		},
		"gradient": func() {
			kernels.AttentionGrad(kernels.QKV{Q: x, K: x, V: x}, x, x, x[:1], kernels.QKV{Q: x, KHalf: b, VHalf: b}, s)
		},
		"append": func() { (&kernels.Half{}).Append(x) },
		"expand": func() { b.Expand(x[:7]) },
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
