package matvec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"workbench/kernels/_asm/avx2"
)

// unpackHalf expands 16 weights a step.
func unpackHalf(name string) {
	avx2.Begin(name)
	dst, src, n := param("dst"), param("src"), param("n")
	Label("loop")
	for u := range 2 {
		v := YMM()
		if name == "unpackF16" {
			VCVTPH2PS(Mem{Base: src, Disp: 16 * u}, v)
		} else {
			VPMOVZXWD(Mem{Base: src, Disp: 16 * u}, v)
			VPSLLD(Imm(16), v, v)
		}
		VMOVUPS(v, Mem{Base: dst, Disp: 32 * u})
	}
	ADDQ(Imm(32), src)
	ADDQ(Imm(64), dst)
	SUBQ(Imm(16), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// pack rounds 8 floats a step.
func pack(name string, round func(v vec, to Mem)) {
	avx2.Begin(name)
	dst, src, n := param("dst"), param("src"), param("n")
	Label("loop")
	v := YMM()
	VMOVUPS(Mem{Base: src}, v)
	round(v, Mem{Base: dst})
	ADDQ(Imm(32), src)
	ADDQ(Imm(16), dst)
	SUBQ(Imm(8), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// toBF16 adds half a unit, less one where the last bit is even, and drops the
// lower half; a NaN keeps its upper half and becomes quiet.
func toBF16(v vec, to Mem) {
	high, r, nan := YMM(), YMM(), YMM()
	VPSRLD(Imm(16), v, high)
	VPAND(words("one", 1), high, r)
	VPADDD(words("bf16Half", 0x7fff), r, r)
	VPADDD(v, r, r)
	VPSRLD(Imm(16), r, r)
	VCMPPS(Imm(3), v, v, nan) // unordered
	VPOR(words("bf16Quiet", 0x40), high, high)
	VPBLENDVB(nan, high, r, r)
	top := XMM()
	VEXTRACTI128(Imm(1), r, top)
	VPACKUSDW(top, r.AsX(), r.AsX())
	VMOVDQU(r.AsX(), to)
}

// unpackGroup expands the 8 rows of a group, block by block: 4 weights a step
// or, in q4_0, 4 low halves of bytes and 4 high ones.
func unpackGroup(name string, payload int) {
	avx2.Begin(name)
	dst, ld, w, blocks := param("dst"), times(4, param("ld")), param("w"), param("blocks")
	one, low := YMM(), XMM()
	VMOVDQU(words("one", 1), one)
	if payload == 128 {
		VMOVDQU(words("nibble", 15), low)
	}
	Label("block")
	scales8, lane, to := YMM(), zero(YMM()), GP64()
	VCVTPH2PS(Mem{Base: w}, scales8)
	MOVQ(dst, to)
	for r := range 8 {
		scale := YMM()
		VPERMPS(scales8, lane, scale)
		if r < 7 {
			VPADDD(one, lane, lane)
		}
		row := Mem{Base: w, Disp: scales + 4*r}
		if payload == 256 {
			for j := range 8 {
				q := XMM()
				VPMOVSXBD(row.Offset(32*j), q)
				VCVTDQ2PS(q, q)
				VMULPS(scale.AsX(), q, q)
				VMOVUPS(q, Mem{Base: to, Disp: 16 * j})
			}
		} else {
			less := XMM()
			VMULPS(float("minus8", -8), scale.AsX(), less)
			for j := range 4 {
				q, high := XMM(), XMM()
				VPMOVZXBD(row.Offset(32*j), q)
				VPSRLD(Imm(4), q, high)
				VPAND(low, q, q)
				for half, v := range []Op{q, high} {
					VCVTDQ2PS(v, v)
					VFMADD213PS(less, scale.AsX(), v)
					VMOVUPS(v, Mem{Base: to, Disp: 16*j + 64*half})
				}
			}
		}
		if r < 7 {
			ADDQ(ld, to)
		}
	}
	ADDQ(U32(uint32(scales+payload)), w)
	ADDQ(U32(128), dst)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}
