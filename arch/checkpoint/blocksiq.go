package checkpoint

import (
	"encoding/binary"
	"math"
)

// iq4 are the 16 values of iq4_nl and iq4_xs.
var iq4 = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// expandIQ4NL: d, 16 bytes; x[j] = d·iq4[low], x[j+16] = d·iq4[high].
func expandIQ4NL(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[32:], b[18:] {
		d := half(b)
		for j, q := range b[2:18] {
			out[j], out[j+16] = d*iq4[q&15], d*iq4[q>>4]
		}
	}
}

// expandIQ4XS: d, 16 high pairs of scales, 4 bytes of their low nibbles, 128
// bytes; every 32 elements are those of iq4_nl times d·(scale-32).
func expandIQ4XS(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[256:], b[136:] {
		d, high := half(b), binary.LittleEndian.Uint16(b[2:])
		for g := range 8 {
			scale := int(b[4+g/2]>>(g%2*4)&15) | int(high>>(2*g)&3)<<4
			dl := d * float32(scale-32)
			for j, q := range b[8+16*g : 24+16*g] {
				out[32*g+j], out[32*g+j+16] = dl*iq4[q&15], dl*iq4[q>>4]
			}
		}
	}
}

// expandTQ1: 48 bytes of five digits to base 3 each, 4 bytes of four, d; a
// digit is the top of the byte's product with 3^n. x = (digit-1)·d.
func expandTQ1(out []float32, b []byte) {
	digit := func(q byte, n int) float32 {
		return float32(int(uint16(q*[5]byte{1, 3, 9, 27, 81}[n])*3>>8) - 1)
	}
	for ; len(out) > 0; out, b = out[256:], b[54:] {
		d := half(b[52:])
		at := 0
		for _, run := range []struct{ from, bytes, digits int }{{0, 32, 5}, {32, 16, 5}, {48, 4, 4}} {
			for n := range run.digits {
				for _, q := range b[run.from : run.from+run.bytes] {
					out[at] = digit(q, n) * d
					at++
				}
			}
		}
	}
}

// expandTQ2: 64 bytes of four 2-bit digits, d; x = (digit-1)·d.
func expandTQ2(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[256:], b[66:] {
		d := half(b[64:])
		for g := range 8 {
			for l, q := range b[g/4*32 : g/4*32+32] {
				out[32*g+l] = float32(int(q>>(g%4*2)&3)-1) * d
			}
		}
	}
}

// fp4 is twice the value of a number of one sign, two exponent and one
// fraction bit.
var fp4 = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// expandMXFP4: an exponent e, 16 bytes; x = 2^(e-128)·fp4.
func expandMXFP4(out []float32, b []byte) {
	for ; len(out) > 0; out, b = out[32:], b[17:] {
		d := float32(math.Ldexp(1, int(b[0])-128))
		for j, q := range b[1:17] {
			out[j], out[j+16] = fp4[q&15]*d, fp4[q>>4]*d
		}
	}
}
