package kernels

import (
	"fmt"
	"slices"
)

// Half are 16-bit floats of type BF16 or F16, such as the keys and values of a
// cache. The zero Half is none.
type Half struct {
	Type DType
	Bits []uint16
}

// Append rounds x to the nearest, ties to even, and appends it. What is beyond
// the largest number of the type (65504 in f16) becomes an infinity.
func (h *Half) Append(x []float32) {
	h.check("Append")
	n := len(h.Bits)
	h.Bits = slices.Grow(h.Bits, len(x))[:n+len(x)]
	packHalf(h.Type, h.Bits[n:], x)
}

// Expand writes the elements to dst, which has as many.
func (h Half) Expand(dst []float32) {
	h.check("Expand")
	need("Expand", "dst", dst, len(h.Bits))
	unpackHalf(h.Type, dst, h.Bits)
}

// RoundHalf rounds x to numbers of a 16-bit type.
func RoundHalf(t DType, x []float32) {
	Half{Type: t}.check("RoundHalf")
	var bits [256]uint16
	for len(x) > 0 {
		n := min(len(x), len(bits))
		packHalf(t, bits[:n], x[:n])
		unpackHalf(t, x[:n], bits[:n])
		x = x[n:]
	}
}

func (h Half) check(op string) {
	if h.Type != BF16 && h.Type != F16 {
		panic(fmt.Sprintf("kernels: %s: %s is no 16-bit float", op, h.Type))
	}
}

// keyRows are the keys or the values of attention: f, or half where that is not
// none.
type keyRows struct {
	f    []float32
	half Half
}

func (r keyRows) isHalf() bool { return r.half.Type != F32 }

// from are the elements from i on.
func (r keyRows) from(i int) keyRows {
	if r.isHalf() {
		r.half.Bits = r.half.Bits[i:]
	} else {
		r.f = r.f[i:]
	}
	return r
}

func (r keyRows) len() int {
	if r.isHalf() {
		return len(r.half.Bits)
	}
	return len(r.f)
}

// dot is q·r over the channels of q.
func (r keyRows) dot(q []float32) float32 {
	if r.isHalf() {
		return dotHalfGeneric(r.half.Type, r.half.Bits[:len(q)], q)
	}
	return dotGeneric(q, r.f)
}

// addTo is y += w·r over the channels of y.
func (r keyRows) addTo(y []float32, w float32) {
	if !r.isHalf() {
		axpyGeneric(y, r.f, w)
		return
	}
	var f [64]float32
	for i := 0; i < len(y); i += len(f) {
		part := f[:min(len(f), len(y)-i)]
		unpackHalfGeneric(r.half.Type, part, r.half.Bits[i:i+len(part)])
		axpyGeneric(y[i:i+len(part)], part, w)
	}
}
