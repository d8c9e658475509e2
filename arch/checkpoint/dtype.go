package checkpoint

import (
	"encoding/binary"
	"math"
)

// dtype is the layout of a type in a file: blocks of elems elements in bytes
// bytes.
type dtype struct {
	elems, bytes int
	whole        bool // whole numbers
	bf16         bool
	// expand decodes whole blocks; nil for the types that decode handles.
	expand func(out []float32, b []byte)
}

// dtypes are the types that can be read, by their name in safetensors or in
// ggml.
var dtypes = map[string]dtype{
	"F64": {elems: 1, bytes: 8}, "F32": {elems: 1, bytes: 4}, "F16": {elems: 1, bytes: 2}, "BF16": {elems: 1, bytes: 2, bf16: true},
	"I64": {elems: 1, bytes: 8, whole: true}, "I32": {elems: 1, bytes: 4, whole: true},
	"I16": {elems: 1, bytes: 2, whole: true}, "I8": {elems: 1, bytes: 1, whole: true},
	"U8": {elems: 1, bytes: 1, whole: true}, "BOOL": {elems: 1, bytes: 1, whole: true},

	"Q4_0": {elems: 32, bytes: 18, expand: expandQ4x0}, "Q4_1": {elems: 32, bytes: 20, expand: expandQ4x1},
	"Q5_0": {elems: 32, bytes: 22, expand: expandQ5x0}, "Q5_1": {elems: 32, bytes: 24, expand: expandQ5x1},
	"Q8_0": {elems: 32, bytes: 34, expand: expandQ8x0},
	"Q2_K": {elems: 256, bytes: 84, expand: expandQ2K}, "Q3_K": {elems: 256, bytes: 110, expand: expandQ3K},
	"Q4_K": {elems: 256, bytes: 144, expand: expandQ4K}, "Q5_K": {elems: 256, bytes: 176, expand: expandQ5K},
	"Q6_K":   {elems: 256, bytes: 210, expand: expandQ6K},
	"IQ4_NL": {elems: 32, bytes: 18, expand: expandIQ4NL}, "IQ4_XS": {elems: 256, bytes: 136, expand: expandIQ4XS},
	"TQ1_0": {elems: 256, bytes: 54, expand: expandTQ1}, "TQ2_0": {elems: 256, bytes: 66, expand: expandTQ2},
	"MXFP4":   {elems: 32, bytes: 17, expand: expandMXFP4},
	"IQ2_XXS": {elems: 256, bytes: 66, expand: expandIQ2XXS}, "IQ2_XS": {elems: 256, bytes: 74, expand: expandIQ2XS}, "IQ2_S": {elems: 256, bytes: 82, expand: expandIQ2S},
	"IQ3_XXS": {elems: 256, bytes: 98, expand: expandIQ3XXS}, "IQ3_S": {elems: 256, bytes: 110, expand: expandIQ3S}, "IQ1_S": {elems: 256, bytes: 50, expand: expandIQ1S}, "IQ1_M": {elems: 256, bytes: 56, expand: expandIQ1M},
}

// size is the number of bytes of n elements, which are whole blocks.
func (d dtype) size(n int) int64 { return int64(n/d.elems) * int64(d.bytes) }

func (t *stored) isFloat() bool { return !dtypes[t.DType].whole }

// decode fills out from the little-endian elements of a type.
func decode[T number](out []T, b []byte, name string) {
	le := binary.LittleEndian
	switch name {
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
	default:
		decodeBlocks(out, b, dtypes[name])
	}
}

// decodeBlocks is decode for a type of several elements a block.
func decodeBlocks[T number](out []T, b []byte, d dtype) {
	if x, ok := any(out).([]float32); ok {
		d.expand(x, b)
		return
	}
	block := make([]float32, d.elems)
	for at := 0; at < len(out); at += d.elems {
		d.expand(block, b[at/d.elems*d.bytes:])
		for i, v := range block {
			out[at+i] = T(v)
		}
	}
}

// fromHalf converts a float16; every float16 is exact in float32.
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
