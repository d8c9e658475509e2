package ops

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows generates the parts of layer norm, softmax and attention that process
// one row a call.
func rows() {
	normRows()
	normGradRows()
	softmaxRows()
}

func softmaxRows() {
	maxOf()
	firstOf()
	reduce("expShift", func(f *frame, s []Vec) {
		f.fetchNext()
		e := f.load("x")
		VFMSUB213PS(s[1], s[0], e)
		e = expNeg(e)
		f.store(e, "y")
		f.zeroRest(e)
		VADDPS(e, f.acc[0], f.acc[0])
	})
	reduce("sumExpShift", func(f *frame, s []Vec) {
		f.fetchNext()
		e := f.load("x")
		VSUBPS(s[0], e, e)
		e = expNeg(e)
		f.zeroRest(e)
		VADDPS(e, f.acc[0], f.acc[0])
	})
	lanes("addExpShift", func(f *frame, s []Vec) {
		e, y := f.load("x"), f.load("y")
		VSUBPS(s[0], e, e)
		VFMADD231PS(expNeg(e), s[1], y)
		f.store(y, "y")
	})
}

// maxOf initialises every lane with -Inf.
func maxOf() {
	ptr := text("maxOf")
	n := Load(Param("n"), GP64())
	accs := make([][]Vec, reduceUnroll)
	for u := range accs {
		accs[u] = []Vec{YMM()}
		VMOVUPS(num(math.Inf(-1)), accs[u][0])
	}
	loop(ptr, n, accs, reduceUnroll, func(f *frame) {
		v := f.load("x")
		if f.mask != nil {
			VBLENDVPS(f.mask, v, f.acc[0], v)
		}
		VMAXPS(v, f.acc[0], f.acc[0])
	})
	top, t := accs[0][0], XMM()
	for u := 1; u < reduceUnroll; u++ {
		VMAXPS(accs[u][0], top, top)
	}
	VEXTRACTF128(U8(1), top, t)
	VMAXPS(t, top.AsX(), top.AsX())
	VMOVHLPS(top.AsX(), top.AsX(), t)
	VMAXPS(t, top.AsX(), top.AsX())
	VMOVSHDUP(top.AsX(), t)
	VMAXSS(t, top.AsX(), top.AsX())
	VZEROUPPER()
	Store(top.AsX(), ReturnIndex(0))
	RET()
}

// firstOf compares eight floats at a time.
func firstOf() {
	ptr := text("firstOf")
	n, want := Load(Param("n"), GP64()), scalar("v")
	var i reg.GPVirtual
	bits := GP32()
	loop(ptr, n, nil, 1, func(f *frame) {
		equal := f.load("x")
		VCMPPS(U8(0), want, equal, equal)
		f.zeroRest(equal)
		VMOVMSKPS(equal, bits)
		TESTL(bits, bits)
		JNZ(LabelRef("found"))
		i = f.offset
	})
	none := Load(Param("n"), GP64())
	Store(none, ReturnIndex(0))
	VZEROUPPER()
	RET()
	Label("found")
	BSFL(bits, bits)
	SHRQ(U8(2), i)
	ADDQ(bits.As64(), i)
	Store(i, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
