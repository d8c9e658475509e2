package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	blockSize = 32 // weights that share a scale
	groupRows = 8  // interleaved rows: one for each 32-bit lane
)

// payload is the size of the weights of a block in bytes, without the 2 bytes
// of its scale.
func payload(t DType) int {
	if t == Q4_0 {
		return blockSize / 2
	}
	return blockSize
}

func bf16FromFloat(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func bf16ToFloat(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

func f16FromFloat(v float32) uint16 {
	b := math.Float32bits(v)
	sign, a := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case v != v:
		return sign | 0x7e00
	case a >= 0x47800000: // 65536
		return sign | 0x7c00
	case a < 0x38800000: // 2^-14: a multiple of 2^-24, the ulp of 0.5
		return sign | uint16(math.Float32bits(math.Float32frombits(a)+0.5)-0x3f000000)
	}
	return sign | uint16((a+0xfff+a>>13&1-112<<23)>>13)
}

func f16ToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10&31), uint32(h&0x3ff)
	switch exp {
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*(1.0/(1<<24))))
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// quantiseRow writes w as blocks in the format of GGUF files.
//
//	q8_0: d = max|w|/127, q = round(w/d), halves away from zero
//	q4_0: d = w of largest magnitude / -8, q = min(15, ⌊w/d + 8.5⌋)
//
// The division uses d before d is rounded to float16.
// Source: ggml-quants.c, quantize_row_q8_0_ref and quantize_row_q4_0_ref.
func quantiseRow(t DType, dst []byte, w []float32) error {
	size := 2 + payload(t)
	for i := range len(w) / blockSize {
		x, b := w[i*blockSize:(i+1)*blockSize], dst[i*size:(i+1)*size]
		extreme, err := largest(x)
		if err != nil {
			return fmt.Errorf("column %d: %w of %s", i*blockSize, err, t)
		}
		d := extreme / -8
		if t == Q8_0 {
			d = float32(math.Abs(float64(extreme))) / 127
		}
		inverse := float32(0)
		if d != 0 {
			inverse = 1 / d
		}
		binary.LittleEndian.PutUint16(b, f16FromFloat(d))
		for j, q := range b[2:] {
			if t == Q8_0 {
				q = byte(int8(math.Round(float64(x[j] * inverse))))
			} else {
				q = nibble(float32(x[j]*inverse)) | nibble(float32(x[j+blockSize/2]*inverse))<<4
			}
			b[2+j] = q
		}
	}
	return nil
}

func nibble(v float32) byte { return byte(min(15, int8(v+8.5))) }

// largest returns the value of largest magnitude, the first of equal ones.
func largest(x []float32) (v float32, err error) {
	for _, e := range x {
		if !(math.Abs(float64(e)) <= 65504*8) {
			return 0, fmt.Errorf("weight %v is beyond the range", e)
		}
		if math.Abs(float64(e)) > math.Abs(float64(v)) {
			v = e
		}
	}
	return v, nil
}

// interleave turns blocks of 8 rows into groups: the 8 scales, then 4 bytes of
// row 0, … 4 bytes of row 7, and so on.
func interleave(dst, rows []byte, payload int) {
	row := len(rows) / groupRows
	for at := 0; at < row; at += 2 + payload {
		for r := range groupRows {
			src := rows[r*row+at:]
			copy(dst[2*r:2*r+2], src)
			for j := 0; j < payload; j += 4 {
				to := 2*groupRows + j*groupRows + 4*r
				copy(dst[to:to+4], src[2+j:])
			}
		}
		dst = dst[groupRows*(2+payload):]
	}
}

// blockWeight returns weight k of row r of a group.
func blockWeight(t DType, group []byte, r, k int) float32 {
	p := payload(t)
	group = group[k/blockSize*groupRows*(2+p):]
	d, j := f16ToFloat(binary.LittleEndian.Uint16(group[2*r:])), k%blockSize
	at := func(j int) byte { return group[2*groupRows+j/4*4*groupRows+4*r+j%4] }
	if t == Q8_0 {
		return float32(int8(at(j))) * d
	}
	return float32(int(at(j%p)>>(j/p*4)&15)-8) * d
}

// actBlock is 32 inputs x ≈ q·d: d = max|x|/127, q rounded to even.
type actBlock struct {
	q   [blockSize]int8
	d   float32
	off int32 // -8·Σq, q4_0's offset
}

// tiny is the largest |x| of a block that is treated as zeros: 127/tiny is
// finite.
const tiny = 1e-30

// quantiseInputsGeneric fills each block of dst from 32 floats. An input that
// is not finite makes d not finite.
func quantiseInputsGeneric(dst []actBlock, x []float32) {
	for i := range dst {
		b, v := &dst[i], x[i*blockSize:(i+1)*blockSize]
		var most uint32 // compared as bits, in which order NaN is the largest
		for _, e := range v {
			most = max(most, math.Float32bits(e)&0x7fffffff)
		}
		top := math.Float32frombits(most)
		b.d, b.off = top/127, 0
		inverse := float32(0)
		if top > tiny {
			inverse = 127 / top
		}
		for j, e := range v {
			q := int8(0)
			if f := float64(e * inverse); f >= -127.5 && f <= 127.5 {
				q = int8(math.RoundToEven(f))
			}
			b.q[j] = q
			b.off -= 8 * int32(q)
		}
	}
}
