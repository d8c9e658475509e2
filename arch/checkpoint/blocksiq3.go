package checkpoint

import (
	"encoding/binary"
	"math/bits"
)

// signed writes point, scaled, its value j negated where bit j of signs is set.
func signed(out []float32, scale float32, point []float32, signs byte) {
	for j, p := range point {
		out[j] = scale * p
		if signs>>j&1 == 1 {
			out[j] = -out[j]
		}
	}
}

// evenSigns are eight signs from seven: an even number of them is set.
func evenSigns(q uint32) byte {
	q &= 127
	return byte(q | uint32(bits.OnesCount32(q)&1)<<7)
}

// expandIQ2XXS: d, and for every 32 elements 4 bytes of indices and a word of
// four times seven signs and a scale s; x = ±point·d·(s+1/2)/4.
func expandIQ2XXS(out []float32, b []byte) {
	book := iq2XXS()
	for ; len(out) > 0; out, b = out[256:], b[66:] {
		d := half(b)
		for g := range 8 {
			q := b[2+8*g:]
			word := binary.LittleEndian.Uint32(q[4:])
			scale := d * (0.5 + float32(word>>28)) * 0.25
			for l := range 4 {
				signed(out[32*g+8*l:], scale, book[8*int(q[l]):][:8], evenSigns(word>>(7*l)))
			}
		}
	}
}

// expandIQ2XS: d, 32 words of a nine-bit index and seven signs, and a scale of
// four bits for every 16 elements; x as in iq2_xxs.
func expandIQ2XS(out []float32, b []byte) {
	book := iq2XS()
	for ; len(out) > 0; out, b = out[256:], b[74:] {
		d := half(b)
		for i := range 32 {
			q := uint32(binary.LittleEndian.Uint16(b[2+2*i:]))
			scale := d * (0.5 + float32(b[66+i/4]>>(i/2%2*4)&15)) * 0.25
			signed(out[8*i:], scale, book[8*(q&511):][:8], evenSigns(q>>9))
		}
	}
}

// expandIQ2S: d, 32 low bytes of indices, 32 of signs, two more bits of every
// index, scales; x as in iq2_xxs.
func expandIQ2S(out []float32, b []byte) {
	book := iq2S()
	for ; len(out) > 0; out, b = out[256:], b[82:] {
		d := half(b)
		for i := range 32 {
			at := int(b[2+i]) | int(b[66+i/4]>>(i%4*2)&3)<<8
			scale := d * (0.5 + float32(b[74+i/4]>>(i/2%2*4)&15)) * 0.25
			signed(out[8*i:], scale, book[8*at:][:8], b[34+i])
		}
	}
}

// expandIQ3XXS: d, 64 bytes of indices of points of four, and for every 32
// elements a word of four times seven signs and a scale s; x = ±point·d·(s+1/2)/2.
func expandIQ3XXS(out []float32, b []byte) {
	book := iq3XXS()
	for ; len(out) > 0; out, b = out[256:], b[98:] {
		d := half(b)
		for i := range 64 {
			word := binary.LittleEndian.Uint32(b[66+i/8*4:])
			scale := d * (0.5 + float32(word>>28)) * 0.5
			signed(out[4*i:], scale, book[4*int(b[2+i]):][:4], evenSigns(word>>(i/2%4*7))>>(i%2*4))
		}
	}
}

// expandIQ3S: d, 64 low bytes of indices, 8 bytes of their ninth bits, 32 of
// signs, and a scale s of four bits for every 32 elements; x = ±point·d·(2s+1).
func expandIQ3S(out []float32, b []byte) {
	book := iq3S()
	for ; len(out) > 0; out, b = out[256:], b[110:] {
		d := half(b)
		for i := range 64 {
			at := int(b[2+i]) | int(b[66+i/8]>>(i%8)&1)<<8
			scale := d * float32(1+2*(b[106+i/16]>>(i/8%2*4)&15))
			signed(out[4*i:], scale, book[4*at:][:4], b[74+i/2]>>(i%2*4))
		}
	}
}

// shifted is an eighth more or less than a point of iq1_s or iq1_m.
func shifted(out []float32, scale float32, point []float32, less bool) {
	delta := float32(0.125)
	if less {
		delta = -delta
	}
	for j, p := range point {
		out[j] = scale * (p + delta)
	}
}

// expandIQ1S: d, 32 low bytes of indices, and for every 32 elements a word of
// four times three more bits of them, a scale s and the sign of the shift;
// x = d·(2s+1)·(point ± 1/8).
func expandIQ1S(out []float32, b []byte) {
	book := iq1()
	for ; len(out) > 0; out, b = out[256:], b[50:] {
		d := half(b)
		for i := range 32 {
			word := int(binary.LittleEndian.Uint16(b[34+i/4*2:]))
			at := int(b[2+i]) | word>>(i%4*3)&7<<8
			shifted(out[8*i:], d*float32(2*(word>>12&7)+1), book[8*at:][:8], word>>15 == 1)
		}
	}
}

// expandIQ1M: 32 low bytes of indices; four bits for each: three more of the
// index and the sign of the shift; four words of four scales s of three bits
// each, and, as their top four bits, d; x as in iq1_s.
func expandIQ1M(out []float32, b []byte) {
	book := iq1()
	for ; len(out) > 0; out, b = out[256:], b[56:] {
		var scales [4]uint16
		var d uint16
		for i := range scales {
			scales[i] = binary.LittleEndian.Uint16(b[48+2*i:])
			d |= scales[i] >> 12 << (4 * i)
		}
		for i := range 32 {
			more := int(b[32+i/2] >> (i % 2 * 4))
			at := int(b[i]) | more&7<<8
			s := scales[i/8] >> (i / 2 % 4 * 3) & 7
			shifted(out[8*i:], fromHalf(d)*float32(2*s+1), book[8*at:][:8], more&8 != 0)
		}
	}
}
