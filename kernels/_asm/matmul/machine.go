package matmul

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"workbench/kernels/_asm/avx2"
)

// fmaPeak runs multiply-adds in registers, in 12 independent chains to hide
// their latency.
func fmaPeak() {
	avx2.Begin("fmaLoop")
	n := param("rounds")
	var s [12]reg.VecVirtual
	for i := range s {
		s[i] = YMM()
		VXORPS(s[i], s[i], s[i])
	}
	x := YMM()
	VXORPS(x, x, x)
	Label("loop")
	for i := range s {
		VFMADD231PS(x, x, s[i])
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// readAll sums four streams that lie far apart.
func readAll() {
	avx2.Begin("readStreams")
	x, stride, n := param("x"), bytes(param("stride")), param("n")
	x3 := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, x3)
	ADDQ(x, x3)
	var s [8]reg.VecVirtual
	for i := range s {
		s[i] = YMM()
		VXORPS(s[i], s[i], s[i])
	}
	Label("loop")
	for i, m := range []Mem{{Base: x}, {Base: x, Index: stride, Scale: 1}, {Base: x, Index: stride, Scale: 2}, {Base: x3}} {
		VADDPS(m, s[2*i], s[2*i])
		m.Disp = 32
		VADDPS(m, s[2*i+1], s[2*i+1])
	}
	ADDQ(Imm(64), x)
	ADDQ(Imm(64), x3)
	SUBQ(Imm(16), n)
	JNZ(LabelRef("loop"))
	for i := 1; i < len(s); i++ {
		VADDPS(s[i], s[0], s[0])
	}
	lo, hi := s[0].AsX(), XMM()
	VEXTRACTF128(Imm(1), s[0], hi)
	VADDPS(hi, lo, lo)
	VMOVHLPS(lo, lo, hi)
	VADDPS(hi, lo, lo)
	VMOVSHDUP(lo, hi)
	VADDSS(hi, lo, lo)
	VMOVSS(lo, NewParamAddr("ret", 24))
	VZEROUPPER()
	RET()
}
