package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vectors of a wkv7Block, and sizes in bytes.
const (
	stepW = 64 * iota
	stepR
	stepK
	stepA
	stepB
	stepV
	stepSA
	stepDY
	stepDW
	stepDR
	stepDK
	stepDA
	stepDB
	stepDV
	wkv7BlockBytes

	wkv7Side      = 16
	wkv7TileBytes = 4 * wkv7Side * wkv7Side
)

// tiles is the loop over steps and blocks of keys, for one block of values.
type tiles struct {
	ptr           map[string]reg.GPVirtual
	block         reg.GPVirtual // of keys
	left, n       reg.GPVirtual // blocks of keys
	stepBytes     reg.GPVirtual
	label, values string
}

func newTiles(name string) *tiles {
	f := begin(name, false)
	l := &tiles{ptr: f.ptr, block: GP64(), left: GP64(), n: GP64(), stepBytes: GP64()}
	Load(Param("n"), l.n)
	IMUL3Q(U32(wkv7BlockBytes), l.n, l.stepBytes)
	return l
}

// blocks runs body for every block of keys of the present step.
func (l *tiles) blocks(label string, body func()) {
	MOVQ(l.ptr["steps"], l.block)
	MOVQ(l.n, l.left)
	Label(label)
	body()
	ADDQ(U32(wkv7BlockBytes), l.block)
	DECQ(l.left)
	JNZ(LabelRef(label))
}

// pair loads sixteen floats of a vector of the block of keys.
func (l *tiles) pair(vector int) (v [2]Vec) {
	for h := range v {
		v[h] = YMM()
		VMOVUPS(Mem{Base: l.block, Disp: vector + 32*h}, v[h])
	}
	return v
}

func (l *tiles) addPair(v [2]Vec, vector int) {
	for h := range v {
		at := Mem{Base: l.block, Disp: vector + 32*h}
		VADDPS(at, v[h], v[h])
		VMOVUPS(v[h], at)
	}
}

// value broadcasts the element of a vector that belongs to the value of a row.
func (l *tiles) value(vector, row int) Vec {
	v := YMM()
	VBROADCASTSS(Mem{Base: l.ptr["values"], Disp: vector + 4*row}, v)
	return v
}

func (l *tiles) tile(name string, row, h int) Mem {
	return Mem{Base: l.ptr[name], Disp: 64*row + 32*h}
}

// zeroPair returns accumulators.
func zeroPair() [2]Vec {
	v := zeros(2)
	return [2]Vec{v[0], v[1]}
}

// nextState writes a row of the state after a step to name.
func (l *tiles) nextState(row int, w, k, b [2]Vec, to string) (x [2]Vec) {
	for h := range x {
		x[h] = YMM()
		VMULPS(l.tile("x", row, h), w[h], x[h])
	}
	for _, term := range []struct {
		vector int
		key    [2]Vec
	}{{stepV, k}, {stepSA, b}} {
		v := l.value(term.vector, row)
		for h := range x {
			VFMADD231PS(v, term.key[h], x[h])
		}
	}
	for h := range x {
		VMOVUPS(x[h], l.tile(to, row, h))
	}
	return x
}

func wkv7Carry() {
	l := newTiles("wkv7CarryTo")
	start := GP64()
	MOVQ(l.ptr["x"], start)
	Label("step")
	MOVQ(start, l.ptr["x"])
	l.blocks("block", func() {
		w, k, b := l.pair(stepW), l.pair(stepK), l.pair(stepB)
		for row := range wkv7Side {
			l.nextState(row, w, k, b, "x")
		}
		ADDQ(U32(wkv7TileBytes), l.ptr["x"])
	})
	ADDQ(l.stepBytes, l.ptr["steps"])
	ADDQ(l.stepBytes, l.ptr["values"])
	DECQ(addr("T"))
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
}

func wkv7Advance() {
	l := newTiles("wkv7AdvanceTo")
	l.ptr["next"] = GP64()
	IMUL3Q(U32(wkv7TileBytes), l.n, l.ptr["next"])
	ADDQ(l.ptr["x"], l.ptr["next"])
	Label("step")
	l.blocks("block", func() {
		w, k, b := l.pair(stepW), l.pair(stepK), l.pair(stepB)
		dr := [2][2]Vec{zeroPair(), zeroPair()}
		for row := range wkv7Side {
			x, dy := l.nextState(row, w, k, b, "next"), l.value(stepDY, row)
			for h := range x {
				VFMADD231PS(dy, x[h], dr[row%2][h])
			}
		}
		for h := range dr[0] {
			VADDPS(dr[1][h], dr[0][h], dr[0][h])
		}
		l.addPair(dr[0], stepDR)
		ADDQ(U32(wkv7TileBytes), l.ptr["x"])
		ADDQ(U32(wkv7TileBytes), l.ptr["next"])
	})
	ADDQ(l.stepBytes, l.ptr["steps"])
	ADDQ(l.stepBytes, l.ptr["values"])
	DECQ(addr("T"))
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
}

// wkv7Reverse begins at the last step. rows holds eight partial sums of dv and
// dsa for every row; the sums of dsa then replace them.
func wkv7Reverse() {
	l := newTiles("wkv7ReverseFrom")
	tileBytes := GP64()
	IMUL3Q(U32(wkv7TileBytes), l.n, tileBytes)
	Label("step")
	zero := zeros(1)[0]
	for row := range 2 * wkv7Side {
		VMOVUPS(zero, Mem{Base: l.ptr["rows"], Disp: 32 * row})
	}
	l.blocks("sums", l.reverseSums)
	SUBQ(tileBytes, l.ptr["grad"])
	SUBQ(tileBytes, l.ptr["x"])
	l.reduceRows()
	l.blocks("state", l.reverseState)
	SUBQ(tileBytes, l.ptr["grad"])
	SUBQ(tileBytes, l.ptr["x"])
	SUBQ(tileBytes, l.ptr["x"])
	SUBQ(l.stepBytes, l.ptr["steps"])
	SUBQ(l.stepBytes, l.ptr["values"])
	DECQ(addr("T"))
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
}

func (l *tiles) next(names ...string) {
	for _, x := range names {
		ADDQ(U32(wkv7TileBytes), l.ptr[x])
	}
}

// reverseSums computes D from a tile of G, and the sums that need D alone.
func (l *tiles) reverseSums() {
	r, k, b := l.pair(stepR), l.pair(stepK), l.pair(stepB)
	dw, dk, db := zeroPair(), zeroPair(), zeroPair()
	for row := range wkv7Side {
		var D [2]Vec
		dy := l.value(stepDY, row)
		for h := range D {
			D[h] = YMM()
			VMOVUPS(l.tile("grad", row, h), D[h])
			VFMADD231PS(dy, r[h], D[h])
		}
		v := l.value(stepV, row)
		for h := range D {
			VFMADD231PS(v, D[h], dk[h])
		}
		sa := l.value(stepSA, row)
		for h := range D {
			VFMADD231PS(sa, D[h], db[h])
		}
		for h := range D {
			VFMADD231PS(l.tile("x", row, h), D[h], dw[h])
		}
		for h := range D { // stored after x is loaded, whose address may have the same low bits
			VMOVUPS(D[h], l.tile("grad", row, h))
		}
		for i, key := range [][2]Vec{k, b} {
			sum, at := YMM(), Mem{Base: l.ptr["rows"], Disp: 32 * (i*wkv7Side + row)}
			VMOVUPS(at, sum)
			for h := range D {
				VFMADD231PS(key[h], D[h], sum)
			}
			VMOVUPS(sum, at)
		}
	}
	w := l.pair(stepW)
	for h := range w {
		VMULPS(w[h], dw[h], dw[h])
	}
	l.addPair(dw, stepDW)
	l.addPair(dk, stepDK)
	l.addPair(db, stepDB)
	l.next("grad", "x")
}

// reduceRows adds up the lanes of rows: dsa at the start of rows, dv into the
// block of values.
func (l *tiles) reduceRows() {
	for _, first := range []int{16, 24, 0, 8} {
		v := make([]Vec, 8)
		for i := range v {
			v[i] = YMM()
			VMOVUPS(Mem{Base: l.ptr["rows"], Disp: 32 * (first + i)}, v[i])
		}
		for ; len(v) > 2; v = v[:len(v)/2] {
			for i := range len(v) / 2 {
				VHADDPS(v[2*i+1], v[2*i], v[i])
			}
		}
		high := YMM()
		VPERM2F128(U8(0x31), v[1], v[0], high)
		VPERM2F128(U8(0x20), v[1], v[0], v[0])
		VADDPS(high, v[0], v[0])
		if first >= wkv7Side { // dsa overwrites partial sums that have been read
			VMOVUPS(v[0], Mem{Base: l.ptr["rows"], Disp: 4*(first-wkv7Side) + 32*wkv7Side})
			continue
		}
		dv := Mem{Base: l.ptr["values"], Disp: stepDV + 4*first}
		VADDPS(dv, v[0], v[0])
		VMOVUPS(v[0], dv)
	}
}

// reverseState computes G of the step before from a tile of D.
func (l *tiles) reverseState() {
	w, a := l.pair(stepW), l.pair(stepA)
	da := [2][2]Vec{zeroPair(), zeroPair()}
	for row := range wkv7Side {
		dsa := YMM()
		VBROADCASTSS(Mem{Base: l.ptr["rows"], Disp: 32*wkv7Side + 4*row}, dsa)
		for h := range w {
			VFMADD231PS(l.tile("x", row, h), dsa, da[row%2][h])
		}
		for h := range w {
			D := YMM()
			VMULPS(l.tile("grad", row, h), w[h], D)
			VFMADD231PS(dsa, a[h], D)
			VMOVUPS(D, l.tile("grad", row, h))
		}
	}
	for h := range w {
		VADDPS(da[1][h], da[0][h], da[0][h])
	}
	l.addPair(da[0], stepDA)
	l.next("grad", "x")
}

// wkv7Rows generates a function over the rows of a chunk and the matching
// vectors of its blocks, sixteen floats at a time.
func wkv7Rows(name string, body func(row, block Mem)) {
	f := begin(name, false)
	x, block, stride, ahead := f.ptr["x"], f.ptr["blocks"], byteStride("stride"), byteStride("ahead")
	n, left := GP64(), GP64()
	Load(Param("n"), n)
	Label("step")
	at := GP64()
	MOVQ(x, at)
	MOVQ(n, left)
	Label("block")
	PREFETCHT1(Mem{Base: at, Index: ahead, Scale: 1})
	for h := range 2 {
		body(Mem{Base: at, Disp: 32 * h}, Mem{Base: block, Disp: 32 * h})
	}
	ADDQ(U32(64), at)
	ADDQ(U32(wkv7BlockBytes), block)
	DECQ(left)
	JNZ(LabelRef("block"))
	ADDQ(stride, x)
	DECQ(addr("T"))
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
}

func wkv7Packs() {
	load := func(m Mem) Vec {
		v := YMM()
		VMOVUPS(m, v)
		return v
	}
	wkv7Rows("wkv7PackRows", func(row, block Mem) { VMOVUPS(load(row), block) })
	wkv7Rows("wkv7PackExp", func(row, block Mem) { VMOVUPS(exp(load(row)), block) })
	wkv7Rows("wkv7UnpackRows", func(row, block Mem) {
		v := load(block)
		VADDPS(row, v, v)
		VMOVUPS(v, row)
		zero := YMM()
		VXORPS(zero, zero, zero)
		VMOVUPS(zero, block)
	})
}

// wkv7Fetch prefetches rows.
func wkv7Fetch() {
	f := begin("wkv7FetchRows", false)
	x, stride, lines, left, at := f.ptr["x"], byteStride("stride"), GP64(), GP64(), GP64()
	Load(Param("lines"), lines)
	Label("step")
	MOVQ(x, at)
	MOVQ(lines, left)
	Label("line")
	PREFETCHT1(Mem{Base: at})
	ADDQ(U8(64), at)
	DECQ(left)
	JNZ(LabelRef("line"))
	ADDQ(stride, x)
	DECQ(addr("T"))
	JNZ(LabelRef("step"))
	RET()
}
