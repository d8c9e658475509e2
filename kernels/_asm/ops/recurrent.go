package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func recurrent() {
	lanes("lstmCell", "is lstmCellGeneric.", []string{"h", "c", "c0", "i", "f", "m", "o"}, nil, func(f *frame, _ []Vec) {
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
	lanes("lstmOutGrad", "leaves the gradient of the output gate's sum in do, and adds that of the cell to dc.", []string{"do", "dc", "e", "c", "o"}, nil, func(f *frame, _ []Vec) {
		t, e, o, dc := tanh(f.load("c")), f.load("e"), f.load("o"), f.load("dc")
		VMULPS(o, e, e) // e·o
		s := lessSquare(t)
		VFMADD231PS(s, e, dc)
		f.store(dc, "dc")
		VMULPS(t, e, e)
		VMULPS(rest(o), e, e)
		f.store(e, "do")
	})
	lanes("lstmCellGrad", "is the rest of lstmCellGradGeneric.", []string{"di", "df", "dg", "dc", "c0", "i", "f", "m"}, nil, func(f *frame, _ []Vec) {
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
	lanes("gruCell", "is gruCellGeneric.", []string{"h", "q", "h0", "r", "z", "m", "br", "bz", "bm"}, nil, func(f *frame, _ []Vec) {
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
	lanes("gruCellGrad", "is gruCellGradGeneric.", []string{"dn", "yr", "yz", "yq", "e", "h0", "q", "r", "z", "m"}, nil, func(f *frame, _ []Vec) {
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
