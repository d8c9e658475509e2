package ops

import (
	"fmt"
	"maps"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"workbench/kernels/_asm/avx2"
	"workbench/kernels/_asm/table"
)

// Vec is eight floats.
type Vec = reg.VecVirtual

// frame is an iteration of the loop around straight-line code.
type frame struct {
	ptr    map[string]reg.GPVirtual
	offset reg.GPVirtual // offset added to every pointer, in bytes; nil: none
	disp   int           // offset of the unrolled copy, in bytes
	mask   Vec           // lanes in use; nil: all
	acc    []Vec
}

func (f *frame) at(name string) Mem {
	m := Mem{Base: f.ptr[name], Disp: f.disp}
	if f.offset != nil {
		m.Index, m.Scale = f.offset, 1
	}
	return m
}

// load reads eight floats; lanes not in use are 0.
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

// fetchNext prefetches the next row at the position of x, a line at a time:
// while a row is processed repeatedly in cache, the memory would otherwise be
// idle.
func (f *frame) fetchNext() {
	if f.disp%64 == 0 {
		PREFETCHT1(f.at("next"))
	}
}

// zeroRest clears the lanes of v that are not in use.
func (f *frame) zeroRest(v Vec) {
	if f.mask != nil {
		VANDPS(v, f.mask, v)
	}
}

func sortedKeys(ptr map[string]reg.GPVirtual) []string { return slices.Sorted(maps.Keys(ptr)) }

// text begins a function and loads its float pointers.
func text(name string) map[string]reg.GPVirtual {
	ptr := map[string]reg.GPVirtual{}
	for _, p := range avx2.Begin(name).Params {
		if p.Type == "*float32" {
			ptr[p.Name] = Load(Param(p.Name), GP64()).(reg.GPVirtual)
		}
	}
	return ptr
}

// begin is text that returns a frame; a masked one has n lanes in use.
func begin(name string, masked bool) *frame {
	f := &frame{ptr: text(name)}
	if masked {
		f.mask = loadMask(Load(Param("n"), GP64()))
	}
	return f
}

// scalars broadcasts a function's float32 parameters.
func scalars(name string) (s []Vec) {
	for _, p := range table.Find("avx2", name).Params {
		if p.Type == "float32" {
			s = append(s, scalar(p.Name))
		}
	}
	return s
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

// loop runs body over n elements: unroll vectors at a time, then single
// vectors, then a masked remainder. Copy u of the body adds to accs[u].
func loop(ptr map[string]reg.GPVirtual, n reg.Register, accs [][]Vec, unroll int, body func(f *frame)) {
	labelledLoop("", ptr, n, accs, unroll, body)
}

// labelledLoop is loop for functions with several loops.
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

// maskTable is eight set lanes followed by eight clear ones.
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

// lanes generates an elementwise kernel.
func lanes(name string, body func(f *frame, s []Vec)) {
	ptr := text(name)
	n, s := Load(Param("n"), GP64()), scalars(name)
	loop(ptr, n, nil, 1, func(f *frame) { body(f, s) })
	VZEROUPPER()
	RET()
}

// reduceUnroll is the number of accumulators of a sum, which hide the latency
// of additions.
const reduceUnroll = 4

// reduce generates a kernel that returns a sum over its elements; body adds to
// f.acc. The order of summation depends on n alone.
func reduce(name string, body func(f *frame, s []Vec)) {
	ptr := text(name)
	n := Load(Param("n"), GP64())
	if x := ptr["x"]; x != nil {
		ptr["next"] = GP64()
		LEAQ(Mem{Base: x, Index: n, Scale: 4}, ptr["next"])
	}
	s, accs := scalars(name), accumulators(reduceUnroll, 1)
	loop(ptr, n, accs, reduceUnroll, func(f *frame) { body(f, s) })
	sum := sumOf(accs, 0)
	VZEROUPPER()
	Store(sum.AsX(), ReturnIndex(0))
	RET()
}

// sumLanes adds up the lanes of v into its lowest.
func sumLanes(v Vec) {
	t := XMM()
	VEXTRACTF128(U8(1), v, t)
	VADDPS(t, v.AsX(), v.AsX())
	VMOVHLPS(v.AsX(), v.AsX(), t)
	VADDPS(t, v.AsX(), v.AsX())
	VMOVSHDUP(v.AsX(), t)
	VADDSS(t, v.AsX(), v.AsX())
}

// columns generates a kernel that adds to n columns of out the sum over R rows
// of body's value, in the order of rows; rows of the inputs lie stride floats
// apart.
func columns(name, out string, body func(f *frame)) {
	ptr := text(name)
	n := Load(Param("n"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(U8(2), stride)
	columnGroup("wide", out, ptr, n, stride, 4, false, body)
	columnGroup("narrow", out, ptr, n, stride, 1, false, body)
	columnGroup("rest", out, ptr, n, stride, 1, true, body)
	Label("done")
	VZEROUPPER()
	RET()
}

// columnGroup sums the rows of 8·vectors columns at a time while so many are
// left, or of the masked remainder.
func columnGroup(label, out string, ptr map[string]reg.GPVirtual, n, stride reg.Register, vectors int, masked bool, body func(f *frame)) {
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
		acc = append(acc, f.load(out))
	}
	f.offset = GP64()
	rows := GP64()
	XORQ(f.offset, f.offset)
	Load(Param("R"), rows)
	Label(label + "rows")
	for u := range vectors {
		f.disp, f.acc = 32*u, acc[u:u+1]
		body(f)
	}
	ADDQ(stride, f.offset)
	DECQ(rows)
	JNZ(LabelRef(label + "rows"))
	f.offset = nil
	for u := range vectors {
		f.disp = 32 * u
		f.store(acc[u], out)
	}
	if masked {
		return
	}
	for _, p := range sortedKeys(ptr) {
		ADDQ(U32(32*vectors), ptr[p])
	}
	SUBQ(U32(8*vectors), n)
	JMP(LabelRef(label))
	Label("after" + label)
}
