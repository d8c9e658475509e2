package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vec is eight floats.
type Vec = reg.VecVirtual

// frame is the loop that a body of straight-line code runs in.
type frame struct {
	ptr    map[string]reg.GPVirtual
	offset reg.GPVirtual // bytes into every pointer; nil: none
	disp   int           // bytes of the unrolled copy
	mask   Vec           // lanes that exist; nil: all
	acc    []Vec
}

func (f *frame) at(name string) Mem {
	m := Mem{Base: f.ptr[name], Disp: f.disp}
	if f.offset != nil {
		m.Index, m.Scale = f.offset, 1
	}
	return m
}

// load reads eight floats; lanes that do not exist are 0.
func (f *frame) load(name string) Vec {
	v := YMM()
	if f.mask != nil {
		VMASKMOVPS(f.at(name), f.mask, v)
	} else {
		VMOVUPS(f.at(name), v)
	}
	return v
}

func (f *frame) store(v Vec, name string) {
	if f.mask != nil {
		VMASKMOVPS(v, f.mask, f.at(name))
	} else {
		VMOVUPS(v, f.at(name))
	}
}

// fetchNext brings what lies a row further than x nearer, a line at a time: a
// row's passes over its own cache lines leave the memory idle.
func (f *frame) fetchNext() {
	if f.disp%64 == 0 {
		PREFETCHT1(f.at("next"))
	}
}

// zeroRest clears the lanes of v that do not exist.
func (f *frame) zeroRest(v Vec) {
	if f.mask != nil {
		VANDPS(v, f.mask, v)
	}
}

func sortedKeys(ptr map[string]reg.GPVirtual) []string { return slices.Sorted(maps.Keys(ptr)) }

// text begins a function of float32 pointers, float32 scalars and int n.
func text(name, doc string, pointers, scalars []string, result string) map[string]reg.GPVirtual {
	sig := "func(" + strings.Join(pointers, ", ") + " *float32, "
	if len(scalars) > 0 {
		sig += strings.Join(scalars, ", ") + " float32, "
	}
	TEXT(name+"AVX2", NOSPLIT, sig+"n int)"+result)
	Pragma("noescape")
	Doc(name + "AVX2 " + doc)
	ptr := map[string]reg.GPVirtual{}
	for _, p := range pointers {
		ptr[p] = Load(Param(p), GP64()).(reg.GPVirtual)
	}
	return ptr
}

// scalar broadcasts a float32 parameter.
func scalar(name string) Vec {
	c, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := YMM()
	VBROADCASTSS(c.Addr, v)
	return v
}

// loop runs body over n elements: unroll vectors at a time, then single ones,
// then a masked rest. Copy u of the body adds to accs[u].
func loop(ptr map[string]reg.GPVirtual, n reg.Register, accs [][]Vec, unroll int, body func(f *frame)) {
	labelledLoop("", ptr, n, accs, unroll, body)
}

// labelledLoop is loop for functions that have several.
func labelledLoop(label string, ptr map[string]reg.GPVirtual, n reg.Register, accs [][]Vec, unroll int, body func(f *frame)) {
	i := GP64()
	XORQ(i, i)
	f := &frame{ptr: ptr, offset: i}
	pick := func(u int) {
		if f.disp = 32 * u; len(accs) > 0 {
			f.acc = accs[u]
		}
	}
	if unroll > 1 {
		Label(label + "blocks")
		CMPQ(n, U32(8*unroll))
		JL(LabelRef(label + "vectors"))
		for u := range unroll {
			pick(u)
			body(f)
		}
		ADDQ(U32(32*unroll), i)
		SUBQ(U32(8*unroll), n)
		JMP(LabelRef(label + "blocks"))
	}
	pick(0)
	Label(label + "vectors")
	CMPQ(n, U32(8))
	JL(LabelRef(label + "rest"))
	body(f)
	ADDQ(U32(32), i)
	SUBQ(U32(8), n)
	JMP(LabelRef(label + "vectors"))
	Label(label + "rest")
	TESTQ(n, n)
	JZ(LabelRef(label + "done"))
	f.mask = loadMask(n)
	body(f)
	Label(label + "done")
}

// loadMask returns a mask of the first n (1 … 8) lanes.
func loadMask(n reg.Register) Vec {
	table, back := GP64(), GP64()
	LEAQ(maskTable(), table)
	MOVQ(n, back)
	NEGQ(back)
	m := YMM()
	VMOVUPS(Mem{Base: table, Index: back, Scale: 4, Disp: 32}, m)
	return m
}

var masks *Mem

// maskTable is eight set lanes and eight clear ones.
func maskTable() Mem {
	if masks == nil {
		m := GLOBL("lanes", RODATA|NOPTR)
		for i := range 16 {
			bits := uint32(0xffffffff)
			if i >= 8 {
				bits = 0
			}
			DATA(4*i, U32(bits))
		}
		masks = &m
	}
	return *masks
}

var constants = map[uint32]Mem{}

// bits32 is eight copies of a bit pattern in read-only memory.
func bits32(b uint32) Mem {
	m, ok := constants[b]
	if !ok {
		m = GLOBL(fmt.Sprintf("c%08x", b), RODATA|NOPTR)
		for i := range 8 {
			DATA(4*i, U32(b))
		}
		constants[b] = m
	}
	return m
}

// num is eight copies of a float32.
func num(x float64) Mem { return bits32(math.Float32bits(float32(x))) }

// lanes writes a kernel that maps element to element.
func lanes(name, doc string, pointers, scalars []string, body func(f *frame, s []Vec)) {
	ptr := text(name, doc, pointers, scalars, "")
	n := Load(Param("n"), GP64())
	var s []Vec
	for _, x := range scalars {
		s = append(s, scalar(x))
	}
	loop(ptr, n, nil, 1, func(f *frame) { body(f, s) })
	VZEROUPPER()
	RET()
}

// reduceUnroll hides the latency of the additions of a sum.
const reduceUnroll = 4

// reduce writes a kernel that sums results values over its elements; body
// adds to f.acc. The order depends on n alone.
func reduce(name, doc string, pointers, scalars []string, results int, body func(f *frame, s []Vec)) {
	result := " float32"
	if results == 2 {
		result = " (first, second float32)"
	}
	ptr := text(name, doc, pointers, scalars, result)
	n := Load(Param("n"), GP64())
	if x := ptr["x"]; x != nil {
		ptr["next"] = GP64()
		LEAQ(Mem{Base: x, Index: n, Scale: 4}, ptr["next"])
	}
	var s []Vec
	for _, x := range scalars {
		s = append(s, scalar(x))
	}
	unroll := reduceUnroll / results
	accs := make([][]Vec, unroll)
	for u := range accs {
		for range results {
			a := YMM()
			VXORPS(a, a, a)
			accs[u] = append(accs[u], a)
		}
	}
	loop(ptr, n, accs, unroll, func(f *frame) { body(f, s) })
	for r := range results {
		for u := 1; u < unroll; u++ {
			VADDPS(accs[u][r], accs[0][r], accs[0][r])
		}
		sumLanes(accs[0][r])
	}
	VZEROUPPER()
	for r := range results {
		Store(accs[0][r].AsX(), ReturnIndex(r))
	}
	RET()
}

// sumLanes leaves the sum of v's lanes in its lowest.
func sumLanes(v Vec) {
	t := XMM()
	VEXTRACTF128(U8(1), v, t)
	VADDPS(t, v.AsX(), v.AsX())
	VMOVHLPS(v.AsX(), v.AsX(), t)
	VADDPS(t, v.AsX(), v.AsX())
	VMOVSHDUP(v.AsX(), t)
	VADDSS(t, v.AsX(), v.AsX())
}

// columns writes a kernel that adds to n columns of out the sum over R rows
// of body's value, rows in order; rows of the inputs start stride floats
// apart. perRow are pointers to one float a row.
func columns(name, doc string, inputs, perRow []string, body func(f *frame, row map[string]Vec)) {
	pointers := append(append([]string{"out"}, inputs...), perRow...)
	TEXT(name+"AVX2", NOSPLIT, "func("+strings.Join(pointers, ", ")+" *float32, R, stride, n int)")
	Pragma("noescape")
	Doc(name + "AVX2 " + doc)
	ptr := map[string]reg.GPVirtual{}
	for _, p := range pointers {
		ptr[p] = Load(Param(p), GP64()).(reg.GPVirtual)
	}
	n := Load(Param("n"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(U8(2), stride)
	columnGroup("wide", ptr, inputs, perRow, n, stride, 4, false, body)
	columnGroup("narrow", ptr, inputs, perRow, n, stride, 1, false, body)
	columnGroup("rest", ptr, inputs, perRow, n, stride, 1, true, body)
	Label("done")
	VZEROUPPER()
	RET()
}

// columnGroup sums the rows of 8·vectors columns while so many are left, or
// of the masked rest.
func columnGroup(label string, ptr map[string]reg.GPVirtual, inputs, perRow []string, n, stride reg.Register, vectors int, masked bool, body func(f *frame, row map[string]Vec)) {
	f := &frame{ptr: ptr}
	Label(label)
	if masked {
		TESTQ(n, n)
		JZ(LabelRef("done"))
		f.mask = loadMask(n)
	} else {
		CMPQ(n, U32(8*vectors))
		JL(LabelRef("after" + label))
	}
	var acc []Vec
	for u := range vectors {
		f.disp = 32 * u
		acc = append(acc, f.load("out"))
	}
	f.offset = GP64()
	index, rows := GP64(), GP64()
	XORQ(f.offset, f.offset)
	XORQ(index, index)
	Load(Param("R"), rows)
	Label(label + "rows")
	row := map[string]Vec{}
	for _, p := range perRow {
		row[p] = YMM()
		VBROADCASTSS(Mem{Base: ptr[p], Index: index, Scale: 4}, row[p])
	}
	for u := range vectors {
		f.disp, f.acc = 32*u, acc[u:u+1]
		body(f, row)
	}
	ADDQ(stride, f.offset)
	INCQ(index)
	CMPQ(index, rows)
	JL(LabelRef(label + "rows"))
	f.offset = nil
	for u := range vectors {
		f.disp = 32 * u
		f.store(acc[u], "out")
	}
	if masked {
		return
	}
	for _, p := range append([]string{"out"}, inputs...) {
		ADDQ(U32(32*vectors), ptr[p])
	}
	SUBQ(U32(8*vectors), n)
	JMP(LabelRef(label))
	Label("after" + label)
}
