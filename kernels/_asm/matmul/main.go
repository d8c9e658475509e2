// Command matmul writes the AVX2+FMA assembly of the matrix products.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const tileN = 16

func main() {
	ConstraintExpr("!purego")
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
	Generate()
}

func param(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// bytes multiplies a count of floats by their size.
func bytes(r reg.GPVirtual) reg.GPVirtual { SHLQ(Imm(2), r); return r }

// tile is c[rows,16] (+)= a·b over k: a is broadcast from its rows, b is read
// 16 floats a step.
func tile(rows int) {
	name := fmt.Sprintf("tile%dx16", rows)
	TEXT(name, NOSPLIT, "func(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, next *float32, acc bool)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is c[%d,16] = a·b, or += with acc; a's element (m,k) is am and ak floats apart, b's rows are bk apart. It fetches a line in four of the panel at next.", name, rows))
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

// dots is y[rows,cols] = a·bᵀ over k.
func dots(rows, cols int) {
	name := fmt.Sprintf("dots%dx%d", rows, cols)
	TEXT(name, NOSPLIT, "func(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is y[%d,%d] = a·bᵀ, or += with acc, over k floats of rows lda and ldb floats apart; y's element (m,n) is ym and yn floats apart.", name, rows, cols))
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

// sumOfFour is the sums of four vectors as the four floats of one.
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

// packTransposed turns 16 rows of k floats into k rows of 16.
func packTransposed() {
	TEXT("pack16", NOSPLIT, "func(dst, src *float32, ld, k int)")
	Pragma("noescape")
	Doc("pack16 writes dst[k,16] = src[16,k]ᵀ, rows of src ld floats apart; k is a multiple of 8.")
	dst, src, ld, k := param("dst"), param("src"), bytes(param("ld")), param("k")
	ld3, src4 := GP64(), GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	Label("eight")
	row := GP64()
	MOVQ(src, row)
	for half := range 2 {
		LEAQ(Mem{Base: row, Index: ld, Scale: 4}, src4)
		var r [8]reg.VecVirtual
		for i := range r {
			base := row
			if i >= 4 {
				base = src4
			}
			m := Mem{Base: base}
			switch i % 4 {
			case 1:
				m = Mem{Base: base, Index: ld, Scale: 1}
			case 2:
				m = Mem{Base: base, Index: ld, Scale: 2}
			case 3:
				m = Mem{Base: base, Index: ld3, Scale: 1}
			}
			r[i] = YMM()
			VMOVUPS(m, r[i])
		}
		for i, v := range transposed(r) {
			VMOVUPS(v, Mem{Base: dst, Disp: 64*i + 32*half})
		}
		if half == 0 {
			LEAQ(Mem{Base: src4, Index: ld, Scale: 4}, row)
		}
	}
	ADDQ(Imm(32), src)
	ADDQ(U32(512), dst)
	SUBQ(Imm(8), k)
	JNZ(LabelRef("eight"))
	VZEROUPPER()
	RET()
}

// copyPanels copies k rows of panels·16 floats into panels of k rows of 16.
func copyPanels() {
	TEXT("copy16", NOSPLIT, "func(dst, src *float32, ld, panels, k int)")
	Pragma("noescape")
	Doc("copy16 writes dst[panels,k,16] = src[k,panels·16], rows of src ld floats apart.")
	dst, src, ld := param("dst"), param("src"), bytes(param("ld"))
	panels, k, far := param("panels"), param("k"), GP64()
	MOVQ(k, far)
	SHLQ(Imm(6), far)
	ahead := GP64()
	MOVQ(ld, ahead)
	SHLQ(Imm(3), ahead)
	Label("row")
	from, to, n := GP64(), GP64(), GP64()
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(panels, n)
	Label("panel")
	PREFETCHT0(Mem{Base: from, Index: ahead, Scale: 1})
	lo, hi := YMM(), YMM()
	VMOVUPS(Mem{Base: from}, lo)
	VMOVUPS(Mem{Base: from, Disp: 32}, hi)
	VMOVUPS(lo, Mem{Base: to})
	VMOVUPS(hi, Mem{Base: to, Disp: 32})
	ADDQ(Imm(64), from)
	ADDQ(far, to)
	DECQ(n)
	JNZ(LabelRef("panel"))
	ADDQ(ld, src)
	ADDQ(Imm(64), dst)
	DECQ(k)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// packRows copies k rows of floats into groups of k rows of six.
func packRows() {
	TEXT("pack6", NOSPLIT, "func(dst *float32, stride int, src *float32, ld, rows, k int)")
	Pragma("noescape")
	Doc("pack6 writes dst[⌈rows/6⌉,k,6] = src[k,rows], groups of dst stride and rows of src ld floats apart; it writes 8 floats a step.")
	dst, stride, src := param("dst"), bytes(param("stride")), param("src")
	ld, rows, k := bytes(param("ld")), param("rows"), param("k")
	from, to, n := GP64(), GP64(), GP64()
	table, end, six, rest := GP64(), GP64(), YMM(), YMM()
	LEAQ(maskTable(), table)
	VMOVUPS(Mem{Base: table, Disp: 8}, six)
	MOVQ(rows, n)
	Label("mod")
	MOVQ(n, end)
	SUBQ(Imm(6), n)
	JGE(LabelRef("mod"))
	NEGQ(end)
	VMOVUPS(Mem{Base: table, Index: end, Scale: 4, Disp: 32}, rest)

	ahead := GP64()
	MOVQ(ld, ahead)
	SHLQ(Imm(3), ahead)

	v := YMM()
	Label("row")
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(rows, n)
	SUBQ(Imm(6), n)
	JLT(LabelRef("rest"))
	Label("group")
	PREFETCHT0(Mem{Base: from, Index: ahead, Scale: 1})
	VMASKMOVPS(Mem{Base: from}, six, v)
	VMOVUPS(v, Mem{Base: to})
	ADDQ(Imm(24), from)
	ADDQ(stride, to)
	SUBQ(Imm(6), n)
	JGE(LabelRef("group"))
	Label("rest")
	CMPQ(n, I32(-6))
	JE(LabelRef("next"))
	VMASKMOVPS(Mem{Base: from}, rest, v)
	VMOVUPS(v, Mem{Base: to})
	Label("next")
	ADDQ(ld, src)
	ADDQ(Imm(24), dst)
	DECQ(k)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// transposed is the transpose of eight rows of eight floats.
func transposed(r [8]reg.VecVirtual) [8]reg.VecVirtual {
	var t, u, v [8]reg.VecVirtual
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			u[i+2*j], u[i+2*j+1] = YMM(), YMM()
			VSHUFPS(Imm(0x44), t[i+2+j], t[i+j], u[i+2*j])
			VSHUFPS(Imm(0xee), t[i+2+j], t[i+j], u[i+2*j+1])
		}
	}
	for i := range 4 {
		v[i], v[i+4] = YMM(), YMM()
		VPERM2F128(Imm(0x20), u[i+4], u[i], v[i])
		VPERM2F128(Imm(0x31), u[i+4], u[i], v[i+4])
	}
	return v
}
