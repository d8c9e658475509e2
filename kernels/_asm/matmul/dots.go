package matmul

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"workbench/kernels/_asm/avx2"
)

// dots is y[rows,cols] = a·bᵀ over k.
func dots(rows, cols int) {
	name := fmt.Sprintf("dots%dx%d", rows, cols)
	avx2.Begin(name)
	y, ym, yn := param("y"), bytes(param("ym")), bytes(param("yn"))
	a, lda := param("a"), bytes(param("lda"))
	b, ldb, k := param("b"), bytes(param("ldb")), param("k")

	three := func(base, ld reg.GPVirtual, n int) reg.GPVirtual {
		if n <= 3 {
			return nil
		}
		r := GP64()
		LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, r)
		ADDQ(base, r)
		return r
	}
	a3 := three(a, lda, rows)
	at := func(base, far, ld reg.GPVirtual, i, disp int) Mem {
		switch i {
		case 0:
			return Mem{Base: base, Disp: disp}
		case 3:
			return Mem{Base: far, Disp: disp}
		}
		return Mem{Base: base, Index: ld, Scale: uint8(i), Disp: disp}
	}
	unroll := 1
	if rows*cols < 8 {
		unroll = 2
	}
	sums := make([]reg.VecVirtual, rows*cols*unroll)
	for i := range sums {
		sums[i] = YMM()
		VXORPS(sums[i], sums[i], sums[i])
	}
	body := func(u int) {
		var bv []reg.VecVirtual
		for n := range cols {
			v := YMM()
			VMOVUPS(at(b, nil, ldb, n, 32*u), v)
			bv = append(bv, v)
		}
		for m := range rows {
			v := YMM()
			VMOVUPS(at(a, a3, lda, m, 32*u), v)
			for n := range cols {
				VFMADD231PS(v, bv[n], sums[(m*cols+n)*unroll+u])
			}
		}
	}
	advance := func(n int) {
		ADDQ(Imm(uint64(4*n)), a)
		if a3 != nil {
			ADDQ(Imm(uint64(4*n)), a3)
		}
		ADDQ(Imm(uint64(4*n)), b)
	}
	SUBQ(Imm(uint64(8*unroll)), k)
	JLT(LabelRef("tail"))
	Label("loop")
	for u := range unroll {
		body(u)
	}
	advance(8 * unroll)
	SUBQ(Imm(uint64(8*unroll)), k)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(Imm(uint64(8*unroll)), k)
	if unroll > 1 {
		SUBQ(Imm(8), k)
		JLT(LabelRef("masked"))
		body(0)
		advance(8)
		SUBQ(Imm(8), k)
		Label("masked")
		ADDQ(Imm(8), k)
	}
	JZ(LabelRef("reduce"))
	mask, table, end := YMM(), GP64(), GP64()
	LEAQ(maskTable(), table)
	MOVQ(U32(8), end)
	SUBQ(k, end)
	VMOVUPS(Mem{Base: table, Index: end, Scale: 4}, mask)
	for n := range cols {
		bv := YMM()
		VMASKMOVPS(at(b, nil, ldb, n, 0), mask, bv)
		for m := range rows {
			v := YMM()
			VMASKMOVPS(at(a, a3, lda, m, 0), mask, v)
			VFMADD231PS(v, bv, sums[(m*cols+n)*unroll])
		}
	}

	Label("reduce")
	acc := Load(Param("acc"), GP8())
	if rows == 4 {
		y3 := GP64()
		LEAQ(Mem{Base: ym, Index: ym, Scale: 2}, y3)
		ADDQ(y, y3)
		for n := range cols {
			var four [4]reg.VecVirtual
			for m := range four {
				four[m] = sums[(m*cols+n)*unroll]
				if unroll > 1 {
					VADDPS(sums[(m*cols+n)*unroll+1], four[m], four[m])
				}
			}
			lo := sumOfFour(four)
			skip := fmt.Sprintf("new%d", n)
			TESTB(acc, acc)
			JZ(LabelRef(skip))
			old := XMM()
			VMOVSS(at(y, y3, ym, 0, 0), old)
			for m := 1; m < 4; m++ {
				VINSERTPS(Imm(uint64(m)<<4), at(y, y3, ym, m, 0), old, old)
			}
			VADDPS(old, lo, lo)
			Label(skip)
			VMOVSS(lo, at(y, y3, ym, 0, 0))
			for m := 1; m < 4; m++ {
				VEXTRACTPS(Imm(uint64(m)), lo, at(y, y3, ym, m, 0))
			}
			if n < cols-1 {
				ADDQ(yn, y)
				ADDQ(yn, y3)
			}
		}
		VZEROUPPER()
		RET()
		return
	}
	for m := range rows {
		row := GP64()
		MOVQ(y, row)
		for n := range cols {
			s := sums[(m*cols+n)*unroll]
			if unroll > 1 {
				VADDPS(sums[(m*cols+n)*unroll+1], s, s)
			}
			lo, hi := s.AsX(), XMM()
			VEXTRACTF128(Imm(1), s, hi)
			VADDPS(hi, lo, lo)
			VMOVHLPS(lo, lo, hi)
			VADDPS(hi, lo, lo)
			VMOVSHDUP(lo, hi)
			VADDSS(hi, lo, lo)
			skip := fmt.Sprintf("new%d_%d", m, n)
			TESTB(acc, acc)
			JZ(LabelRef(skip))
			VADDSS(Mem{Base: row}, lo, lo)
			Label(skip)
			VMOVSS(lo, Mem{Base: row})
			if n < cols-1 {
				ADDQ(yn, row)
			}
		}
		if m < rows-1 {
			ADDQ(ym, y)
		}
	}
	VZEROUPPER()
	RET()
}

// sumOfFour returns the lane sums of four vectors as the four floats of one.
func sumOfFour(s [4]reg.VecVirtual) reg.VecVirtual {
	pair := func(a, b reg.VecVirtual, lo, hi func(...Op)) reg.VecVirtual {
		l := YMM()
		lo(b, a, l)
		hi(b, a, a)
		VADDPS(a, l, l)
		return l
	}
	lops := func(o ...Op) { VUNPCKLPS(o[0], o[1], o[2]) }
	hips := func(o ...Op) { VUNPCKHPS(o[0], o[1], o[2]) }
	lopd := func(o ...Op) { VUNPCKLPD(o[0], o[1], o[2]) }
	hipd := func(o ...Op) { VUNPCKHPD(o[0], o[1], o[2]) }
	all := pair(pair(s[0], s[1], lops, hips), pair(s[2], s[3], lops, hips), lopd, hipd)
	high := XMM()
	VEXTRACTF128(Imm(1), all, high)
	VADDPS(high, all.AsX(), high)
	return high.(reg.VecVirtual)
}

var table *Mem

// maskTable is eight ones followed by eight zeros, as lanes: read 8-n floats
// in, it selects the first n lanes.
func maskTable() Mem {
	if table == nil {
		m := GLOBL("matmulMask", RODATA|NOPTR)
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
