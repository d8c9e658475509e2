package matmul

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"workbench/kernels/_asm/avx2"
)

// packTransposed turns 16 rows of k floats into k rows of 16.
func packTransposed() {
	avx2.Begin("pack16")
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
	avx2.Begin("copy16")
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
	avx2.Begin("pack6")
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
