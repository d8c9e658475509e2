package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"workbench/kernels/_asm/avx2"
)

// Byte offsets of the arrays of pointers in mixRow.
const mixY, mixMu, mixDmu = 0, 48, 96

// mixVectors is the number of vectors of a row that one pass over the outputs
// computes.
const mixVectors = 2

// shiftMix generates the rows of ShiftMix: row points at a mixRow, of which
// count entries are used; at is the offset of the row in each y, in floats.
func shiftMix() {
	avx2.Begin("shiftMix")
	mixLoop([]string{"x", "prev"}, func(f *frame, vectors int, each func(body func(p func(table, disp int) *frame))) {
		var d, prev []Vec
		for u := range vectors {
			f.disp = 32 * u
			p, v := f.load("prev"), f.load("x")
			VSUBPS(p, v, v)
			d, prev = append(d, v), append(prev, p)
		}
		each(func(p func(table, disp int) *frame) {
			for u := range vectors {
				v := YMM()
				VMOVAPS(prev[u], v)
				VFMADD231PS(p(mixMu, 32*u).load("p"), d[u], v)
				p(mixY, 32*u).store(v, "p")
			}
		})
	})
	avx2.Begin("shiftMixGrad")
	mixLoop([]string{"x", "prev", "dx", "dprev"}, func(f *frame, vectors int, each func(body func(p func(table, disp int) *frame))) {
		var d, now, all []Vec
		for u := range vectors {
			f.disp = 32 * u
			v, s, a := f.load("x"), YMM(), YMM()
			VSUBPS(f.load("prev"), v, v)
			VXORPS(s, s, s)
			VXORPS(a, a, a)
			d, now, all = append(d, v), append(now, s), append(all, a)
		}
		each(func(p func(table, disp int) *frame) {
			for u := range vectors {
				g := p(mixY, 32*u).load("p")
				VADDPS(g, all[u], all[u])
				VFMADD231PS(p(mixMu, 32*u).load("p"), g, now[u])
				dmu := p(mixDmu, 32*u).load("p")
				VFMADD231PS(g, d[u], dmu)
				p(mixDmu, 32*u).store(dmu, "p")
			}
		})
		for u := range vectors {
			f.disp = 32 * u
			VSUBPS(now[u], all[u], all[u])
			VADDPS(f.load("dx"), now[u], now[u])
			f.store(now[u], "dx")
			// dprev may be dx of the row before, never of this one.
			VADDPS(f.load("dprev"), all[u], all[u])
			f.store(all[u], "dprev")
		}
	})
}

// mixLoop calls body for the vectors of a row: mixVectors at a time, then one
// by one, then the masked remainder. The function each that body gets calls its
// own argument for every output, with the position of the output's vector in a
// table of pointers.
func mixLoop(pointers []string, body func(f *frame, vectors int, each func(body func(p func(table, disp int) *frame)))) {
	f := &frame{ptr: map[string]reg.GPVirtual{}, offset: GP64()}
	for _, p := range pointers {
		f.ptr[p] = gp(p)
	}
	row, n, count, at := gp("row"), gp("n"), gp("count"), inBytes(gp("at"))
	XORQ(f.offset, f.offset)
	label := ""
	each := func(inner func(p func(table, disp int) *frame)) {
		i := GP64()
		XORQ(i, i)
		Label(label + "outputs")
		loaded := map[int]reg.GPVirtual{}
		inner(func(table, disp int) *frame {
			p := loaded[table]
			if p == nil {
				p = GP64()
				MOVQ(Mem{Base: row, Index: i, Scale: 8, Disp: table}, p)
				if table == mixY {
					ADDQ(at, p)
				}
				loaded[table] = p
			}
			return &frame{ptr: map[string]reg.GPVirtual{"p": p}, offset: f.offset, disp: disp, mask: f.mask}
		})
		INCQ(i)
		CMPQ(i, count)
		JL(LabelRef(label + "outputs"))
	}
	for _, vectors := range []int{mixVectors, 1} {
		label = map[int]string{1: "one", mixVectors: "many"}[vectors]
		Label(label)
		CMPQ(n, U32(8*vectors))
		JL(LabelRef("after" + label))
		body(f, vectors, each)
		ADDQ(U32(32*vectors), f.offset)
		SUBQ(U32(8*vectors), n)
		JMP(LabelRef(label))
		Label("after" + label)
	}
	TESTQ(n, n)
	JZ(LabelRef("done"))
	label = "rest"
	f.mask = loadMask(n)
	f.disp = 0
	body(f, 1, each)
	Label("done")
	VZEROUPPER()
	RET()
}
