package ops

import (
	. "github.com/mmcloughlin/avo/build"
)

// rmsNorm generates RMSNorm on one row.
func rmsNorm() {
	ptr := text("rmsNormRow")
	n, left := Load(Param("n"), GP64()), GP64()
	accs := accumulators(reduceUnroll, 1)
	MOVQ(n, left)
	labelledLoop("square", ptr, left, accs, reduceUnroll, func(f *frame) {
		v := f.load("x")
		VFMADD231PS(v, v, f.acc[0])
	})
	r, all := rootOf(sumOf(accs, 0), n), YMM()
	VBROADCASTSS(r, all)
	MOVQ(n, left)
	labelledLoop("apply", ptr, left, nil, 1, func(f *frame) {
		v := f.load("x")
		VMULPS(all, v, v)
		VMULPS(f.load("w"), v, v)
		f.store(v, "y")
	})
	VZEROUPPER()
	Store(r, ReturnIndex(0))
	RET()
	rmsNormGrad()
}

func rmsNormGrad() {
	ptr := text("rmsNormGradRow")
	n, left, r := Load(Param("n"), GP64()), GP64(), scalar("r")
	accs := accumulators(reduceUnroll, 1)
	MOVQ(n, left)
	labelledLoop("sum", ptr, left, accs, reduceUnroll, func(f *frame) {
		h, g := f.load("x"), f.load("dy")
		VMULPS(r, h, h)
		VMULPS(f.load("w"), g, g)
		VFMADD231PS(g, h, f.acc[0])
	})
	mean := meanOf(accs, 0, n)
	MOVQ(n, left)
	labelledLoop("apply", ptr, left, nil, 1, func(f *frame) {
		h, dy, g, dw, dx := f.load("x"), f.load("dy"), f.load("w"), f.load("dw"), f.load("dx")
		VMULPS(r, h, h)
		VFMADD231PS(dy, h, dw)
		f.store(dw, "dw")
		VMULPS(dy, g, g)
		VFNMADD231PS(h, mean, g)
		VFMADD231PS(g, r, dx)
		f.store(dx, "dx")
	})
	VZEROUPPER()
	RET()
}
