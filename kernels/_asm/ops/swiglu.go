package ops

import (
	. "github.com/mmcloughlin/avo/build"
)

// swiGLU generates silu(g)·u and its gradient.
func swiGLU() {
	lanes("swiGLU", func(f *frame, _ []Vec) {
		g := notBelow(f.load("gate"), -88)
		y := sigmoid(g)
		VMULPS(g, y, y)
		VMULPS(f.load("u"), y, y)
		f.store(y, "y")
	})
	lanes("swiGLUGrad", func(f *frame, _ []Vec) {
		g, dy, du, dg := notBelow(f.load("gate"), -88), f.load("dy"), f.load("du"), f.load("dgate")
		c := clamp(g, 88)
		s, slope := sigmoidPair(c)
		y := YMM()
		VMULPS(s, g, y)
		VFMADD231PS(dy, y, du)
		f.store(du, "du")
		VMULPS(c, slope, slope)
		VADDPS(s, slope, slope)
		VMULPS(f.load("u"), dy, dy)
		VFMADD231PS(dy, slope, dg)
		f.store(dg, "dgate")
	})
}
