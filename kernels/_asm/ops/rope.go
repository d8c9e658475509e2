package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// rope writes rotations of one head.
func rope() {
	rotations()
	pointers := []string{"y", "x", "cos", "sin"}
	lanes("rotatePairs", "turns one head, neighbours by their angle: y = x·cos + x'·sin, x' having neighbours swapped.", pointers, nil, func(f *frame, _ []Vec) {
		x, cos, sin := f.load("x"), f.load("cos"), f.load("sin")
		swapped := YMM()
		VPERMILPS(U8(0xb1), x, swapped)
		VMULPS(swapped, sin, sin)
		VFMADD231PS(x, cos, sin)
		f.store(sin, "y")
	})
	lanes("rotatePairsBackAdd", "adds one head turned by its negative angles: y += x·cos - x'·sin.", pointers, nil, func(f *frame, _ []Vec) {
		x, y := f.load("x"), f.load("y")
		swapped := YMM()
		VPERMILPS(U8(0xb1), x, swapped)
		VFMADD231PS(f.load("cos"), x, y)
		VFNMADD231PS(f.load("sin"), swapped, y)
		f.store(y, "y")
	})
}

// rotations write RoPE on one head: y0, y1 and x0, x1 are its halves.
func rotations() {
	pointers := []string{"y0", "y1", "x0", "x1", "cos", "sin"}
	lanes("rotate", "turns one head, its halves given apart, by its angles.", pointers, nil, func(f *frame, _ []Vec) {
		a, b, cos, sin := f.load("x0"), f.load("x1"), f.load("cos"), f.load("sin")
		y0, y1 := YMM(), YMM()
		VMULPS(b, sin, y0)
		VFMSUB231PS(a, cos, y0)
		VMULPS(a, sin, y1)
		VFMADD231PS(b, cos, y1)
		f.store(y0, "y0")
		f.store(y1, "y1")
	})
	lanes("rotateBackAdd", "adds one head turned by its negative angles.", pointers, nil, func(f *frame, _ []Vec) {
		a, b, cos, sin := f.load("x0"), f.load("x1"), f.load("cos"), f.load("sin")
		y0, y1 := f.load("y0"), f.load("y1")
		VFMADD231PS(a, cos, y0)
		VFMADD231PS(b, sin, y0)
		VFMADD231PS(b, cos, y1)
		VFNMADD231PS(a, sin, y1)
		f.store(y0, "y0")
		f.store(y1, "y1")
	})
}
