// Package matvec generates the AVX2+FMA+F16C assembly of matrix-vector
// products.
package matvec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"workbench/kernels/_asm/avx2"
)

// Write generates all functions.
func Write() {
	dotRows("dotF32", 4, bySixteen(4, inMemory))
	dotRows("dotBF16", 2, stepBF16)
	dotRows("dotF16", 2, bySixteen(2, widenF16))
	dotGroups("dotQ8", 256, q8)
	dotGroups("dotQ4", 128, q4)
	quantise()
	unpackHalf("unpackBF16")
	unpackHalf("unpackF16")
	pack("packBF16", toBF16)
	pack("packF16", func(v vec, to Mem) { VCVTPS2PH(Imm(0), v, to) })
	unpackGroup("unpackQ8", 256)
	unpackGroup("unpackQ4", 128)
}

type vec = reg.VecVirtual

func param(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

func times(n int, r reg.GPVirtual) reg.GPVirtual { IMUL3Q(Imm(uint64(n)), r, r); return r }

// four holds the addresses of four streams.
type four struct{ base, far, last reg.GPVirtual }

func streams(base, far reg.GPVirtual) four {
	last := GP64()
	LEAQ(Mem{Base: far, Index: far, Scale: 2}, last)
	ADDQ(base, last)
	return four{base, far, last}
}

func (f four) at(s, disp int) Mem {
	switch s {
	case 0:
		return Mem{Base: f.base, Disp: disp}
	case 3:
		return Mem{Base: f.last, Disp: disp}
	}
	return Mem{Base: f.base, Index: f.far, Scale: uint8(s), Disp: disp}
}

func (f four) advance(n Op) {
	ADDQ(n, f.base)
	ADDQ(n, f.last)
}

func zero(v vec) vec { VXORPS(v, v, v); return v }

// dotRows multiplies the rows of four streams by one vector, row after row.
// Rows of 16-bit types are whole steps.
func dotRows(name string, size int, step func(w four, xs reg.GPVirtual, s [8]vec)) {
	avx2.Begin(name)
	y := streams(param("y"), times(4, param("yfar")))
	w := streams(param("w"), times(size, param("far")))
	x, k, rows := param("x"), param("k"), param("rows")

	Label("row")
	var s [8]vec
	for i := range s {
		s[i] = zero(YMM())
	}
	xs, left := GP64(), GP64()
	MOVQ(x, xs)
	MOVQ(k, left)
	SUBQ(Imm(16), left)
	JLT(LabelRef("rest"))
	Label("loop")
	step(w, xs, s)
	ADDQ(Imm(64), xs)
	w.advance(Imm(uint64(16 * size)))
	SUBQ(Imm(16), left)
	JGE(LabelRef("loop"))
	Label("rest")
	if size == 4 {
		restOfRow(w, xs, left, s)
	}
	for i := range 4 {
		VADDPS(s[4+i], s[i], s[i])
	}
	store4(y, s)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// bySixteen multiplies 16 weights of each stream; widen expands 8 of them to
// floats, or leaves floats in memory.
func bySixteen(size int, widen func(Mem) Op) func(w four, xs reg.GPVirtual, s [8]vec) {
	return func(w four, xs reg.GPVirtual, s [8]vec) {
		for u := range 2 {
			x := YMM()
			VMOVUPS(Mem{Base: xs, Disp: 32 * u}, x)
			for i := range 4 {
				VFMADD231PS(widen(w.at(i, 8*size*u)), x, s[4*u+i])
			}
		}
	}
}

func inMemory(w Mem) Op { return w }

func widenF16(w Mem) Op {
	v := YMM()
	VCVTPH2PS(w, v)
	return v
}

// stepBF16 extracts the even weights of a vector by a shift and the odd ones by
// a mask, and splits x in the same way.
func stepBF16(w four, xs reg.GPVirtual, s [8]vec) {
	a, b, even, odd, mask := YMM(), YMM(), YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: xs}, a.AsX())
	VINSERTF128(Imm(1), Mem{Base: xs, Disp: 32}, a, a)
	VMOVUPS(Mem{Base: xs, Disp: 16}, b.AsX())
	VINSERTF128(Imm(1), Mem{Base: xs, Disp: 48}, b, b)
	VSHUFPS(Imm(0x88), b, a, even)
	VSHUFPS(Imm(0xdd), b, a, odd)
	VPCMPEQD(mask, mask, mask)
	VPSLLD(Imm(16), mask, mask)
	for i := range 4 {
		v, first := YMM(), YMM()
		VMOVDQU(w.at(i, 0), v)
		VPSLLD(Imm(16), v, first)
		VPAND(mask, v, v)
		VFMADD231PS(first, even, s[i])
		VFMADD231PS(v, odd, s[4+i])
	}
}

// restOfRow handles the last, fewer than 16 floats; left is 16 less than their
// number.
func restOfRow(w four, xs, left reg.GPVirtual, s [8]vec) {
	ADDQ(Imm(8), left)
	JLT(LabelRef("masked"))
	v := YMM()
	VMOVUPS(Mem{Base: xs}, v)
	for i := range 4 {
		VFMADD231PS(w.at(i, 0), v, s[i])
	}
	ADDQ(Imm(32), xs)
	w.advance(Imm(32))
	SUBQ(Imm(8), left)
	Label("masked")
	ADDQ(Imm(8), left)
	JZ(LabelRef("sum"))
	mask, table, end := YMM(), GP64(), GP64()
	LEAQ(maskTable(), table)
	MOVQ(U32(8), end)
	SUBQ(left, end)
	VMOVUPS(Mem{Base: table, Index: end, Scale: 4}, mask)
	VMASKMOVPS(Mem{Base: xs}, mask, v)
	for i := range 4 {
		e := YMM()
		VMASKMOVPS(w.at(i, 0), mask, e)
		VFMADD231PS(e, v, s[4+i])
	}
	SHLQ(Imm(2), left)
	w.advance(left)
	Label("sum")
}

// store4 writes the sums of the first four vectors to the streams of y, and
// advances these by a float.
func store4(y four, s [8]vec) {
	pair := func(a, b vec, lo, hi func(...Op)) vec {
		l, h := YMM(), YMM()
		lo(b, a, l)
		hi(b, a, h)
		VADDPS(h, l, l)
		return l
	}
	lops := func(o ...Op) { VUNPCKLPS(o[0], o[1], o[2]) }
	hips := func(o ...Op) { VUNPCKHPS(o[0], o[1], o[2]) }
	lopd := func(o ...Op) { VUNPCKLPD(o[0], o[1], o[2]) }
	hipd := func(o ...Op) { VUNPCKHPD(o[0], o[1], o[2]) }
	all := pair(pair(s[0], s[1], lops, hips), pair(s[2], s[3], lops, hips), lopd, hipd)
	high := XMM()
	VEXTRACTF128(Imm(1), all, high)
	sum := all.AsX()
	VADDPS(high, sum, sum)
	VMOVSS(sum, y.at(0, 0))
	for i := 1; i < 4; i++ {
		VEXTRACTPS(Imm(uint64(i)), sum, y.at(i, 0))
	}
	y.advance(Imm(4))
}

var table *Mem

// maskTable is eight set lanes followed by eight clear ones: read from 8-n
// lanes in, it selects the first n lanes.
func maskTable() Mem {
	if table == nil {
		m := GLOBL("matvecMask", RODATA|NOPTR)
		for i := range 16 {
			v := uint32(0)
			if i < 8 {
				v = 0xffffffff
			}
			DATA(4*i, U32(v))
		}
		table = &m
	}
	return *table
}
