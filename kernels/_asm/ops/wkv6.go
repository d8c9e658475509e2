package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func wkv6() {
	wkv6Scan("wkv6Valuesx16", 2, false, false)
	wkv6Scan("wkv6Keysx16", 2, false, true)
	wkv6Scan("wkv6ValuesRest", 1, true, false)
	wkv6Scan("wkv6KeysRest", 1, true, true)
	wkv6Dots()
	wkv6Decays()
	wkv6Join()
	columns("wkv6Meet", "q", func(f *frame) {
		VFMADD231PS(f.load("G"), f.load("S"), f.acc[0])
	})
}

// param is the memory operand of a parameter.
func param(name string) Mem {
	c, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return c.Addr
}

// scan is a WKV recurrence over columns of the state s, which is loaded once
// for one or two steps. For each row of s an element of a (and of d and b, or
// of x) is broadcast; the other vectors stay in registers.
type scan struct {
	*frame
	keys    bool
	vectors int
	second  map[string]reg.GPVirtual // rows of the second step
	sp, row reg.GPVirtual
	pitch   reg.Register // distance between rows of s, in bytes
}

func wkv6Scan(name string, vectors int, masked, keys bool) {
	f := begin(name, masked)
	z := &scan{frame: f, keys: keys, vectors: vectors, sp: GP64(), row: GP64(), second: map[string]reg.GPVirtual{}}
	each := []string{"a", "d", "b"}
	if keys {
		each = []string{"a", "x"}
	}
	n := GP64()
	Load(Param("N"), n)
	for _, p := range each {
		LEAQ(Mem{Base: f.ptr[p], Index: n, Scale: 4}, f.ptr[p])
		z.second[p] = GP64()
	}
	z.pitch = Load(Param("sStride"), GP64())
	left := Load(Param("T"), GP64())
	Label("pairs")
	CMPQ(left, U32(2))
	JL(LabelRef("single"))
	z.block("pair", each, 2)
	SUBQ(U32(2), left)
	JMP(LabelRef("pairs"))
	Label("single")
	TESTQ(left, left)
	JZ(LabelRef("done"))
	z.block("one", each, 1)
	Label("done")
	VZEROUPPER()
	RET()
}

func (z *scan) stride(name string) Mem {
	switch {
	case name == "c" || name == "d" || name == "out":
		return param(name + "Stride")
	case name == "a" || z.keys == (name == "x"):
		return param("eachStride")
	}
	return param("stride")
}

// vec loads the vectors of a row and advances to the next row.
func (z *scan) vec(name string) (v []Vec) {
	for h := range z.vectors {
		z.disp = 32 * h
		v = append(v, z.load(name))
	}
	ADDQ(z.stride(name), z.ptr[name])
	return v
}

// block computes that many steps for all rows of s.
func (z *scan) block(label string, each []string, steps int) {
	var kept, decay [2][]Vec // x, or b and d
	var out [2][]Vec
	for t := range steps {
		if z.keys {
			decay[t], kept[t] = z.vec("d"), z.vec("b")
		} else {
			kept[t] = z.vec("x")
		}
		out[t] = z.start(kept[t])
	}
	for _, p := range each {
		if steps == 2 {
			MOVQ(z.ptr[p], z.second[p])
			ADDQ(z.stride(p), z.second[p])
		}
	}
	MOVQ(z.ptr["s"], z.sp)
	MOVQ(param("N"), z.row)
	NEGQ(z.row)
	Label(label + "rows")
	z.rows(steps, kept, decay, out)
	ADDQ(z.pitch, z.sp)
	INCQ(z.row)
	JNZ(LabelRef(label + "rows"))
	for _, p := range each {
		if steps == 2 {
			MOVQ(z.second[p], z.ptr[p])
		}
		ADDQ(z.stride(p), z.ptr[p])
	}
	for t := range steps {
		for h, v := range out[t] {
			z.disp = 32 * h
			z.store(v, "out")
		}
		ADDQ(z.stride("out"), z.ptr["out"])
	}
}

// start returns the first term of the output of a step.
func (z *scan) start(x []Vec) (out []Vec) {
	for range z.vectors {
		out = append(out, YMM())
	}
	if z.keys {
		for _, v := range out {
			VXORPS(v, v, v)
		}
		return out
	}
	c := YMM()
	VBROADCASTSS(Mem{Base: z.ptr["c"]}, c)
	for h, v := range out {
		VMULPS(c, x[h], v)
	}
	ADDQ(z.stride("c"), z.ptr["c"])
	return out
}

// element broadcasts an element of the row of step t.
func (z *scan) element(name string, t int) Vec {
	base := z.ptr[name]
	if t == 1 {
		base = z.second[name]
	}
	v := YMM()
	VBROADCASTSS(Mem{Base: base, Index: z.row, Scale: 4}, v)
	return v
}

// rows updates a row of s over the steps.
func (z *scan) rows(steps int, kept, decay, out [2][]Vec) {
	at := &frame{ptr: map[string]reg.GPVirtual{"s": z.sp}, mask: z.mask}
	var s []Vec
	for h := range z.vectors {
		at.disp = 32 * h
		s = append(s, at.load("s"))
	}
	for t := range steps {
		a := z.element("a", t)
		for h, v := range s {
			VFMADD231PS(a, v, out[t][h])
		}
		if z.keys {
			x := z.element("x", t)
			for h, v := range s {
				VMULPS(decay[t][h], v, v)
				VFMADD231PS(kept[t][h], x, v)
			}
			continue
		}
		d, b := z.element("d", t), z.element("b", t)
		for h, v := range s {
			VMULPS(d, v, v)
			VFMADD231PS(b, kept[t][h], v)
		}
	}
	for h, v := range s {
		at.disp = 32 * h
		at.store(v, "s")
	}
}

func wkv6Dots() {
	f := begin("wkv6Dots", false)
	left, n, stride := Load(Param("n"), GP64()), GP64(), byteStride("stride")
	Label("step")
	Load(Param("N"), n)
	acc := YMM()
	VXORPS(acc, acc, acc)
	loop(map[string]reg.GPVirtual{"a": f.ptr["a"], "u": f.ptr["u"], "b": f.ptr["b"]}, n, [][]Vec{{acc}}, 1, func(f *frame) {
		x := f.load("a")
		VMULPS(f.load("u"), x, x)
		VFMADD231PS(f.load("b"), x, f.acc[0])
	})
	sumLanes(acc)
	VMOVSS(acc.AsX(), Mem{Base: f.ptr["c"]})
	ADDQ(U32(4), f.ptr["c"])
	ADDQ(stride, f.ptr["a"])
	ADDQ(stride, f.ptr["b"])
	DECQ(left)
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
}

func wkv6Decays() {
	f := begin("wkv6Decays", false)
	n, N, stride := GP64(), Load(Param("N"), GP64()), byteStride("stride")
	Label("step")
	MOVQ(N, n)
	loop(map[string]reg.GPVirtual{"x": f.ptr["w"], "y": f.ptr["d"]}, n, nil, 2, func(f *frame) { f.store(exp(f.load("x")), "y") })
	LEAQ(Mem{Base: f.ptr["d"], Index: N, Scale: 4}, f.ptr["d"])
	ADDQ(stride, f.ptr["w"])
	SUBQ(N, param("n"))
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
}

// wkv6Forgets is kernels.wkv6Forgets.
const wkv6Forgets = 1.0 / (1 << 24)

// wkv6Join moves q to the step before and adds to the gradients of the step.
func wkv6Join() {
	lanes("wkv6Join", func(f *frame, s []Vec) {
		add := func(name string, v Vec) {
			sum := f.load(name)
			VADDPS(v, sum, sum)
			f.store(sum, name)
		}
		q, r, k, gk := f.load("q"), f.load("r"), f.load("k"), f.load("gk")
		VFNMADD231PS(k, gk, q)
		last := YMM()
		VCMPPS(notLessThan, num(wkv6Forgets), f.load("d"), last)
		VANDPS(last, q, q)
		add("dw", q)
		gr, ue := f.load("gr"), f.load("u")
		VFMADD231PS(r, gr, q)
		f.store(q, "q")
		VMULPS(s[0], ue, ue)
		VFMADD231PS(ue, k, gr)
		add("dr", gr)
		VFMADD231PS(ue, r, gk)
		add("dk", gk)
		VMULPS(r, k, k)
		VMULPS(s[0], k, k)
		add("du", k)
	})
}
