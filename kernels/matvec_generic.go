package kernels

import "encoding/binary"

// dotRowsGeneric computes the n rows from row on in each of four streams that
// lie far rows apart, or in one stream where far is 0.
func dotRowsGeneric(m *Matrix, y, x []float32, row, n, far int) {
	for s := range streams(far) {
		for i := row + s*far; i < row+s*far+n; i++ {
			if m.Type == F32 {
				y[i] = dotFloatsGeneric(m.f32[i*m.K:(i+1)*m.K], x)
			} else {
				y[i] = dotHalfGeneric(m.Type, m.half[i*m.stride:(i+1)*m.stride], x)
			}
		}
	}
}

func streams(far int) int {
	if far == 0 {
		return 1
	}
	return 4
}

// dotFloatsGeneric is Σₖ w[k]·x[k] with four partial sums.
func dotFloatsGeneric(w, x []float32) float32 {
	var s0, s1, s2, s3 float32
	x = x[:len(w)]
	k := 0
	for ; k+4 <= len(w); k += 4 {
		s0 += w[k] * x[k]
		s1 += w[k+1] * x[k+1]
		s2 += w[k+2] * x[k+2]
		s3 += w[k+3] * x[k+3]
	}
	for ; k < len(w); k++ {
		s0 += w[k] * x[k]
	}
	return s0 + s1 + s2 + s3
}

func dotHalfGeneric(t DType, w []uint16, x []float32) (sum float32) {
	var f [128]float32
	for k := 0; k < len(w); k += len(f) {
		part := f[:min(len(f), len(w)-k)]
		unpackHalfGeneric(t, part, w[k:k+len(part)])
		sum += dotFloatsGeneric(part, x[k:])
	}
	return sum
}

// dotGroupsGeneric computes the n groups from group on in each of four streams
// that lie far groups apart, or in one stream where far is 0; y[0] is the first
// row of group.
func dotGroupsGeneric(m *Matrix, y []float32, x []actBlock, group, n, far int) {
	size := m.groupBytes()
	for s := range streams(far) {
		for i := s * far; i < s*far+n; i++ {
			dotGroupGeneric(m.Type, (*[groupRows]float32)(y[i*groupRows:]), m.blocks[(group+i)*size:][:size], x)
		}
	}
}

func dotGroupGeneric(t DType, y *[groupRows]float32, w []byte, x []actBlock) {
	clear(y[:])
	p := payload(t)
	for i := range x {
		var sum [groupRows]int32
		q := &x[i].q
		for j, b := range w[2*groupRows : groupRows*(2+p)] {
			r, k := j>>2&7, j>>5<<2|j&3
			if t == Q8_0 {
				sum[r] += int32(int8(b)) * int32(q[k])
			} else {
				sum[r] += int32(b&15)*int32(q[k]) + int32(b>>4)*int32(q[k+blockSize/2])
			}
		}
		for r := range y {
			if t == Q4_0 {
				sum[r] += x[i].off
			}
			y[r] += f16ToFloat(binary.LittleEndian.Uint16(w[2*r:])) * x[i].d * float32(sum[r])
		}
		w = w[groupRows*(2+p):]
	}
}

// unpackHalfGeneric is dst[i] = src[i], a bf16 or float16.
func unpackHalfGeneric(t DType, dst []float32, src []uint16) {
	if t == BF16 {
		for i, h := range src {
			dst[i] = bf16ToFloat(h)
		}
		return
	}
	for i, h := range src {
		dst[i] = f16ToFloat(h)
	}
}

// packHalfGeneric is dst[i] = src[i], rounded to a bf16 or a float16.
func packHalfGeneric(t DType, dst []uint16, src []float32) {
	round := bf16FromFloat
	if t == F16 {
		round = f16FromFloat
	}
	for i, v := range src {
		dst[i] = round(v)
	}
}

// unpackGroupGeneric expands 8 interleaved rows to dst[8,K], rows ld floats
// apart.
func unpackGroupGeneric(t DType, dst []float32, ld int, w []byte) {
	p := payload(t)
	for k0 := 0; len(w) > 0; k0 += blockSize {
		for j, b := range w[2*groupRows : groupRows*(2+p)] {
			r := j >> 2 & 7
			at, d := r*ld+k0+(j>>5<<2|j&3), f16ToFloat(binary.LittleEndian.Uint16(w[2*r:]))
			if t == Q8_0 {
				dst[at] = float32(int8(b)) * d
			} else {
				dst[at] = float32(int(b&15)-8) * d
				dst[at+blockSize/2] = float32(int(b>>4)-8) * d
			}
		}
		w = w[groupRows*(2+p):]
	}
}
