package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func elementwise() {
	lanes("accumulate", func(f *frame, _ []Vec) {
		v := f.load("y")
		VADDPS(f.load("x"), v, v)
		f.store(v, "y")
	})
	lanes("tanhSlope", func(f *frame, _ []Vec) {
		s, h := YMM(), f.load("h")
		VMOVUPS(num(1), s)
		VFNMADD231PS(h, h, s)
		VMULPS(f.load("y"), s, s)
		f.store(s, "y")
	})
	lanes("axpy", func(f *frame, s []Vec) {
		v := f.load("y")
		VFMADD231PS(f.load("x"), s[0], v)
		f.store(v, "y")
	})
	lanes("scale", func(f *frame, s []Vec) {
		v := f.load("x")
		VMULPS(s[0], v, v)
		f.store(v, "x")
	})
	lanes("mulAddRest", func(f *frame, _ []Vec) {
		v, rest := f.load("y"), YMM()
		VMOVUPS(num(1), rest)
		VSUBPS(f.load("b"), rest, rest)
		VFMADD231PS(f.load("a"), rest, v)
		f.store(v, "y")
	})
	columns("columnSums", "sum", func(f *frame) {
		VADDPS(f.load("x"), f.acc[0], f.acc[0])
	})
	shiftMix()
	sumSquares()
	adamW()
}

// sumSquares adds in eight float64 lanes.
func sumSquares() {
	ptr := text("sumSquares")
	n := Load(Param("n"), GP64())
	accs := make([][]Vec, 2)
	for u := range accs {
		accs[u] = []Vec{YMM(), YMM()}
		VXORPD(accs[u][0], accs[u][0], accs[u][0])
		VXORPD(accs[u][1], accs[u][1], accs[u][1])
	}
	loop(ptr, n, accs, 2, func(f *frame) {
		v, high := f.load("x"), XMM()
		VEXTRACTF128(U8(1), v, high)
		a, b := YMM(), YMM()
		VCVTPS2PD(v.AsX(), a)
		VCVTPS2PD(high, b)
		VFMADD231PD(a, a, f.acc[0])
		VFMADD231PD(b, b, f.acc[1])
	})
	sum, high := accs[0][0], XMM()
	VADDPD(accs[1][0], sum, sum)
	VADDPD(accs[1][1], accs[0][1], accs[0][1])
	VADDPD(accs[0][1], sum, sum)
	VEXTRACTF128(U8(1), sum, high)
	VADDPD(high, sum.AsX(), sum.AsX())
	VUNPCKHPD(sum.AsX(), sum.AsX(), high)
	VADDSD(high, sum.AsX(), sum.AsX())
	VZEROUPPER()
	Store(sum.AsX(), ReturnIndex(0))
	RET()
}

// adamW reads its scalars in the order of the struct adamScalars.
func adamW() {
	ptr := text("adamW")
	base := Load(Param("s"), GP64())
	n := Load(Param("n"), GP64())
	s := make([]Vec, 8)
	for i := range s {
		s[i] = YMM()
		VBROADCASTSS(Mem{Base: base, Disp: 4 * i}, s[i])
	}
	gscale, keep, blend1, beta2, blend2, root2, eps, rate := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	loop(ptr, n, nil, 1, func(f *frame) {
		g, m, v, p := f.load("grad"), f.load("m"), f.load("v"), f.load("p")
		t := YMM()
		VMULPS(gscale, g, g)
		VSUBPS(m, g, t)
		VFMADD231PS(t, blend1, m)
		f.store(m, "m")
		VMULPS(g, g, g)
		VMULPS(blend2, g, g)
		VFMADD231PS(v, beta2, g)
		f.store(g, "v")
		VSQRTPS(g, g)
		VMULPS(root2, g, g)
		VADDPS(eps, g, g)
		VMULPS(rate, m, m)
		VDIVPS(g, m, m)
		VMULPS(keep, p, p)
		VSUBPS(m, p, p)
		f.store(p, "p")
	})
	VZEROUPPER()
	RET()
}
