package kerneltest

import (
	"workbench/kernels"

	"math"
	"sync"
	"testing"
)

// ulps is |got - want| in units of the last place of want.
func ulps(got float32, want float64) float64 {
	exponent := math.Float64bits(want) & (0x7ff << 52)
	perUnit := math.Float64frombits((2*1023+23)<<52 - exponent) // 2^(23-⌊log₂|want|⌋)
	return math.Abs(float64(got)-want) * min(perUnit, 0x1p149)
}

// worst returns the largest error of f on every stride-th float32 of [from,
// to], both positive, and of [-to, -from].
func worst(f func(y, x []float32), ref func(x float64) float64, from, to float32, stride uint32) float64 {
	const block = 1 << 16
	var mu sync.Mutex
	var most float64
	first, last := math.Float32bits(from), math.Float32bits(to)
	chunks := int((last-first)/(stride*block)) + 1
	kernels.For(2*chunks, func(i int) {
		x, y := make([]float32, 0, block), make([]float32, block)
		for bits := first + uint32(i/2)*stride*block; bits <= last && len(x) < block; bits += stride {
			x = append(x, math.Float32frombits(bits|uint32(i%2)<<31))
		}
		f(y[:len(x)], x)
		var high float64
		for k, v := range x {
			high = max(high, ulps(y[k], ref(float64(v))))
		}
		mu.Lock()
		most = max(most, high)
		mu.Unlock()
	})
	return most
}

// TestAccuracy checks the documented error bounds, in units of the last place.
func TestAccuracy(t *testing.T) {
	for _, c := range []struct {
		name     string
		f        func(y, x []float32)
		ref      func(x float64) float64
		from, to float32
		bound    float64
	}{
		{"Exp", kernels.Exp, math.Exp, 1e-9, 87, 1},
		{"NegExp", kernels.NegExp, func(x float64) float64 { return -math.Exp(x) }, 1e-9, 87, 1},
		{"Sigmoid", kernels.Sigmoid, refSigmoid, 1e-9, 87, 2.5},
		{"Tanh", kernels.Tanh, math.Tanh, 1e-30, 100, 2},
		{"GELU", kernels.GELU, refGELU, 1e-30, 5, 8},
		{"GELUTanh", kernels.GELUTanh, refGELUTanh, 1e-30, 2, 8},
	} {
		eachImpl(t, func(impl string) {
			stride := uint32(1013)
			if impl == "generic" {
				stride = 10007
			}
			got := worst(c.f, c.ref, c.from, c.to, stride)
			if t.Logf("%s impl=%s: %.3f", c.name, impl, got); !(got <= c.bound) {
				t.Errorf("%s impl=%s is %.3f units in the last place off, bound %v", c.name, impl, got, c.bound)
			}
		})
	}
}

// TestExpExhaustive checks every float32 of [-87, 87].
func TestExpExhaustive(t *testing.T) {
	if testing.Short() {
		t.Skip("half a billion values")
	}
	if kernels.Impl() == "generic" {
		t.Skip("the generic kernel rounds math.Exp")
	}
	// 64 neighbours share one math.Exp, times a short series in their distance
	// from the first (below 2^-9), which is exact to float64.
	const run = 64
	one := math.Float32bits(1.0 / (1 << 26)) // closer to 0, e^x rounds to 1
	last := math.Float32bits(87)
	var mu sync.Mutex
	var most float64
	kernels.For(int(last-one)/(4096*run)+1, func(i int) {
		var x, y [2 * run]float32
		var high float64
		for first := one + uint32(i*4096*run); first < one+uint32((i+1)*4096*run); first += run {
			for k := range run {
				v := math.Float32frombits(min(first+uint32(k), last))
				x[k], x[run+k] = v, -v
			}
			kernels.Exp(y[:], x[:])
			a := float64(x[0])
			up, down := math.Exp(a), math.Exp(-a)
			for k := range run {
				d := float64(x[k]) - a
				even, odd := 1+d*d*(1./2), d+d*d*d*(1./6)
				if u := ulps(y[k], up*(even+odd)); u > high {
					high = u
				}
				if u := ulps(y[run+k], down*(even-odd)); u > high {
					high = u
				}
			}
		}
		mu.Lock()
		most = max(most, high)
		mu.Unlock()
	})
	if t.Logf("largest error %.4f", most); most > 1 {
		t.Errorf("%v units in the last place", most)
	}
	for bits := uint32(0); bits < one; bits += 9973 {
		x := []float32{math.Float32frombits(bits), -math.Float32frombits(bits)}
		if kernels.Exp(x, x); x[0] != 1 || x[1] != 1 {
			t.Fatalf("e^±%v = %v", math.Float32frombits(bits), x)
		}
	}
}

// TestSpecialValues checks that infinities and NaN give the limits of the
// reference.
func TestSpecialValues(t *testing.T) {
	inf, tiny := float32(math.Inf(1)), math.Float32frombits(1)
	x := []float32{0, float32(math.Copysign(0, -1)), tiny, -tiny, 1e-39, -1e-39, 1e-30, 100, -100, 1e4, -1e4, 3e38, -3e38, inf, -inf,
		float32(math.NaN()), 88.72283, 88.72284, -87.33654, -87.4, -104, 13.5, -13.5, 14.1, -14.1, 0.625, -0.625, 40, -40}
	for _, c := range []struct {
		name string
		f    func(y, x []float32)
		ref  func(x float64) float64
	}{
		{"Exp", kernels.Exp, math.Exp},
		{"NegExp", kernels.NegExp, func(x float64) float64 { return -math.Exp(x) }},
		{"Sigmoid", kernels.Sigmoid, refSigmoid},
		{"Tanh", kernels.Tanh, math.Tanh},
		{"ReLUSq", kernels.ReLUSq, refReLUSq},
		{"GELU", kernels.GELU, func(x float64) float64 { return refGELU(math.Max(x, -50)) }},
		{"GELUTanh", kernels.GELUTanh, func(x float64) float64 { return refGELUTanh(math.Max(x, -50)) }},
	} {
		eachImpl(t, func(impl string) {
			y := make([]float32, len(x))
			c.f(y, x)
			for i, v := range x {
				want := c.ref(float64(v))
				near(t, c.name+" "+impl, y[i:i+1], []float64{want}, 4e-6)
			}
		})
	}
}
