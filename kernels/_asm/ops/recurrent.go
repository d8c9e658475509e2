package ops

import (
	"maps"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func recurrent() {
	cells("lstmCell", map[string][]string{"z": {"i", "f", "m", "o"}}, func(f *frame) {
		i := sigmoid(f.load("i"))
		f.store(i, "i")
		g := tanh(f.load("m"))
		f.store(g, "m")
		VMULPS(g, i, i)
		s := sigmoid(f.load("f"))
		f.store(s, "f")
		VFMADD231PS(f.load("c0"), s, i)
		f.store(i, "c")
		o := sigmoid(f.load("o"))
		f.store(o, "o")
		h := tanh(i)
		VMULPS(o, h, h)
		f.store(h, "h")
	})
	lanes("lstmOutGrad", func(f *frame, _ []Vec) {
		t, e, o, dc := tanh(f.load("c")), f.load("e"), f.load("o"), f.load("dc")
		VMULPS(o, e, e) // e·o
		s := lessSquare(t)
		VFMADD231PS(s, e, dc)
		f.store(dc, "dc")
		VMULPS(t, e, e)
		VMULPS(rest(o), e, e)
		f.store(e, "do")
	})
	lanes("lstmInGrad", func(f *frame, _ []Vec) {
		dc, i, g, s := f.load("dc"), f.load("i"), f.load("m"), f.load("f")
		d := YMM()
		VMULPS(dc, i, d) // dc·i
		di := rest(i)
		VMULPS(g, di, di)
		VMULPS(d, di, di)
		f.store(di, "di")
		dg := lessSquare(g)
		VMULPS(d, dg, dg)
		f.store(dg, "dg")
		VMULPS(s, dc, dc)
		f.store(dc, "dc")
		df := rest(s)
		VMULPS(f.load("c0"), df, df)
		VMULPS(dc, df, df)
		f.store(df, "df")
	})
	cells("gruCell", map[string][]string{"gates": {"r", "z", "m"}, "b": {"br", "bz", "bm"}}, func(f *frame) {
		q, r := f.load("q"), f.load("r")
		VADDPS(f.load("bm"), q, q)
		f.store(q, "q")
		VADDPS(f.load("br"), r, r)
		r = sigmoid(r)
		f.store(r, "r")
		n := f.load("m")
		VFMADD231PS(r, q, n)
		n = tanh(n)
		f.store(n, "m")
		z := f.load("z")
		VADDPS(f.load("bz"), z, z)
		z = sigmoid(z)
		f.store(z, "z")
		h := f.load("h0")
		VSUBPS(n, h, h)
		VFMADD213PS(n, z, h)
		f.store(h, "h")
	})
	cells("gruCellGrad", map[string][]string{"dy": {"yr", "yz", "yq"}, "gates": {"r", "z", "m"}}, func(f *frame) {
		e, z, n := f.load("e"), f.load("z"), f.load("m")
		dz, dn := f.load("h0"), lessSquare(n)
		VSUBPS(n, dz, dz)
		s := rest(z)
		VMULPS(e, dn, dn)
		VMULPS(s, dn, dn)
		f.store(dn, "dn")
		VMULPS(z, e, e) // e·z
		f.store(e, "e")
		VMULPS(s, dz, dz)
		VMULPS(e, dz, dz)
		f.store(dz, "yz")
		r := f.load("r")
		VMULPS(r, dn, dn) // dn·r
		f.store(dn, "yq")
		VMULPS(f.load("q"), dn, dn)
		VMULPS(rest(r), dn, dn)
		f.store(dn, "yr")
	})
}

// cells generates a loop over n units. parts names the slices that lie H floats
// apart from a parameter on.
func cells(name string, parts map[string][]string, body func(f *frame)) {
	ptr := text(name)
	n, H := Load(Param("n"), GP64()), Load(Param("H"), GP64())
	for _, p := range slices.Sorted(maps.Keys(parts)) {
		from := ptr[p]
		delete(ptr, p)
		for i, part := range parts[p] {
			if ptr[part] = from; i+1 < len(parts[p]) {
				next := GP64()
				LEAQ(Mem{Base: from, Index: H, Scale: 4}, next)
				from = next
			}
		}
	}
	loop(ptr, n, nil, 1, body)
	VZEROUPPER()
	RET()
}

// rest returns 1-x.
func rest(x Vec) Vec {
	v := YMM()
	VMOVUPS(num(1), v)
	VSUBPS(x, v, v)
	return v
}

// lessSquare returns 1-x².
func lessSquare(x Vec) Vec {
	v := YMM()
	VMOVUPS(num(1), v)
	VFNMADD231PS(x, x, v)
	return v
}
