package checkpoint

import "encoding/binary"

// The functions of this file and of the next expand blocks of ggml's quantised
// types to out; b holds at least len(out)/32 (or /256) whole blocks. Each
// product is rounded to float32 as in ggml's C code, so the values agree to the
// bit. x, low and high are the elements of a block in order.
// Source: ggml-org/llama.cpp ggml/src/ggml-quants.c, dequantize_row_*, and
// ggml-common.h, block_*.

// half is the float16 at the start of b.
func half(b []byte) float32 { return fromHalf(binary.LittleEndian.Uint16(b)) }

// expandQ4x0: d, 16 bytes; x[j] = (low-8)·d, x[j+16] = (high-8)·d.
func expandQ4x0(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[32:], b[18:] {
		d := half(b)
		for j, q := range b[2:18] {
			out[j] = float32(int(q&15)-8) * d
			out[j+16] = float32(int(q>>4)-8) * d
		}
	}
}

// expandQ4x1: d, m, 16 bytes; x[j] = low·d + m, x[j+16] = high·d + m.
func expandQ4x1(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[32:], b[20:] {
		d, m := half(b), half(b[2:])
		for j, q := range b[4:20] {
			out[j] = float32(float32(q&15)*d) + m
			out[j+16] = float32(float32(q>>4)*d) + m
		}
	}
}

// expandQ5x0: d, 32 fifth bits, 16 bytes; x = (q-16)·d.
func expandQ5x0(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[32:], b[22:] {
		d, fifth := half(b), binary.LittleEndian.Uint32(b[2:])
		for j, q := range b[6:22] {
			low := int(q&15) | int(fifth>>j&1)<<4
			high := int(q>>4) | int(fifth>>(j+16)&1)<<4
			out[j], out[j+16] = float32(low-16)*d, float32(high-16)*d
		}
	}
}

// expandQ5x1: d, m, 32 fifth bits, 16 bytes; x = q·d + m.
func expandQ5x1(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[32:], b[24:] {
		d, m, fifth := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
		for j, q := range b[8:24] {
			low := int(q&15) | int(fifth>>j&1)<<4
			high := int(q>>4) | int(fifth>>(j+16)&1)<<4
			out[j], out[j+16] = float32(float32(low)*d)+m, float32(float32(high)*d)+m
		}
	}
}

// expandQ8x0: d, 32 int8; x = q·d.
func expandQ8x0(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[32:], b[34:] {
		d := half(b)
		for j, q := range b[2:34] {
			out[j] = float32(int8(q)) * d
		}
	}
}

// expandQ2K: 16 bytes of scale (low) and offset (high), 64 bytes of 2-bit
// values, d, dmin; every 16 elements have x = d·scale·q - dmin·offset.
func expandQ2K(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[256:], b[84:] {
		scales, qs := b[:16], b[16:80]
		d, dmin := half(b[80:]), half(b[82:])
		for g := range 16 { // 16 elements each
			dl, ml := d*float32(scales[g]&15), dmin*float32(scales[g]>>4)
			q := qs[g/8*32+g%2*16:]
			shift := g / 2 % 4 * 2
			for l := range 16 {
				out[16*g+l] = float32(dl*float32(q[l]>>shift&3)) - ml
			}
		}
	}
}

// expandQ3K: 32 bytes of third bits (unset: minus 4), 64 bytes of 2-bit
// values, 12 bytes of 6-bit scales, d; x = d·(scale-32)·q.
func expandQ3K(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[256:], b[110:] {
		third, qs, scales, d := b[:32], b[32:96], b[96:108], half(b[108:])
		for g := range 16 {
			low := scales[g%8] >> (g / 8 * 4) & 15
			high := scales[8+g%4] >> (g / 4 * 2) & 3
			dl := d * float32(int(low|high<<4)-32)
			at := g % 2 * 16
			for l := range 16 {
				q := int(qs[g/8*32+at+l] >> (g / 2 % 4 * 2) & 3)
				if third[at+l]>>(g/2)&1 == 0 {
					q -= 4
				}
				out[16*g+l] = dl * float32(q)
			}
		}
	}
}

// scaleK returns the scale and the offset of the g-th 32 elements of q4_K and
// q5_K, 6 bits each, packed into 12 bytes.
func scaleK(s []byte, g int) (scale, offset float32) {
	if g < 4 {
		return float32(s[g] & 63), float32(s[g+4] & 63)
	}
	return float32(s[g+4]&15 | s[g-4]>>6<<4), float32(s[g+4]>>4 | s[g]>>6<<4)
}

// expandQ4K: d, dmin, 12 bytes of scales, 128 bytes; x = d·scale·q - dmin·offset.
func expandQ4K(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[256:], b[144:] {
		d, dmin, qs := half(b), half(b[2:]), b[16:144]
		for g := range 8 {
			scale, offset := scaleK(b[4:16], g)
			dl, ml := d*scale, dmin*offset
			for l, q := range qs[g/2*32 : g/2*32+32] {
				out[32*g+l] = float32(dl*float32(q>>(g%2*4)&15)) - ml
			}
		}
	}
}

// expandQ5K is expandQ4K with 32 bytes of fifth bits before the others.
func expandQ5K(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[256:], b[176:] {
		d, dmin, fifth, qs := half(b), half(b[2:]), b[16:48], b[48:176]
		for g := range 8 {
			scale, offset := scaleK(b[4:16], g)
			dl, ml := d*scale, dmin*offset
			for l, q := range qs[g/2*32 : g/2*32+32] {
				v := q>>(g%2*4)&15 | fifth[l]>>g&1<<4
				out[32*g+l] = float32(dl*float32(v)) - ml
			}
		}
	}
}

// expandQ6K: 128 bytes of low nibbles, 64 of high pairs, 16 int8 scales, d;
// x = d·scale·(q-32).
func expandQ6K(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[256:], b[210:] {
		low, high, scales, d := b[:128], b[128:192], b[192:208], half(b[208:])
		for g := range 8 { // 32 elements each
			n := g / 4 // the half of 128
			for l := range 32 {
				q := int(low[64*n+g%2*32+l] >> (g % 4 / 2 * 4) & 15)
				q |= int(high[32*n+l]>>(g%4*2)&3) << 4
				s := float32(int8(scales[2*g+l/16]))
				out[32*g+l] = float32(d*s) * float32(q-32)
			}
		}
	}
}
