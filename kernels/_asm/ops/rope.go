package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// rope generates rotations of one head.
func rope() {
	rotations()
	lanes("rotatePairs", func(f *frame, _ []Vec) {
		x, cos, sin := f.load("x"), f.load("cos"), f.load("sin")
		swapped := YMM()
		VPERMILPS(U8(0xb1), x, swapped)
		VMULPS(swapped, sin, sin)
		VFMADD231PS(x, cos, sin)
		f.store(sin, "y")
	})
	lanes("rotatePairsBackAdd", func(f *frame, _ []Vec) {
		x, y := f.load("x"), f.load("y")
		swapped := YMM()
		VPERMILPS(U8(0xb1), x, swapped)
		VFMADD231PS(f.load("cos"), x, y)
		VFNMADD231PS(f.load("sin"), swapped, y)
		f.store(y, "y")
	})
}

// halves generates a loop over the pairs of a head of n channels: x and x1 are
// its halves.
func halves(name string, body func(f *frame)) {
	ptr := text(name)
	n := Load(Param("n"), GP64())
	for _, p := range []string{"y", "x"} {
		ptr[p+"1"] = GP64()
		LEAQ(Mem{Base: ptr[p], Index: n, Scale: 2}, ptr[p+"1"])
	}
	SHRQ(U8(1), n)
	loop(ptr, n, nil, 1, body)
	VZEROUPPER()
	RET()
}

// rotations generates RoPE on one head.
func rotations() {
	halves("rotate", func(f *frame) {
		a, b, cos, sin := f.load("x"), f.load("x1"), f.load("cos"), f.load("sin")
		y0, y1 := YMM(), YMM()
		VMULPS(b, sin, y0)
		VFMSUB231PS(a, cos, y0)
		VMULPS(a, sin, y1)
		VFMADD231PS(b, cos, y1)
		f.store(y0, "y")
		f.store(y1, "y1")
	})
	halves("rotateBackAdd", func(f *frame) {
		a, b, cos, sin := f.load("x"), f.load("x1"), f.load("cos"), f.load("sin")
		y0, y1 := f.load("y"), f.load("y1")
		VFMADD231PS(a, cos, y0)
		VFMADD231PS(b, sin, y0)
		VFMADD231PS(b, cos, y1)
		VFNMADD231PS(a, sin, y1)
		f.store(y0, "y")
		f.store(y1, "y1")
	})
}
