package matvec

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"workbench/kernels/_asm/avx2"
)

// Layout of a block of inputs: 32 int8, their scale and -8 times their sum.
const (
	inputScale = 32
	inputOff   = 36
	inputSize  = 40
	scales     = 16 // bytes of a group's 8 scales, before its weights
)

// dotGroups multiplies groups of 8 interleaved rows in four streams by one
// vector, block by block: the integer sums that body computes for each row,
// times both scales.
func dotGroups(name string, payload int, body func(w four, x Mem, sum *[4]vec)) {
	avx2.Begin(name)
	y := streams(param("y"), times(4, param("yfar")))
	w := streams(param("w"), param("far"))
	x, blocks, groups := param("x"), param("blocks"), param("groups")

	Label("group")
	var acc, sum [4]vec
	for i := range acc {
		acc[i] = zero(YMM())
		sum[i] = YMM()
	}
	xs, left := GP64(), GP64()
	MOVQ(x, xs)
	MOVQ(blocks, left)
	Label("block")
	body(w, Mem{Base: xs}, &sum)
	d := YMM()
	VBROADCASTSS(Mem{Base: xs, Disp: inputScale}, d)
	for i := range 4 {
		scale := YMM()
		VCVTPH2PS(w.at(i, 0), scale)
		VMULPS(d, scale, scale)
		VCVTDQ2PS(sum[i], sum[i])
		VFMADD231PS(sum[i], scale, acc[i])
	}
	ADDQ(Imm(inputSize), xs)
	w.advance(U32(uint32(scales + payload)))
	DECQ(left)
	JNZ(LabelRef("block"))
	for i := range 4 {
		VMOVUPS(acc[i], y.at(i, 0))
	}
	y.advance(Imm(32))
	DECQ(groups)
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
}

// q8 sums four products a lane: |weight| times the input with the sign of the
// weight.
func q8(w four, x Mem, sum *[4]vec) {
	ones := words("ones16", 0x00010001)
	for j := range 8 {
		in := YMM()
		VPBROADCASTD(x.Offset(4*j), in)
		for i := range 4 {
			v, magnitude := YMM(), YMM()
			VMOVDQU(w.at(i, scales+32*j), v)
			VPABSB(v, magnitude)
			VPSIGNB(v, in, v)
			VPMADDUBSW(v, magnitude, v)
			if j == 0 {
				VPMADDWD(ones, v, sum[i])
				continue
			}
			VPMADDWD(ones, v, v)
			VPADDD(v, sum[i], sum[i])
		}
	}
}

// q4 sums 16 products in 16 bits, at most 15·128·16 = 30720, then in 32.
func q4(w four, x Mem, sum *[4]vec) {
	ones, low := words("ones16", 0x00010001), YMM()
	VMOVDQU(words("nibbles", 0x0f0f0f0f), low)
	for j := range 4 {
		first, second := YMM(), YMM()
		VPBROADCASTD(x.Offset(4*j), first)
		VPBROADCASTD(x.Offset(16+4*j), second)
		for i := range 4 {
			v, high := YMM(), YMM()
			VMOVDQU(w.at(i, scales+32*j), v)
			VPSRLW(Imm(4), v, high)
			VPAND(low, v, v)
			VPAND(low, high, high)
			VPMADDUBSW(second, high, high)
			if j == 0 {
				VPMADDUBSW(first, v, sum[i])
			} else {
				VPMADDUBSW(first, v, v)
				VPADDW(v, sum[i], sum[i])
			}
			VPADDW(high, sum[i], sum[i])
		}
	}
	off := YMM()
	VPBROADCASTD(x.Offset(inputOff), off)
	for i := range 4 {
		VPMADDWD(ones, sum[i], sum[i])
		VPADDD(off, sum[i], sum[i])
	}
}

var constants = map[string]Mem{}

// words is a vector of eight copies of v.
func words(name string, v uint32) Mem {
	m, ok := constants[name]
	if !ok {
		m = GLOBL("matvec_"+name, RODATA|NOPTR)
		for i := range 8 {
			DATA(4*i, U32(v))
		}
		constants[name] = m
	}
	return m
}

func float(name string, v float32) Mem { return words(name, math.Float32bits(v)) }

// quantise converts 32 floats to a block of inputs.
func quantise() {
	avx2.Begin("quantiseInputs")
	dst, x, blocks := param("dst"), param("x"), param("n")
	order := GLOBL("matvec_order", RODATA|NOPTR)
	for i, lane := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(lane))
	}
	Label("block")
	var v [4]vec
	most := YMM()
	for i := range v {
		v[i] = YMM()
		VMOVUPS(Mem{Base: x, Disp: 32 * i}, v[i])
		bits := YMM()
		VANDPS(words("magnitude", 0x7fffffff), v[i], bits)
		if i == 0 {
			VMOVAPS(bits, most)
		} else {
			VPMAXSD(bits, most, most)
		}
	}
	top := across(most, func(a, b Op) { VPMAXSD(a, b, b) })
	d, inverse, positive := XMM(), XMM(), XMM()
	VDIVSS(float("most", 127), top, d)
	VMOVSS(d, Mem{Base: dst, Disp: inputScale})
	VMOVSS(float("most", 127), inverse)
	VDIVSS(top, inverse, inverse)
	VCMPSS(Imm(0x1e), float("tiny", 1e-30), top, positive)
	VANDPS(positive, inverse, inverse)
	factor := YMM()
	VBROADCASTSS(inverse, factor)
	total := YMM()
	for i := range v {
		VMULPS(factor, v[i], v[i])
		VCVTPS2DQ(v[i], v[i])
		if i == 0 {
			VMOVDQA(v[i], total)
		} else {
			VPADDD(v[i], total, total)
		}
	}
	VPACKSSDW(v[1], v[0], v[0])
	VPACKSSDW(v[3], v[2], v[2])
	VPACKSSWB(v[2], v[0], v[0])
	VMOVDQU(order, v[1])
	VPERMD(v[0], v[1], v[0])
	VMOVDQU(v[0], Mem{Base: dst})
	sum, off := across(total, func(a, b Op) { VPADDD(a, b, b) }), GP32()
	VMOVD(sum, off)
	SHLL(Imm(3), off)
	NEGL(off)
	MOVL(off, Mem{Base: dst, Disp: inputOff})
	ADDQ(U32(128), x)
	ADDQ(Imm(inputSize), dst)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// across reduces the eight lanes of v to the first by join.
func across(v vec, join func(a, b Op)) Op {
	x, t := v.AsX(), XMM()
	VEXTRACTI128(Imm(1), v, t)
	join(t, x)
	VPSHUFD(Imm(0x0e), x, t)
	join(t, x)
	VPSHUFD(Imm(0x01), x, t)
	join(t, x)
	return x
}
