package ops

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"workbench/kernels/_asm/avx2"
)

// attention generates the parts of blockwise attention. Scores are transposed,
// a row for each key and a lane for each query, so that maxima and sums over
// keys are taken lane by lane.
func attention() {
	attentionTiles("attentionSet")
	attentionTiles("attentionAdd")
	attentionTiles("attentionBlend")
	attentionSoftmax()
	attentionBack()
	copyRows("attentionCopy", false)
	copyRows("attentionGather", true)
	transpose8()
	for _, e := range []element{float32s, bfloat16s, float16s} {
		farDots(e)
		farSums(e)
	}
	copyHalves(bfloat16s)
	copyHalves(float16s)
}

func gp(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// inBytes converts a count of floats to bytes.
func inBytes(r reg.GPVirtual) reg.GPVirtual { SHLQ(U8(2), r); return r }

// address is the memory operand of a parameter.
func address(name string) Mem {
	c, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return c.Addr
}

// attentionTiles generates a column of tiles of 6 rows and 16 columns.
func attentionTiles(name string) {
	avx2.Begin(name)
	keep := name == "attentionBlend"
	c, ldc := gp("c"), inBytes(gp("ldc"))
	a0, am, ak := gp("a"), inBytes(gp("am")), inBytes(gp("ak"))
	b0, bk, k := gp("b"), inBytes(gp("bk")), gp("k")
	a, a3, b, left := GP64(), GP64(), GP64(), GP64()
	var sum [6][2]Vec
	for m := range sum {
		sum[m] = [2]Vec{YMM(), YMM()}
	}
	Label("tile")
	MOVQ(a0, a)
	LEAQ(Mem{Base: am, Index: am, Scale: 2}, a3)
	ADDQ(a0, a3)
	MOVQ(b0, b)
	MOVQ(k, left)
	for m := range sum {
		VXORPS(sum[m][0], sum[m][0], sum[m][0])
		VXORPS(sum[m][1], sum[m][1], sum[m][1])
	}
	lo, hi, x := YMM(), YMM(), [2]Vec{YMM(), YMM()}
	step := func() {
		VMOVUPS(Mem{Base: b}, lo)
		VMOVUPS(Mem{Base: b, Disp: 32}, hi)
		for m := range sum {
			at := []Mem{{Base: a}, {Base: a, Index: am, Scale: 1}, {Base: a, Index: am, Scale: 2},
				{Base: a3}, {Base: a3, Index: am, Scale: 1}, {Base: a3, Index: am, Scale: 2}}[m]
			VBROADCASTSS(at, x[m%2])
			VFMADD231PS(lo, x[m%2], sum[m][0])
			VFMADD231PS(hi, x[m%2], sum[m][1])
		}
		ADDQ(ak, a)
		ADDQ(ak, a3)
		ADDQ(bk, b)
	}
	SUBQ(U8(4), left)
	JLT(LabelRef("rest"))
	Label("four")
	for range 4 {
		step()
	}
	SUBQ(U8(4), left)
	JGE(LabelRef("four"))
	Label("rest")
	ADDQ(U8(4), left)
	JZ(LabelRef("store"))
	Label("one")
	step()
	DECQ(left)
	JNZ(LabelRef("one"))
	Label("store")
	row, weight := GP64(), GP64()
	MOVQ(c, row)
	if keep {
		MOVQ(address("keep"), weight)
	}
	for m := range sum {
		for h, s := range sum[m] {
			at := Mem{Base: row, Disp: 32 * h}
			switch {
			case keep:
				VBROADCASTSS(Mem{Base: weight, Disp: 4 * m}, lo)
				VFMADD231PS(at, lo, s)
			case name == "attentionAdd":
				VADDPS(at, s, s)
			}
			VMOVUPS(s, at)
		}
		if m < len(sum)-1 {
			ADDQ(ldc, row)
		}
	}
	if keep {
		ADDQ(U8(24), address("keep"))
	}
	for _, s := range []struct {
		base reg.GPVirtual
		step string
	}{{c, "cStep"}, {a0, "aStep"}, {b0, "bStep"}} {
		MOVQ(address(s.step), left)
		LEAQ(Mem{Base: s.base, Index: left, Scale: 4}, s.base)
	}
	ADDQ(address("kStep"), k)
	DECQ(address("tiles"))
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// lanesSeen holds the positions off … off+15 in two vectors and the number of a
// row: lanes whose position is not below that number see the row.
type lanesSeen struct {
	limit  [2]Vec
	number Vec
}

var positions *Mem

// laneNumbers is 0 … 15.
func laneNumbers() Mem {
	if positions == nil {
		m := GLOBL("positions", RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(i))
		}
		positions = &m
	}
	return *positions
}

func newLanesSeen() *lanesSeen {
	table := laneNumbers()
	l := &lanesSeen{number: YMM()}
	VPBROADCASTD(address("full"), l.number)
	for h := range l.limit {
		l.limit[h] = YMM()
		VPBROADCASTD(address("off"), l.limit[h])
		VPADDD(table.Offset(32*h), l.limit[h], l.limit[h])
	}
	return l
}

// hidden is the mask of lanes that do not see the row.
func (l *lanesSeen) hidden(h int) Vec {
	v := YMM()
	VPCMPGTD(l.limit[h], l.number, v)
	return v
}

func (l *lanesSeen) next() { VPADDD(bits32(1), l.number, l.number) }

// eachRow calls body for rows 0 … full-1 without lanes (all see them) and for
// rows full … n-1 with lanes.
func eachRow(label string, ld reg.GPVirtual, rows []reg.GPVirtual, body func(l *lanesSeen)) {
	left := GP64()
	Load(Param("full"), left)
	TESTQ(left, left)
	JZ(LabelRef(label + "edge"))
	Label(label + "row")
	body(nil)
	for _, r := range rows {
		ADDQ(ld, r)
	}
	DECQ(left)
	JNZ(LabelRef(label + "row"))
	Label(label + "edge")
	Load(Param("n"), left)
	SUBQ(address("full"), left)
	JZ(LabelRef(label + "done"))
	l := newLanesSeen()
	Label(label + "edgerow")
	body(l)
	l.next()
	for _, r := range rows {
		ADDQ(ld, r)
	}
	DECQ(left)
	JNZ(LabelRef(label + "edgerow"))
	Label(label + "done")
}

func attentionSoftmax() {
	avx2.Begin("attentionSoftmax")
	p0, ld := gp("p"), inBytes(gp("ld"))
	top := gp("top")
	p, m := GP64(), [2]Vec{YMM(), YMM()}
	for h := range m {
		VMOVUPS(Mem{Base: top, Disp: 32 * h}, m[h])
	}
	MOVQ(p0, p)
	eachRow("max", ld, []reg.GPVirtual{p}, func(l *lanesSeen) {
		for h := range m {
			v := YMM()
			VMOVUPS(Mem{Base: p, Disp: 32 * h}, v)
			if l != nil {
				VBLENDVPS(l.hidden(h), num(math.Inf(-1)), v, v)
			}
			VMAXPS(v, m[h], m[h])
		}
	})
	s := [2]Vec{YMM(), YMM()}
	for h := range s {
		VXORPS(s[h], s[h], s[h])
	}
	eachRow("exp", ld, []reg.GPVirtual{p0}, func(l *lanesSeen) {
		for h := range m {
			v := YMM()
			VMOVUPS(Mem{Base: p0, Disp: 32 * h}, v)
			VSUBPS(m[h], v, v)
			e := expNeg(v)
			if l != nil {
				VANDNPS(e, l.hidden(h), e)
			}
			VMOVUPS(e, Mem{Base: p0, Disp: 32 * h})
			VADDPS(e, s[h], s[h])
		}
	})
	sum, keep := gp("sum"), gp("keep")
	for h := range m {
		v, at := YMM(), 32*h
		VMOVUPS(Mem{Base: top, Disp: at}, v)
		VSUBPS(m[h], v, v)
		e := expNeg(v)
		VMOVUPS(e, Mem{Base: keep, Disp: at})
		VFMADD231PS(Mem{Base: sum, Disp: at}, e, s[h])
		VMOVUPS(s[h], Mem{Base: sum, Disp: at})
		VMOVUPS(m[h], Mem{Base: top, Disp: at})
	}
	VZEROUPPER()
	RET()
}

func attentionBack() {
	avx2.Begin("attentionBack")
	p, ds, ld := gp("p"), gp("ds"), inBytes(gp("ld"))
	lse, d := gp("lse"), gp("d")
	var shift, mean [2]Vec
	for h := range shift {
		shift[h], mean[h] = YMM(), YMM()
		VMOVUPS(Mem{Base: lse, Disp: 32 * h}, shift[h])
		VMOVUPS(Mem{Base: d, Disp: 32 * h}, mean[h])
	}
	eachRow("back", ld, []reg.GPVirtual{p, ds}, func(l *lanesSeen) {
		for h := range shift {
			v, g := YMM(), YMM()
			VMOVUPS(Mem{Base: p, Disp: 32 * h}, v)
			VSUBPS(shift[h], v, v)
			e := expNeg(v)
			VMOVUPS(Mem{Base: ds, Disp: 32 * h}, g)
			VSUBPS(mean[h], g, g)
			VMULPS(e, g, g)
			if l != nil {
				hidden := l.hidden(h)
				VANDNPS(e, hidden, e)
				VANDNPS(g, hidden, g)
			}
			VMOVUPS(e, Mem{Base: p, Disp: 32 * h})
			VMOVUPS(g, Mem{Base: ds, Disp: 32 * h})
		}
	})
	VZEROUPPER()
	RET()
}

// copyRows copies rows of n floats, each times a factor of its own, or adds
// them.
func copyRows(name string, add bool) {
	avx2.Begin(name)
	dst, ldd, src, lds := gp("dst"), inBytes(gp("ldd")), gp("src"), inBytes(gp("lds"))
	rows, by, byStep := gp("rows"), gp("by"), inBytes(gp("byStep"))
	n, whole := gp("n"), GP64()
	MOVQ(n, whole)
	ANDQ(I8(-8), whole)
	SUBQ(whole, n)
	mask := loadMask(n)
	i, x := GP64(), YMM()
	vector := func(masked bool) {
		f := &frame{ptr: map[string]reg.GPVirtual{"src": src, "dst": dst}, offset: i}
		if masked {
			f.mask = mask
		}
		v := f.load("src")
		if add {
			d := f.load("dst")
			VFMADD231PS(v, x, d)
			v = d
		} else {
			VMULPS(x, v, v)
		}
		f.store(v, "dst")
	}
	SHLQ(U8(2), whole)
	Label("row")
	VBROADCASTSS(Mem{Base: by}, x)
	XORQ(i, i)
	Label("vectors")
	CMPQ(i, whole)
	JGE(LabelRef("rest"))
	vector(false)
	ADDQ(U8(32), i)
	JMP(LabelRef("vectors"))
	Label("rest")
	TESTQ(n, n)
	JZ(LabelRef("next"))
	vector(true)
	Label("next")
	ADDQ(ldd, dst)
	ADDQ(lds, src)
	ADDQ(byStep, by)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// transpose8 transposes 8 rows into columns of panels 16 wide.
func transpose8() {
	avx2.Begin("attentionTranspose")
	dst, src, lds, n := gp("dst"), gp("src"), inBytes(gp("lds")), gp("n")
	far := GP64()
	Label("block")
	MOVQ(src, far)
	var r, t [8]Vec
	for i := range r {
		r[i] = YMM()
		VMOVUPS(Mem{Base: far}, r[i])
		if i < 7 {
			ADDQ(lds, far)
		}
	}
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = YMM(), r[i+1]
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	for i := 0; i < 8; i += 4 {
		for k := range 2 {
			r[i+2*k], r[i+2*k+1] = YMM(), t[i+k]
			VUNPCKLPD(t[i+2+k], t[i+k], r[i+2*k])
			VUNPCKHPD(t[i+2+k], t[i+k], r[i+2*k+1])
		}
	}
	for i := range 4 {
		v := YMM()
		VPERM2F128(U8(0x20), r[i+4], r[i], v)
		VMOVUPS(v, Mem{Base: dst, Disp: 64 * i})
		VPERM2F128(U8(0x31), r[i+4], r[i], r[i])
		VMOVUPS(r[i], Mem{Base: dst, Disp: 64 * (i + 4)})
	}
	ADDQ(U8(32), src)
	ADDQ(U32(512), dst)
	SUBQ(U8(8), n)
	JG(LabelRef("block"))
	VZEROUPPER()
	RET()
}
