package ops

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
)

// unary generates y = value(x).
func unary(name string, value func(x Vec) Vec) {
	lanes(name, func(f *frame, _ []Vec) {
		f.store(value(f.load("x")), "y")
	})
}

// gradient generates dx += dy·slope(x).
func gradient(name string, slope func(x Vec) Vec) {
	lanes(name, func(f *frame, _ []Vec) {
		s, d := slope(f.load("x")), f.load("dx")
		VFMADD231PS(f.load("dy"), s, d)
		f.store(d, "dx")
	})
}

func activation() {
	unary("exp", exp)
	unary("negExp", func(x Vec) Vec {
		y := exp(x)
		VXORPS(bits32(signBit), y, y)
		return y
	})
	unary("tanh", tanh)
	unary("sigmoid", sigmoid)
	unary("reluSq", func(x Vec) Vec {
		y := positive(x)
		VMULPS(y, y, y)
		return y
	})
	unary("gelu", func(x Vec) Vec {
		x = notBelow(x, -14)
		y, _ := normal(x)
		VMULPS(x, y, y)
		return y
	})
	unary("geluTanh", func(x Vec) Vec {
		x = notBelow(x, -40)
		y := sigmoid(cubic(x))
		VMULPS(x, y, y)
		return y
	})
	unary("silu", func(x Vec) Vec {
		x = notBelow(x, -88)
		y := sigmoid(x)
		VMULPS(x, y, y)
		return y
	})
	gradient("siluGrad", func(x Vec) Vec {
		x = clamp(x, 88)
		s, slope := sigmoidPair(x)
		VFMADD231PS(x, slope, s)
		return s
	})
	gradient("tanhGrad", func(x Vec) Vec {
		s := YMM()
		VMOVUPS(num(1), s)
		VFNMADD231PS(x, x, s)
		return s
	})
	gradient("negExpGrad", func(x Vec) Vec { return x })
	gradient("reluSqGrad", func(x Vec) Vec {
		s := positive(x)
		VADDPS(s, s, s)
		return s
	})
	gradient("geluGrad", func(x Vec) Vec {
		x = clamp(x, 14)
		s, bell := normal(x)
		VMULPS(num(1/math.Sqrt(2*math.Pi)), bell, bell)
		VFMADD231PS(x, bell, s)
		return s
	})
	gradient("geluTanhGrad", geluTanhSlope)
	lanes("sigmoidMul", func(f *frame, _ []Vec) {
		y := sigmoid(f.load("r"))
		VMULPS(f.load("x"), y, y)
		f.store(y, "y")
	})
	lanes("sigmoidMulGrad", func(f *frame, _ []Vec) {
		s, slope := sigmoidPair(f.load("r"))
		g, dx, dr := f.load("dy"), f.load("dx"), f.load("dr")
		VFMADD231PS(g, s, dx)
		f.store(dx, "dx")
		VMULPS(f.load("x"), g, g)
		VFMADD231PS(g, slope, dr)
		f.store(dr, "dr")
	})
}

// positive returns max(x, 0), NaN for NaN.
func positive(x Vec) Vec { return notBelow(x, 0) }

// notBelow returns max(x, low), NaN for NaN.
func notBelow(x Vec, low float64) Vec {
	v := YMM()
	VMOVUPS(num(low), v)
	VMAXPS(x, v, v)
	return v
}

// clamp returns x within ±limit, NaN for NaN.
func clamp(x Vec, limit float64) Vec {
	v, high := notBelow(x, -limit), YMM()
	VMOVUPS(num(limit), high)
	VMINPS(v, high, v)
	return v
}

const (
	geluTanhScale = 0.7978845608028654 // √(2/π)
	geluTanhCubic = 0.044715
)

// cubic returns 2z = 2·√(2/π)·(x + 0.044715·x³).
func cubic(x Vec) Vec {
	z := YMM()
	VMULPS(x, x, z)
	VMULPS(num(2*geluTanhScale*geluTanhCubic), z, z)
	VADDPS(num(2*geluTanhScale), z, z)
	VMULPS(x, z, z)
	return z
}

// sigmoidPair returns σ(x) and σ(x)·σ(-x).
func sigmoidPair(x Vec) (s, slope Vec) {
	e, d := expNeg(negAbs(x)), YMM()
	s = YMM()
	VADDPS(num(1), e, d)
	VMOVUPS(num(1), s)
	VDIVPS(d, s, d) // 1/(1+e)
	VMULPS(d, e, e) // e/(1+e)
	VBLENDVPS(x, e, d, s)
	VMULPS(d, e, e)
	return s, e
}

// geluTanhSlope returns σ(2z) + x·σ(2z)·σ(-2z)·(2z)'.
func geluTanhSlope(x Vec) Vec {
	x = clamp(x, 40)
	s, e := sigmoidPair(cubic(x))
	slope := YMM()
	VMULPS(x, x, slope)
	VMULPS(num(3*2*geluTanhScale*geluTanhCubic), slope, slope)
	VADDPS(num(2*geluTanhScale), slope, slope)
	VMULPS(x, slope, slope)
	VFMADD231PS(slope, e, s)
	return s
}
