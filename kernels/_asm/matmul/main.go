// Package matmul generates the AVX2+FMA assembly of the matrix products.
package matmul

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"workbench/kernels/_asm/avx2"
)

const tileN = 16

// Write generates all functions.
func Write() {
	for rows := 1; rows <= 6; rows++ {
		tile(rows)
	}
	for _, rows := range []int{1, 4} {
		for _, cols := range []int{1, 2} {
			dots(rows, cols)
		}
	}
	dots(4, 3)
	packTransposed()
	copyPanels()
	packRows()
	fmaPeak()
	readAll()
}

func param(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// bytes converts a count of floats to bytes.
func bytes(r reg.GPVirtual) reg.GPVirtual { SHLQ(Imm(2), r); return r }

// tile is c[rows,16] (+)= a·b over k: elements of a are broadcast, b is read 16
// floats a step.
func tile(rows int) {
	name := fmt.Sprintf("tile%dx16", rows)
	avx2.Begin(name)
	c, ldc := param("c"), bytes(param("ldc"))
	a, am, ak := param("a"), bytes(param("am")), bytes(param("ak"))
	b, bk, k := param("b"), bytes(param("bk")), param("k")

	a3 := GP64()
	if rows > 3 {
		LEAQ(Mem{Base: am, Index: am, Scale: 2}, a3)
		ADDQ(a, a3)
	}
	at := func(m int) Mem {
		base := a
		if m >= 3 {
			base, m = a3, m-3
		}
		if m == 0 {
			return Mem{Base: base}
		}
		return Mem{Base: base, Index: am, Scale: uint8(m)}
	}
	var sum [6][2]reg.VecVirtual
	for m := range rows {
		for h := range 2 {
			sum[m][h] = YMM()
			VXORPS(sum[m][h], sum[m][h], sum[m][h])
		}
	}
	row := GP64()
	MOVQ(c, row)
	for m := range rows {
		PREFETCHT0(Mem{Base: row})
		if m < rows-1 {
			ADDQ(ldc, row)
		}
	}
	next := param("next")
	b0, b1, x := YMM(), YMM(), [2]reg.VecVirtual{YMM(), YMM()}
	step := func() {
		VMOVUPS(Mem{Base: b}, b0)
		VMOVUPS(Mem{Base: b, Disp: 32}, b1)
		for m := range rows {
			v := x[m%2]
			VBROADCASTSS(at(m), v)
			VFMADD231PS(b0, v, sum[m][0])
			VFMADD231PS(b1, v, sum[m][1])
		}
		ADDQ(ak, a)
		if rows > 3 {
			ADDQ(ak, a3)
		}
		ADDQ(bk, b)
	}
	SUBQ(Imm(4), k)
	JLT(LabelRef("rest"))
	Label("four")
	PREFETCHT1(Mem{Base: next})
	ADDQ(U32(256), next)
	for range 4 {
		step()
	}
	SUBQ(Imm(4), k)
	JGE(LabelRef("four"))
	Label("rest")
	ADDQ(Imm(4), k)
	JZ(LabelRef("store"))
	Label("one")
	step()
	DECQ(k)
	JNZ(LabelRef("one"))

	Label("store")
	acc := Load(Param("acc"), GP8())
	TESTB(acc, acc)
	JZ(LabelRef("write"))
	MOVQ(c, row)
	for m := range rows {
		VADDPS(Mem{Base: row}, sum[m][0], sum[m][0])
		VADDPS(Mem{Base: row, Disp: 32}, sum[m][1], sum[m][1])
		if m < rows-1 {
			ADDQ(ldc, row)
		}
	}
	Label("write")
	for m := range rows {
		VMOVUPS(sum[m][0], Mem{Base: c})
		VMOVUPS(sum[m][1], Mem{Base: c, Disp: 32})
		if m < rows-1 {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}
