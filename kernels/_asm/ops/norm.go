package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// accumulators returns unroll groups of zeroed sums, one sum for each result.
func accumulators(unroll, results int) [][]Vec {
	accs := make([][]Vec, unroll)
	for u := range accs {
		for range results {
			a := YMM()
			VXORPS(a, a, a)
			accs[u] = append(accs[u], a)
		}
	}
	return accs
}

// sumOf returns the sum of the i-th accumulators in the lowest lane.
func sumOf(accs [][]Vec, i int) Vec {
	v := accs[0][i]
	for u := 1; u < len(accs); u++ {
		VADDPS(accs[u][i], v, v)
	}
	sumLanes(v)
	return v
}

// meanOf returns the mean of the i-th accumulators in every lane.
func meanOf(accs [][]Vec, i int, n reg.Register) Vec {
	v, count := sumOf(accs, i), XMM()
	VXORPS(count, count, count)
	VCVTSI2SSQ(n, count, count)
	VDIVSS(count, v.AsX(), v.AsX())
	VBROADCASTSS(v.AsX(), v)
	return v
}

// rootOf returns 1/√(sum/n + eps), where eps is a parameter.
func rootOf(sum Vec, n reg.Register) reg.VecVirtual {
	one, count := XMM(), XMM()
	r := sum.AsX().(reg.VecVirtual)
	VCVTSS2SD(r, r, r)
	VXORPS(count, count, count)
	VCVTSI2SDQ(n, count, count)
	VDIVSD(count, r, r)
	VCVTSS2SD(address("eps"), count, count)
	VADDSD(count, r, r)
	VSQRTSD(r, r, r)
	VMOVSD(one64(), one)
	VDIVSD(r, one, r)
	VCVTSD2SS(r, r, r)
	return r
}

// one64 is a float64 1: the root is computed in float64 and rounded once.
func one64() Mem {
	m := GLOBL("one64", RODATA|NOPTR)
	DATA(0, F64(1))
	return m
}

// eachGroup calls body for every group of n floats and advances the pointers
// past the group; perGroup are pointers to one float for each group.
func eachGroup(ptr map[string]reg.GPVirtual, perGroup []reg.GPVirtual, n reg.GPVirtual, body func(left reg.GPVirtual)) {
	left := GP64()
	Label("group")
	body(left)
	for _, name := range sortedKeys(ptr) {
		LEAQ(Mem{Base: ptr[name], Index: n, Scale: 4}, ptr[name])
	}
	for _, p := range perGroup {
		ADDQ(U8(4), p)
	}
	SUBQ(n, address("n"))
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
}

// normText begins a function over groups of n channels; means and rstds hold
// one float for each group.
func normText(name string) (ptr map[string]reg.GPVirtual, means, rstds, n reg.GPVirtual) {
	ptr = text(name)
	means, rstds = ptr["mean"], ptr["rstd"]
	delete(ptr, "mean")
	delete(ptr, "rstd")
	return ptr, means, rstds, gp("N")
}

func normRows() {
	ptr, means, rstds, n := normText("normRow")
	eachGroup(ptr, []reg.GPVirtual{means, rstds}, n, func(left reg.GPVirtual) {
		accs := accumulators(reduceUnroll, 1)
		MOVQ(n, left)
		labelledLoop("sum", ptr, left, accs, reduceUnroll, func(f *frame) {
			VADDPS(f.load("x"), f.acc[0], f.acc[0])
		})
		mean := meanOf(accs, 0, n)
		VMOVSS(mean.AsX(), Mem{Base: means})
		accs = accumulators(reduceUnroll, 1)
		MOVQ(n, left)
		labelledLoop("square", ptr, left, accs, reduceUnroll, func(f *frame) {
			d := f.load("x")
			VSUBPS(mean, d, d)
			f.zeroRest(d)
			VFMADD231PS(d, d, f.acc[0])
		})
		r := rootOf(sumOf(accs, 0), n)
		VMOVSS(r, Mem{Base: rstds})
		rstd := YMM()
		VBROADCASTSS(r, rstd)
		MOVQ(n, left)
		labelledLoop("apply", ptr, left, nil, 1, func(f *frame) {
			v, w := f.load("x"), f.load("w")
			VSUBPS(mean, v, v)
			VMULPS(rstd, v, v)
			VFMADD213PS(f.load("b"), w, v)
			f.store(v, "y")
		})
	})
}

func normGradRows() {
	ptr, means, rstds, n := normText("normGradRow")
	eachGroup(ptr, []reg.GPVirtual{means, rstds}, n, func(left reg.GPVirtual) {
		mean, rstd := YMM(), YMM()
		VBROADCASTSS(Mem{Base: means}, mean)
		VBROADCASTSS(Mem{Base: rstds}, rstd)
		normal := func(f *frame) Vec {
			h := f.load("x")
			VSUBPS(mean, h, h)
			VMULPS(rstd, h, h)
			return h
		}
		accs := accumulators(2, 2)
		MOVQ(n, left)
		labelledLoop("sums", ptr, left, accs, 2, func(f *frame) {
			h, g := normal(f), f.load("dy")
			VMULPS(f.load("w"), g, g)
			VADDPS(g, f.acc[0], f.acc[0])
			VFMADD231PS(g, h, f.acc[1])
		})
		meanG, meanGH := meanOf(accs, 0, n), meanOf(accs, 1, n)
		MOVQ(n, left)
		labelledLoop("apply", ptr, left, nil, 1, func(f *frame) {
			h, dy := normal(f), f.load("dy")
			b, w, d, g := f.load("db"), f.load("dw"), f.load("dx"), f.load("w")
			VADDPS(dy, b, b)
			f.store(b, "db")
			VFMADD231PS(dy, h, w)
			f.store(w, "dw")
			VFMSUB213PS(meanG, dy, g)
			VFNMADD231PS(h, meanGH, g)
			VFMADD231PS(g, rstd, d)
			f.store(d, "dx")
		})
	})
}
