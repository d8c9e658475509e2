package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func wkv7() {
	wkv7Forward("wkv7x16", 2, false)
	wkv7Forward("wkv7x8", 1, false)
	wkv7Forward("wkv7Rest", 1, true)
	wkv7Carry()
	wkv7Advance()
	wkv7Reverse()
	wkv7Packs()
	wkv7Fetch()
}

// addr is the memory operand of a parameter.
func addr(name string) Mem {
	c, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return c.Addr
}

// wkv7Frame is the loop over the keys of a step: vectors of values stay in
// registers, rows of the state are read in pairs.
type wkv7Frame struct {
	*frame
	vectors       int
	state, row, j reg.GPVirtual // a row of the state, its bytes, bytes of a key
}

func (f *wkv7Frame) loadAll(name string) (v []Vec) {
	for h := range f.vectors {
		f.disp = 32 * h
		v = append(v, f.load(name))
	}
	return v
}

func (f *wkv7Frame) storeAll(v []Vec, name string) {
	for h := range v {
		f.disp = 32 * h
		f.store(v[h], name)
	}
}

func zeros(n int) (v []Vec) {
	for range n {
		x := YMM()
		VXORPS(x, x, x)
		v = append(v, x)
	}
	return v
}

// key broadcasts the element of name for the first or the second key of a pair.
func (f *wkv7Frame) key(name string, second int) Vec {
	v := YMM()
	VBROADCASTSS(Mem{Base: f.ptr[name], Index: f.j, Scale: 1, Disp: 4 * second}, v)
	return v
}

func (f *wkv7Frame) at(h, second int) Mem {
	m := Mem{Base: f.state, Disp: 32 * h}
	if second == 1 {
		m.Index, m.Scale = f.row, 1
	}
	return m
}

func (f *wkv7Frame) loadRow(h, second int) Vec {
	v := YMM()
	if f.mask != nil {
		VMASKMOVPS(f.at(h, second), f.mask, v)
	} else {
		VMOVUPS(f.at(h, second), v)
	}
	return v
}

func (f *wkv7Frame) storeRow(v Vec, h, second int) {
	if f.mask != nil {
		VMASKMOVPS(v, f.mask, f.at(h, second))
	} else {
		VMOVUPS(v, f.at(h, second))
	}
}

// keys runs body for every key. Sums over the second key of a pair have
// accumulators of their own, which halves the latency of the chain.
func (f *wkv7Frame) keys(label string, body func(second int)) {
	MOVQ(addr("s"), f.state)
	XORQ(f.j, f.j)
	CMPQ(f.row, U32(8))
	JL(LabelRef(label + "odd"))
	end := GP64()
	LEAQ(Mem{Base: f.row, Disp: -4}, end)
	Label(label + "pair")
	body(0)
	body(1)
	LEAQ(Mem{Base: f.state, Index: f.row, Scale: 2}, f.state)
	ADDQ(U8(8), f.j)
	CMPQ(f.j, end)
	JL(LabelRef(label + "pair"))
	Label(label + "odd")
	CMPQ(f.j, f.row)
	JE(LabelRef(label + "done"))
	body(0)
	Label(label + "done")
}

// dot adds S·key to the accumulators of a pair.
func (f *wkv7Frame) dot(name string, acc [2][]Vec) func(second int) {
	return func(second int) {
		x := f.key(name, second)
		for h := range f.vectors {
			VFMADD231PS(f.loadRow(h, second), x, acc[second][h])
		}
	}
}

// step computes one step with sa in registers. In the same pass over the state
// it computes the sa of the step whose a is at next ("": none).
func (f *wkv7Frame) step(label string, sa []Vec, next string, acc [2][]Vec) {
	f.storeAll(sa, "sa")
	v, y := f.loadAll("v"), zeros(f.vectors)
	f.keys(label, func(second int) {
		x := make([]Vec, f.vectors)
		d := f.key("d", second)
		for h := range x {
			x[h] = f.loadRow(h, second)
			VMULPS(d, x[h], x[h])
		}
		for _, term := range []struct {
			name string
			v    []Vec
		}{{"k", v}, {"b", sa}} {
			key := f.key(term.name, second)
			for h := range x {
				VFMADD231PS(key, term.v[h], x[h])
			}
		}
		for h := range x {
			f.storeRow(x[h], h, second)
		}
		r := f.key("r", second)
		for h := range x {
			VFMADD231PS(r, x[h], y[h])
		}
		if next == "" {
			return
		}
		a := f.key(next, second)
		for h := range x {
			VFMADD231PS(a, x[h], acc[second][h])
		}
	})
	f.storeAll(y, "y")
}

func wkv7Forward(name string, vectors int, masked bool) {
	f := &wkv7Frame{frame: begin(name, masked), vectors: vectors}
	f.state, f.j = f.ptr["s"], GP64()
	f.row = byteStride("N").(reg.GPVirtual)
	stride := byteStride("stride")
	SHLQ(U8(2), addr("strideSA"))
	sa := make([]Vec, vectors)
	for h := range sa {
		sa[h] = YMM()
	}
	acc := [2][]Vec{zeros(vectors), zeros(vectors)}
	sum := func() {
		for h := range sa {
			VADDPS(acc[1][h], acc[0][h], sa[h])
		}
	}
	f.keys("first", f.dot("a", acc))
	sum()
	Label("step")
	CMPQ(addr("T"), U8(1))
	JE(LabelRef("last"))
	for s := range acc {
		for _, x := range acc[s] {
			VXORPS(x, x, x)
		}
	}
	ADDQ(stride, f.ptr["a"])
	f.step("next", sa, "a", acc)
	sum()
	for _, x := range []string{"y", "r", "k", "v", "b"} {
		ADDQ(stride, f.ptr[x])
	}
	ADDQ(addr("strideSA"), f.ptr["sa"])
	ADDQ(f.row, f.ptr["d"])
	DECQ(addr("T"))
	JMP(LabelRef("step"))
	Label("last")
	f.step("end", sa, "", acc)
	VZEROUPPER()
	RET()
}
