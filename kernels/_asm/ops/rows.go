package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// rows are the pieces of layer norm, softmax and attention: one row a call.
func rows() {
	reduce("sum", "returns Σ x.", []string{"x"}, nil, 1, func(f *frame, _ []Vec) {
		VADDPS(f.load("x"), f.acc[0], f.acc[0])
	})
	reduce("sumDev", "returns Σ (x-mean)².", []string{"x"}, []string{"mean"}, 1, func(f *frame, s []Vec) {
		d := f.load("x")
		VSUBPS(s[0], d, d)
		f.zeroRest(d)
		VFMADD231PS(d, d, f.acc[0])
	})
	reduce("dot", "returns Σ a·b.", []string{"a", "b"}, nil, 1, func(f *frame, _ []Vec) {
		VFMADD231PS(f.load("a"), f.load("b"), f.acc[0])
	})
	lanes("normApply", "is y = (x-mean)·rstd·w + b.", []string{"y", "x", "w", "b"}, []string{"mean", "rstd"}, func(f *frame, s []Vec) {
		v := normalised(f, s)
		w := f.load("w")
		VFMADD213PS(f.load("b"), w, v)
		f.store(v, "y")
	})
	reduce("normSums", "returns Σ g and Σ g·h, g = dy·w, h = (x-mean)·rstd.", []string{"dy", "x", "w"}, []string{"mean", "rstd"}, 2, func(f *frame, s []Vec) {
		h, g := normalised(f, s), f.load("dy")
		VMULPS(f.load("w"), g, g)
		VADDPS(g, f.acc[0], f.acc[0])
		VFMADD231PS(g, h, f.acc[1])
	})
	lanes("normBack", "is dx += rstd·(g - meanG - h·meanGH).", []string{"dx", "dy", "x", "w"}, []string{"mean", "rstd", "meanG", "meanGH"}, func(f *frame, s []Vec) {
		h, g, d := normalised(f, s), f.load("dy"), f.load("dx")
		VMULPS(f.load("w"), g, g)
		VSUBPS(s[2], g, g)
		VFNMADD231PS(h, s[3], g)
		VFMADD231PS(g, s[1], d)
		f.store(d, "dx")
	})
	columns("normWeight", "is out += Σ dy·(x-mean)·rstd.", []string{"dy", "x"}, []string{"mean", "rstd"}, func(f *frame, row map[string]Vec) {
		h := f.load("x")
		VSUBPS(row["mean"], h, h)
		VMULPS(row["rstd"], h, h)
		VFMADD231PS(f.load("dy"), h, f.acc[0])
	})
	softmaxRows()
	attentionRows()
}

// normalised returns (x-mean)·rstd; s begins with mean and rstd.
func normalised(f *frame, s []Vec) Vec {
	v := f.load("x")
	VSUBPS(s[0], v, v)
	VMULPS(s[1], v, v)
	return v
}

func softmaxRows() {
	maxOf()
	reduce("expShift", "is y = e^(scale·x-top); it returns Σ y.", []string{"y", "x"}, []string{"scale", "top"}, 1, func(f *frame, s []Vec) {
		e := f.load("x")
		VFMSUB213PS(s[1], s[0], e)
		e = expNeg(e)
		f.store(e, "y")
		f.zeroRest(e)
		VADDPS(e, f.acc[0], f.acc[0])
	})
	reduce("sumExpShift", "returns Σ e^(x-top).", []string{"x"}, []string{"top"}, 1, func(f *frame, s []Vec) {
		e := f.load("x")
		VSUBPS(s[0], e, e)
		e = expNeg(e)
		f.zeroRest(e)
		VADDPS(e, f.acc[0], f.acc[0])
	})
	lanes("addExpShift", "is y += scale·e^(x-shift).", []string{"y", "x"}, []string{"shift", "scale"}, func(f *frame, s []Vec) {
		e, y := f.load("x"), f.load("y")
		VSUBPS(s[0], e, e)
		VFMADD231PS(expNeg(e), s[1], y)
		f.store(y, "y")
	})
	lanes("softmaxBack", "is ds = p·(ds-d)·scale.", []string{"ds", "p"}, []string{"d", "scale"}, func(f *frame, s []Vec) {
		v := f.load("ds")
		VSUBPS(s[0], v, v)
		VMULPS(f.load("p"), v, v)
		VMULPS(s[1], v, v)
		f.store(v, "ds")
	})
}

// maxOf starts every lane from -Inf.
func maxOf() {
	ptr := text("maxOf", "returns the largest of x.", []string{"x"}, nil, " float32")
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

// attentionRows write the two halves of a decode step over n rows of keys or
// values, stride floats apart: H heads of D channels, D a multiple of 8.
func attentionRows() {
	headDots()
	headSums()
}

func headDots() {
	TEXT("headDotsAVX2", NOSPLIT, "func(scores, q, k *float32, n, stride, H, D int)")
	Pragma("noescape")
	Doc("headDotsAVX2 is scores[h·n+i] = q[h]·k[i,h]; D is a multiple of 8.")
	scores, query, key := Load(Param("scores"), GP64()), Load(Param("q"), GP64()), Load(Param("k"), GP64())
	n, stride, heads, width := Load(Param("n"), GP64()), Load(Param("stride"), GP64()), Load(Param("H"), GP64()), Load(Param("D"), GP64())
	SHLQ(U8(2), stride)
	left, head, q, k, s, d := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	MOVQ(n, left)
	Label("rows")
	TESTQ(left, left)
	JZ(LabelRef("done"))
	MOVQ(query, q)
	MOVQ(key, k)
	MOVQ(scores, s)
	MOVQ(heads, head)
	Label("heads")
	sum, v := YMM(), YMM()
	VXORPS(sum, sum, sum)
	MOVQ(width, d)
	Label("channels")
	VMOVUPS(Mem{Base: q}, v)
	VFMADD231PS(Mem{Base: k}, v, sum)
	ADDQ(U8(32), q)
	ADDQ(U8(32), k)
	SUBQ(U8(8), d)
	JNZ(LabelRef("channels"))
	sumLanes(sum)
	VMOVSS(sum.AsX(), Mem{Base: s})
	LEAQ(Mem{Base: s, Index: n, Scale: 4}, s)
	DECQ(head)
	JNZ(LabelRef("heads"))
	ADDQ(stride, key)
	ADDQ(U8(4), scores)
	DECQ(left)
	JMP(LabelRef("rows"))
	Label("done")
	VZEROUPPER()
	RET()
}

func headSums() {
	TEXT("headSumsAVX2", NOSPLIT, "func(y, p, v *float32, n, stride, H, D int)")
	Pragma("noescape")
	Doc("headSumsAVX2 is y[h] += Σ_i p[h·n+i]·v[i,h]; D is a multiple of 8.")
	out, weight, value := Load(Param("y"), GP64()), Load(Param("p"), GP64()), Load(Param("v"), GP64())
	n, stride, heads, width := Load(Param("n"), GP64()), Load(Param("stride"), GP64()), Load(Param("H"), GP64()), Load(Param("D"), GP64())
	SHLQ(U8(2), stride)
	left, head, y, v, p, d := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	MOVQ(n, left)
	Label("rows")
	TESTQ(left, left)
	JZ(LabelRef("done"))
	MOVQ(out, y)
	MOVQ(value, v)
	MOVQ(weight, p)
	MOVQ(heads, head)
	Label("heads")
	w, t := YMM(), YMM()
	VBROADCASTSS(Mem{Base: p}, w)
	MOVQ(width, d)
	Label("channels")
	VMOVUPS(Mem{Base: y}, t)
	VFMADD231PS(Mem{Base: v}, w, t)
	VMOVUPS(t, Mem{Base: y})
	ADDQ(U8(32), y)
	ADDQ(U8(32), v)
	SUBQ(U8(8), d)
	JNZ(LabelRef("channels"))
	LEAQ(Mem{Base: p, Index: n, Scale: 4}, p)
	DECQ(head)
	JNZ(LabelRef("heads"))
	ADDQ(stride, value)
	ADDQ(U8(4), weight)
	DECQ(left)
	JMP(LabelRef("rows"))
	Label("done")
	VZEROUPPER()
	RET()
}
