package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// gates generates the elementwise parts of RWKV-5 to 7.
func gates() {
	shiftBy()
	lerps()
	curves()
	keys7()
	gate7()
}

// add is name += x.
func (f *frame) add(x Vec, name string) {
	VADDPS(f.load(name), x, x)
	f.store(x, name)
}

// mulAdd is name += a·b.
func (f *frame) mulAdd(a, b Vec, name string) {
	v := f.load(name)
	VFMADD231PS(a, b, v)
	f.store(v, name)
}

// times returns a·b in a new register.
func times(a, b Vec) Vec {
	v := YMM()
	VMULPS(a, b, v)
	return v
}

// less returns a-b in a new register.
func less(a, b Vec) Vec {
	v := YMM()
	VSUBPS(b, a, v)
	return v
}

// lessOne returns a-1 in a new register.
func lessOne(a Vec) Vec {
	v := YMM()
	VSUBPS(num(1), a, v)
	return v
}

func shiftBy() {
	lanes("shiftByRow", func(f *frame, _ []Vec) {
		x, share := f.load("x"), f.load("mu")
		VADDPS(f.load("m"), share, share)
		VFMADD231PS(share, less(f.load("prev"), x), x)
		f.store(x, "y")
	})
	lanes("shiftByGradRow", func(f *frame, _ []Vec) {
		g, share := f.load("dy"), f.load("mu")
		VADDPS(f.load("m"), share, share)
		VMULPS(g, share, share)
		d := times(g, less(f.load("prev"), f.load("x")))
		VSUBPS(share, g, g)
		f.add(g, "dx")
		f.add(share, "dprev")
		dm := f.load("dm")
		VADDPS(d, dm, dm)
		f.store(dm, "dm")
		f.add(d, "dmu")
	})
	lanes("mulAddSum", func(f *frame, _ []Vec) {
		b := f.load("b")
		VADDPS(f.load("c"), b, b)
		f.mulAdd(f.load("a"), b, "y")
	})
}

func lerps() {
	lanes("lerp", func(f *frame, _ []Vec) {
		a := f.load("a")
		VFMADD231PS(f.load("s"), less(f.load("b"), a), a)
		f.store(a, "y")
	})
	lanes("lerpGrad", func(f *frame, _ []Vec) {
		d := f.load("dy")
		part := times(d, f.load("s"))
		f.mulAdd(d, less(f.load("b"), f.load("a")), "ds")
		f.add(less(d, part), "da")
		f.add(part, "db")
	})
	lanes("multiply", func(f *frame, _ []Vec) {
		f.store(times(f.load("a"), f.load("b")), "y")
	})
}

func curves() {
	curveGrad()
	lanes("relu", func(f *frame, _ []Vec) {
		zero, x := YMM(), f.load("x")
		VXORPS(zero, zero, zero)
		VMAXPS(x, zero, x) // NaN stays
		f.store(x, "y")
	})
	lanes("reluGrad", func(f *frame, _ []Vec) {
		zero, d := YMM(), f.load("x")
		VXORPS(zero, zero, zero)
		VCMPPS(greaterThan, zero, d, d)
		VANDPS(f.load("dy"), d, d)
		f.add(d, "dx")
	})
}

// curveGrad computes the reciprocal of top once.
func curveGrad() {
	ptr := text("curveGrad")
	n, part := Load(Param("n"), GP64()), YMM()
	VMOVUPS(num(1), part)
	VDIVPS(scalar("top"), part, part)
	loop(ptr, n, nil, 1, func(f *frame) {
		y := f.load("y")
		VFNMADD231PS(times(y, y), part, y)
		f.mulAdd(y, f.load("dy"), "dx")
	})
	VZEROUPPER()
	RET()
}

func keys7() {
	lanes("keys7Scaled", func(f *frame, _ []Vec) {
		k := f.load("k")
		VFMADD231PS(times(k, lessOne(f.load("a"))), f.load("ka"), k)
		f.store(k, "key")
	})
	lanes("keys7ScaledGrad", func(f *frame, _ []Vec) {
		d, ka, rest := f.load("dkey"), f.load("ka"), lessOne(f.load("a"))
		dk := times(d, f.load("k"))
		f.mulAdd(dk, rest, "dka")
		f.mulAdd(dk, ka, "da")
		VFMADD231PS(times(d, rest), ka, d)
		f.add(d, "dk")
	})
	sumSquaresOf()
	lanes("keys7Unit", func(f *frame, s []Vec) {
		u := times(f.load("k"), f.load("kk"))
		VMULPS(s[0], u, u)
		f.store(times(u, f.load("a")), "replace")
		VXORPS(bits32(signBit), u, u)
		f.store(u, "remove")
	})
	// d is a·dreplace - dremove, the gradient of κ̂ = -remove.
	d := func(f *frame) Vec {
		v := f.load("dremove")
		VFMSUB231PS(f.load("a"), f.load("dreplace"), v)
		return v
	}
	reduce("keys7Along", func(f *frame, _ []Vec) {
		VFNMADD231PS(f.load("remove"), d(f), f.acc[0])
	})
	lanes("keys7UnitGrad", func(f *frame, s []Vec) {
		u, v := f.load("remove"), d(f)
		VFMADD231PS(u, s[0], v)
		VMULPS(s[1], v, v)
		f.mulAdd(v, f.load("kk"), "dk")
		f.mulAdd(v, f.load("k"), "dkk")
		da := f.load("da")
		VFNMADD231PS(f.load("dreplace"), u, da)
		f.store(da, "da")
	})
}

// sumSquaresOf adds in four float64 lanes.
func sumSquaresOf() {
	ptr := text("sumSquaresOf")
	n := Load(Param("n"), GP64())
	low, high := YMM(), YMM()
	VXORPD(low, low, low)
	VXORPD(high, high, high)
	loop(ptr, n, nil, 1, func(f *frame) {
		p, half, wide := times(f.load("a"), f.load("b")), XMM(), YMM()
		VCVTPS2PD(p.AsX(), wide)
		VFMADD231PD(wide, wide, low)
		VEXTRACTF128(U8(1), p, half)
		VCVTPS2PD(half, wide)
		VFMADD231PD(wide, wide, high)
	})
	VADDPD(high, low, low)
	t := XMM()
	VEXTRACTF128(U8(1), low, t)
	VADDPD(t, low.AsX(), low.AsX())
	VUNPCKHPD(low.AsX(), low.AsX(), t)
	VADDSD(t, low.AsX(), low.AsX())
	VZEROUPPER()
	Store(low.AsX(), ReturnIndex(0))
	RET()
}

func gate7() {
	reduce("dot3", func(f *frame, _ []Vec) {
		VFMADD231PS(times(f.load("a"), f.load("b")), f.load("c"), f.acc[0])
	})
	reduce("dot2", func(f *frame, _ []Vec) {
		VFMADD231PS(f.load("a"), f.load("b"), f.acc[0])
	})
	lanes("addScaled", func(f *frame, s []Vec) {
		x := f.load("x")
		VFMADD231PS(f.load("v"), s[0], x)
		f.store(x, "y")
	})
	lanes("mulAxpy", func(f *frame, s []Vec) {
		f.mulAdd(times(f.load("a"), s[0]), f.load("b"), "y")
	})
	lanes("bonus7Grad", func(f *frame, s []Vec) {
		r, key, rk := times(f.load("r"), s[0]), f.load("key"), f.load("rk")
		f.mulAdd(times(key, s[0]), rk, "dr")
		f.mulAdd(r, rk, "dkey")
		f.mulAdd(r, key, "drk")
	})
}
