package checkpoint

import (
	"encoding/binary"
	"math"
	"slices"
)

// stored is a tensor in a file. Its elements lie in data row-major, or at
// strides (in elements) where those are set.
type stored struct {
	Tensor
	data    []byte
	strides []int
}

type number interface{ float32 | float64 | int64 }

// elementSize is in bytes; these are the types that can be read.
var elementSize = map[string]int{
	"F64": 8, "F32": 4, "F16": 2, "BF16": 2,
	"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}

func (t *stored) isFloat() bool {
	return t.DType == "F64" || t.DType == "F32" || t.DType == "F16" || t.DType == "BF16"
}

// len is the number of elements: parsing has checked the shape.
func (t *stored) len() int {
	n, err := elements(t.Shape)
	if err != nil {
		panic("checkpoint: unchecked shape")
	}
	return n
}

// view is the same data under another shape.
func (t *stored) view(shape, strides []int) *stored {
	v := *t
	v.Shape, v.strides = shape, strides
	return &v
}

// transposed swaps the last two axes.
func (t *stored) transposed() *stored {
	shape, strides := slices.Clone(t.Shape), slices.Clone(t.strides)
	if strides == nil {
		strides = make([]int, len(shape))
		step := 1
		for i := len(shape) - 1; i >= 0; i-- {
			strides[i] = step
			step *= shape[i]
		}
	}
	a, b := len(shape)-2, len(shape)-1
	shape[a], shape[b] = shape[b], shape[a]
	strides[a], strides[b] = strides[b], strides[a]
	return t.view(shape, strides)
}

// squeezed makes a vector of [1,1,C].
func (t *stored) squeezed() *stored {
	if len(t.Shape) != 3 || t.Shape[0] != 1 || t.Shape[1] != 1 {
		return t
	}
	s := t.strides
	if s != nil {
		s = s[2:]
	}
	return t.view(t.Shape[2:], s)
}

// gather reads a tensor into a row-major slice.
func gather[T number](t *stored) []T {
	out := make([]T, t.len())
	if t.strides == nil || len(out) == 0 {
		decode(out, t.data, t.DType)
		return out
	}
	last := len(t.Shape) - 1
	n, step, size := t.Shape[last], t.strides[last], elementSize[t.DType]
	index := make([]int, last)
	for row := 0; row < len(out); row += n {
		at := 0
		for i, x := range index {
			at += x * t.strides[i]
		}
		if step == 1 {
			decode(out[row:row+n], t.data[at*size:], t.DType)
		} else {
			for j := range n {
				decode(out[row+j:row+j+1], t.data[(at+j*step)*size:], t.DType)
			}
		}
		for i := last - 1; i >= 0; i-- {
			if index[i]++; index[i] < t.Shape[i] {
				break
			}
			index[i] = 0
		}
	}
	return out
}

// decode fills out from little-endian elements of a type.
func decode[T number](out []T, b []byte, dtype string) {
	le := binary.LittleEndian
	b = b[:len(out)*elementSize[dtype]]
	switch dtype {
	case "F64":
		for i := range out {
			out[i] = T(math.Float64frombits(le.Uint64(b[8*i:])))
		}
	case "F32":
		for i := range out {
			out[i] = T(math.Float32frombits(le.Uint32(b[4*i:])))
		}
	case "F16":
		for i := range out {
			out[i] = T(fromHalf(le.Uint16(b[2*i:])))
		}
	case "BF16":
		for i := range out {
			out[i] = T(math.Float32frombits(uint32(le.Uint16(b[2*i:])) << 16))
		}
	case "I64":
		for i := range out {
			out[i] = T(int64(le.Uint64(b[8*i:])))
		}
	case "I32":
		for i := range out {
			out[i] = T(int32(le.Uint32(b[4*i:])))
		}
	case "I16":
		for i := range out {
			out[i] = T(int16(le.Uint16(b[2*i:])))
		}
	case "I8":
		for i := range out {
			out[i] = T(int8(b[i]))
		}
	case "U8":
		for i := range out {
			out[i] = T(b[i])
		}
	case "BOOL":
		for i := range out {
			out[i] = T(min(b[i], 1))
		}
	}
}

// fromHalf is exact: every binary16 value is a binary32 value.
func fromHalf(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0: // zero and subnormals: frac · 2^-24
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
