package kernels

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// f16Value is the value of a float16, by its definition.
func f16Value(h uint16) float64 {
	sign, exp, frac := 1-2*float64(h>>15), int(h>>10&31), float64(h&1023)
	switch {
	case exp == 31 && frac == 0:
		return sign * math.Inf(1)
	case exp == 31:
		return math.NaN()
	case exp == 0:
		return sign * math.Ldexp(frac, -24)
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

func TestHalfToFloat(t *testing.T) {
	eachImpl(t, func(impl string) {
		all, wide := make([]uint16, 1<<16), make([]float32, 1<<16)
		for i := range all {
			all[i] = uint16(i)
		}
		unpackHalf(F16, wide, all)
		for h, v := range wide {
			if want := f16Value(uint16(h)); !sameFloat(v, want) {
				t.Fatalf("%s: f16 %#04x is %v, want %v", impl, h, v, want)
			}
			if v == v && f16FromFloat(v) != uint16(h) {
				t.Fatalf("f16 %#04x comes back as %#04x", h, f16FromFloat(v))
			}
		}
		unpackHalf(BF16, wide, all)
		for h, v := range wide {
			if math.Float32bits(v) != uint32(h)<<16 {
				t.Fatalf("%s: bf16 %#04x is %v", impl, h, v)
			}
		}
	})
}

// sameFloat distinguishes -0 from 0 and treats all NaN as equal.
func sameFloat(v float32, want float64) bool {
	return v != v && want != want || float64(v) == want && math.Signbit(float64(v)) == math.Signbit(want)
}

// TestFloatToHalf checks rounding around the midpoint of every two neighbours:
// to the nearest and, at the midpoint, to the even one.
func TestFloatToHalf(t *testing.T) {
	type half struct {
		name  string
		round func(float32) uint16
		value func(uint16) float64
		inf   uint16
	}
	for _, f := range []half{
		{"f16", f16FromFloat, f16Value, 0x7c00},
		{"bf16", bf16FromFloat, func(h uint16) float64 { return float64(bf16ToFloat(h)) }, 0x7f80},
	} {
		for h := range f.inf {
			low, high := f.value(h), f.value(h+1)
			if h+1 == f.inf {
				high = 2*low - f.value(h-1)
			}
			middle := float32((low + high) / 2)
			even := h + h&1
			for _, sign := range []uint16{0, 0x8000} {
				s := 1 - float32(sign>>14)
				for _, c := range []struct {
					v    float32
					want uint16
				}{{middle, even}, {math.Nextafter32(middle, 0), h}, {math.Nextafter32(middle, math.MaxFloat32), h + 1}, {float32(low), h}} {
					if float64(c.v) < low {
						continue // the midpoint of the two smallest bf16 is not a float32
					}
					if got := f.round(s * c.v); got != c.want|sign {
						t.Fatalf("%s: %v gives %#04x, want %#04x", f.name, s*c.v, got, c.want|sign)
					}
				}
			}
		}
		inf := float32(math.Inf(1))
		if f.round(inf) != f.inf || f.round(-inf) != f.inf|0x8000 || f.round(math.MaxFloat32) != f.inf {
			t.Errorf("%s: infinity or the largest float32 is not infinity", f.name)
		}
		if v := f.value(f.round(math.Float32frombits(0x7f800001))); v == v {
			t.Errorf("%s: NaN becomes %v", f.name, v)
		}
	}
}

// rowOfFile decodes a row of blocks by the definition of the file format.
func rowOfFile(t DType, b []byte, K int) []float32 {
	w := make([]float32, K)
	for k := range w {
		size, j := 2+payload(t), k%32
		block := b[k/32*size:]
		d := float32(f16Value(binary.LittleEndian.Uint16(block)))
		switch {
		case t == Q8_0:
			w[k] = float32(int8(block[2+j])) * d
		case j < 16:
			w[k] = float32(int(block[2+j]&15)-8) * d
		default:
			w[k] = float32(int(block[2+j-16]>>4)-8) * d
		}
	}
	return w
}

// quantisedByHand quantises a block by the definition of the format.
func quantisedByHand(t DType, x []float32) (d float32, q [32]int) {
	var top float32
	for _, v := range x {
		if math.Abs(float64(v)) > math.Abs(float64(top)) {
			top = v
		}
	}
	if t == Q8_0 {
		d = float32(math.Abs(float64(top))) / 127
	} else {
		d = top / -8
	}
	if d == 0 {
		return 0, q
	}
	for i, v := range x {
		r := v * (1 / d)
		if t == Q8_0 {
			q[i] = int(math.Floor(math.Abs(float64(r)) + 0.5))
			if r < 0 {
				q[i] = -q[i]
			}
		} else {
			q[i] = min(15, int(r+8.5)) - 8
		}
	}
	return float32(f16Value(f16FromFloat(d))), q
}

// TestQuantise compares stored weights with the definition of the formats.
func TestQuantise(t *testing.T) {
	const N, K = 21, 160
	w := normals(N*K, 5, 0.3)
	clear(w[2*K : 2*K+64])
	for i := range 32 {
		w[3*K+i] = float32(i%17) - 8 // every 4-bit value, and two values of equal magnitude
		w[4*K+i] = float32(i) - 15.5 // halves
		w[5*K+i] = w[5*K+i] * 1e-9   // the scale becomes 0
		w[6*K+i] = w[6*K+i] * 4e4    // large scales
		w[7*K+i] = float32(i) - 15.5 // halves in q8_0, its scale being 1
	}
	w[7*K] = 127
	row := make([]float32, K)
	for _, d := range []DType{Q8_0, Q4_0} {
		m, err := NewMatrix(d, w, N, K)
		if err != nil {
			t.Fatal(err)
		}
		if want := (N + 7) / 8 * 8 * K / 32 * map[DType]int{Q8_0: 34, Q4_0: 18}[d]; m.Bytes() != want {
			t.Errorf("%s: %d bytes, want %d", d, m.Bytes(), want)
		}
		for n := range N {
			m.Row(row, n)
			for k0 := 0; k0 < K; k0 += 32 {
				scale, q := quantisedByHand(d, w[n*K+k0:n*K+k0+32])
				for i, v := range row[k0 : k0+32] {
					if v != scale*float32(q[i]) {
						t.Fatalf("%s: weight [%d,%d] %v is %v, want %d times %v", d, n, k0+i, w[n*K+k0+i], v, q[i], scale)
					}
				}
			}
		}
	}
}

// TestMatrixFromBlocks reads random bytes as each type.
func TestMatrixFromBlocks(t *testing.T) {
	const N, K = 19, 96
	for _, d := range dtypes {
		size, _ := rowBytes(d, K)
		data := make([]byte, N*size+1)
		for i := range data {
			data[i] = byte(i*i>>3 + i*7)
		}
		data = data[1:] // misaligned
		m, err := MatrixFromBlocks(d, data, N, K)
		if err != nil {
			t.Fatal(err)
		}
		row := make([]float32, K)
		for n := range N {
			m.Row(row, n)
			b := data[n*size:]
			for k, v := range row {
				var want float64
				switch d {
				case F32:
					want = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*k:])))
				case BF16:
					want = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*k:])) << 16))
				case F16:
					want = f16Value(binary.LittleEndian.Uint16(b[2*k:]))
				default:
					want = float64(rowOfFile(d, b, K)[k])
				}
				if !sameFloat(v, want) {
					t.Fatalf("%s: [%d,%d] is %v, want %v", d, n, k, v, want)
				}
			}
		}
		if _, err := MatrixFromBlocks(d, data[1:], N, K); err == nil {
			t.Errorf("%s: a byte less is no error", d)
		}
	}
}

// TestExtremeBlocks multiplies the most extreme weights and inputs of a file:
// -128 in q8_0, and q4_0 sums at the limit of 16 bits.
func TestExtremeBlocks(t *testing.T) {
	const N, K = 40, 64
	x := make([]float32, K)
	for k := range x {
		x[k] = 3 * (1 - 2*float32(k&1))
	}
	for _, d := range []DType{Q8_0, Q4_0} {
		size, _ := rowBytes(d, K)
		for _, fill := range []byte{0x00, 0x0f, 0xf0, 0xff, 0x80, 0x7f} {
			for _, sign := range []float32{1, -1, 0} {
				data := make([]byte, N*size)
				for i := range data {
					data[i] = fill
					if j := i % (2 + payload(d)); j < 2 {
						data[i] = []byte{0x00, 0x3c}[j] // 1
					} else if sign == 0 && j%2 == 1 {
						data[i] = ^fill
					}
				}
				in := make([]float32, K)
				for k := range in {
					in[k] = x[k]
					if sign != 0 {
						in[k] = 3 * sign
					}
				}
				m, err := MatrixFromBlocks(d, data, N, K)
				if err != nil {
					t.Fatal(err)
				}
				want := 0.0
				for k, w := range rowOfFile(d, data, K) {
					want += float64(w) * float64(in[k])
				}
				eachImpl(t, func(impl string) {
					y := make([]float32, N)
					MulVec(y, m, in)
					for n, v := range y {
						if math.Abs(float64(v)-want) > 1e-6*K*3*128 {
							t.Fatalf("%s %s %#02x by %v: y[%d] = %v, want %v", impl, d, fill, sign, n, v, want)
						}
					}
				})
			}
		}
	}
}

// TestQuantiseInputs compares the implementations with the definition to the
// bit, and checks that what is not finite stays so.
func TestQuantiseInputs(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	var x []float32
	for _, scale := range []float64{0, 1e-45, 1e-38, 1e-31, 1e-30, 1e-20, 1, 1e20, 5e37} {
		x = append(x, normals(96, uint64(len(x)), scale)...)
	}
	ties := make([]float32, 32)
	for i := range ties {
		ties[i] = float32(i) - 15.5
	}
	ties[0] = 127
	x = append(x, ties...)
	eachImpl(t, func(impl string) {
		q := make([]actBlock, len(x)/32)
		quantiseInputs(q, x)
		for i, b := range q {
			top, sum := float32(0), int32(0)
			for _, v := range x[32*i : 32*i+32] {
				top = max(top, float32(math.Abs(float64(v))))
			}
			if b.d != top/127 {
				t.Fatalf("%s: block %d has scale %v, want %v", impl, i, b.d, top/127)
			}
			for j, v := range x[32*i : 32*i+32] {
				want := 0.0
				if top > tiny {
					want = math.RoundToEven(float64(v * (127 / top)))
				}
				if float64(b.q[j]) != want {
					t.Fatalf("%s: block %d: %v of %v is %d, want %v", impl, i, v, top, b.q[j], want)
				}
				sum += int32(b.q[j])
			}
			if b.off != -8*sum {
				t.Fatalf("%s: block %d: offset %d of the sum %d", impl, i, b.off, sum)
			}
		}
		for _, bad := range []float32{inf, -inf, nan, -nan} {
			for _, d := range []DType{Q8_0, Q4_0} {
				m, err := NewMatrix(d, normals(40*64, 1, 1), 40, 64)
				if err != nil {
					t.Fatal(err)
				}
				in, y := normals(64, 2, 1), make([]float32, 40)
				in[37] = bad
				MulVec(y, m, in)
				for n, v := range y {
					if !math.IsInf(float64(v), 0) && v == v {
						t.Fatalf("%s %s: y[%d] = %v from an input of %v", impl, d, n, v, bad)
					}
				}
			}
		}
	})
}

func TestMatrixErrors(t *testing.T) {
	for _, d := range []DType{Q8_0, Q4_0} {
		if _, err := NewMatrix(d, make([]float32, 2*33), 2, 33); err == nil || !strings.Contains(err.Error(), "f16") {
			t.Errorf("%s: rows of 33: %v", d, err)
		}
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1)), 1e9} {
			w := make([]float32, 9*64)
			w[8*64+40] = bad
			if _, err := NewMatrix(d, w, 9, 64); err == nil || !strings.Contains(err.Error(), "row 8: column 32") {
				t.Errorf("%s: weight %v: %v", d, bad, err)
			}
		}
	}
	for _, d := range dtypes {
		if p, err := ParseDType(d.String()); p != d || err != nil {
			t.Errorf("%v is read as %v, %v", d, p, err)
		}
	}
	if _, err := ParseDType("q5_0"); err == nil {
		t.Error("q5_0 is a type")
	}
	if _, err := NewMatrix(Q4_0+1, nil, 0, 0); err == nil {
		t.Error("an unknown type is stored")
	}
}
