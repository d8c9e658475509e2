package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func wkv4() {
	wkvForward("wkv4x16", 2, false)
	wkvForward("wkv4x8", 1, false)
	wkvForward("wkv4Rest", 1, true)
	wkvGradForward("wkv4GradForwardx8", false)
	wkvGradForward("wkv4GradForwardRest", true)
	wkvGradReverse("wkv4GradReversex8", false)
	wkvGradReverse("wkv4GradReverseRest", true)
}

// weights returns e^(d-max(d,0)) and e^-max(d,0), one of which is 1.
func weights(d, one Vec) (e1, e2 Vec) {
	e := expNeg(negAbs(d))
	e1, e2 = YMM(), YMM()
	VBLENDVPS(d, e, one, e1)
	VBLENDVPS(d, one, e, e2)
	return e1, e2
}

// pair returns e1·x + e2·y, and stores it in x.
func pair(e1, x, e2, y Vec) {
	VMULPS(e1, x, x)
	VFMADD231PS(e2, y, x)
}

// byteStride loads a stride of floats and converts it to bytes.
func byteStride(name string) reg.Register {
	s := Load(Param(name), GP64())
	SHLQ(U8(2), s)
	return s
}

func wkvForward(name string, vectors int, masked bool) {
	f := begin(name, masked)
	steps, stride := Load(Param("T"), GP64()), byteStride("stride")
	one := YMM()
	VMOVUPS(num(1), one)
	var a, b, p []Vec
	for h := range vectors {
		f.disp = 32 * h
		a, b, p = append(a, f.load("a")), append(b, f.load("b")), append(p, f.load("p"))
	}
	Label("step")
	for h := range vectors {
		f.disp = 32 * h
		wkvStep(f, a[h], b[h], p[h], one)
	}
	for _, x := range []string{"y", "k", "v"} {
		ADDQ(stride, f.ptr[x])
	}
	DECQ(steps)
	JNZ(LabelRef("step"))
	for h := range vectors {
		f.disp = 32 * h
		f.store(a[h], "a")
		f.store(b[h], "b")
		f.store(p[h], "p")
	}
	VZEROUPPER()
	RET()
}

// wkvStep computes one step of eight channels.
func wkvStep(f *frame, a, b, p, one Vec) {
	d := f.load("k")
	VADDPS(f.load("u"), d, d)
	VSUBPS(d, p, d)
	e1, e2 := weights(d, one)
	v, y, den := f.load("v"), YMM(), YMM()
	VMULPS(e1, a, y)
	VFMADD231PS(e2, v, y)
	VMOVAPS(e2, den)
	VFMADD231PS(e1, b, den)
	VDIVPS(den, y, y)
	f.store(y, "y")
	wkvUpdate(f, a, b, p, one)
}

// wkvUpdate updates the state (a, b, p) by one step and returns the weight of
// the old state.
func wkvUpdate(f *frame, a, b, p, one Vec) (e1 Vec) {
	k, d := f.load("k"), YMM()
	VADDPS(f.load("w"), p, p)
	VSUBPS(k, p, d)
	VMAXPS(k, p, p)
	e1, e2 := weights(d, one)
	pair(e1, a, e2, f.load("v"))
	VMULPS(e1, b, b)
	VADDPS(e2, b, b)
	return e1
}

// Byte offsets of the arrays of wkvTape and of the four values of a step.
const (
	tapeA, tapeB, tapeP, tapeW, tapeU   = 0, 64, 128, 192, 256
	stepY, stepF, stepS, stepM, stepEnd = 0, 64, 128, 192, 256
)

func wkvGradForward(name string, masked bool) {
	f := begin(name, masked)
	left, stride := Load(Param("T"), GP64()), byteStride("stride")
	tape, step := f.ptr["tape"], f.ptr["steps"]
	one, a, b, p, aw, bw := YMM(), YMM(), YMM(), YMM(), YMM(), YMM()
	VMOVUPS(num(1), one)
	VMOVUPS(Mem{Base: tape, Disp: tapeA}, a)
	VMOVUPS(Mem{Base: tape, Disp: tapeB}, b)
	VMOVUPS(Mem{Base: tape, Disp: tapeP}, p)
	VXORPS(aw, aw, aw)
	VXORPS(bw, bw, bw)
	Label("step")
	m, d := f.load("k"), YMM()
	VADDPS(f.load("u"), m, m)
	VSUBPS(m, p, d)
	VMAXPS(m, p, m)
	VMOVUPS(m, Mem{Base: step, Disp: stepM})
	e1, e2 := weights(d, one)
	v, y, r := f.load("v"), YMM(), YMM()
	VMOVAPS(e2, r)
	VFMADD231PS(e1, b, r)
	VDIVPS(r, one, r)
	VMULPS(e1, a, y)
	VFMADD231PS(e2, v, y)
	VMULPS(r, y, y)
	VMOVUPS(y, Mem{Base: step, Disp: stepY})
	s := f.load("dy")
	VMULPS(r, s, s)
	VMOVUPS(s, Mem{Base: step, Disp: stepS})
	VMULPS(s, e2, e2)
	VMOVUPS(e2, Mem{Base: step, Disp: stepF})
	VSUBPS(y, v, v)
	VMULPS(v, e2, e2)
	VADDPS(Mem{Base: tape, Disp: tapeU}, e2, e2)
	VMOVUPS(e2, Mem{Base: tape, Disp: tapeU})
	VMULPS(s, e1, e1)
	g := YMM()
	VMOVAPS(aw, g)
	VFNMADD231PS(bw, y, g)
	VMULPS(e1, g, g)
	VADDPS(Mem{Base: tape, Disp: tapeW}, g, g)
	VMOVUPS(g, Mem{Base: tape, Disp: tapeW})
	VADDPS(a, aw, aw)
	VADDPS(b, bw, bw)
	e1 = wkvUpdate(f, a, b, p, one)
	VMULPS(e1, aw, aw)
	VMULPS(e1, bw, bw)
	for _, x := range []string{"dy", "k", "v"} {
		ADDQ(stride, f.ptr[x])
	}
	ADDQ(U32(stepEnd), step)
	DECQ(left)
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
}

func wkvGradReverse(name string, masked bool) {
	f := begin(name, masked)
	left, stride := Load(Param("T"), GP64()), byteStride("stride")
	strideK, strideV := byteStride("strideK"), byteStride("strideV")
	step := f.ptr["steps"]
	one, P, Q, o := YMM(), YMM(), YMM(), YMM()
	VMOVUPS(num(1), one)
	VXORPS(P, P, P)
	VXORPS(Q, Q, Q)
	VMOVUPS(num(-1e38), o)
	Label("step")
	e := f.load("k")
	VADDPS(o, e, e)
	e = expNeg(e)
	fd, g := YMM(), f.load("dv")
	VMOVUPS(Mem{Base: step, Disp: stepF}, fd)
	VADDPS(fd, g, g)
	VFMADD231PS(e, P, g)
	f.store(g, "dv")
	v, t := f.load("v"), YMM()
	VMOVAPS(Q, t)
	VFMADD231PS(P, v, t)
	VMULPS(e, t, t)
	VSUBPS(Mem{Base: step, Disp: stepY}, v, v)
	VFMADD231PS(fd, v, t)
	VADDPS(f.load("dk"), t, t)
	f.store(t, "dk")
	VADDPS(f.load("w"), o, o)
	d, m := YMM(), YMM()
	VADDPS(Mem{Base: step, Disp: stepM}, o, d)
	VXORPS(m, m, m)
	VSUBPS(Mem{Base: step, Disp: stepM}, m, m)
	VMAXPS(m, o, o)
	e1, e2 := weights(d, one)
	VMULPS(Mem{Base: step, Disp: stepS}, e2, e2)
	VMULPS(e1, P, P)
	VADDPS(e2, P, P)
	VMULPS(e1, Q, Q)
	VFNMADD231PS(Mem{Base: step, Disp: stepY}, e2, Q)
	for _, x := range []string{"k", "v"} {
		SUBQ(stride, f.ptr[x])
	}
	SUBQ(strideK, f.ptr["dk"])
	SUBQ(strideV, f.ptr["dv"])
	SUBQ(U32(stepEnd), step)
	DECQ(left)
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
}
