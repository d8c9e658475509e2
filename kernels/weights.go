package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
)

// DType is the storage type of weights.
type DType uint8

// The storage types. Quantised weights form blocks of 32 along K with a float16
// scale d: in q8_0 a weight is q·d with an int8 q (8.5 bits a weight), in q4_0
// it is (q-8)·d with a 4-bit q (4.5 bits).
// Source: ggml's block_q8_0 and block_q4_0.
const (
	F32 DType = iota
	BF16
	F16
	Q8_0
	Q4_0
)

var dtypeNames = [...]string{"f32", "bf16", "f16", "q8_0", "q4_0"}

// String returns the name in files and on the command line.
func (t DType) String() string {
	if int(t) < len(dtypeNames) {
		return dtypeNames[t]
	}
	return fmt.Sprintf("DType(%d)", uint8(t))
}

// ParseDType is the inverse of String.
func ParseDType(s string) (DType, error) {
	for t, name := range dtypeNames {
		if s == name {
			return DType(t), nil
		}
	}
	return 0, fmt.Errorf("weight type %q is not one of %v", s, dtypeNames)
}

// Matrix is a weight matrix [N,K] of N outputs and K inputs, laid out for
// MulVec and MulMat. It is immutable.
type Matrix struct {
	Type DType
	N, K int

	f32    []float32
	half   []uint16 // rows of stride, padded with zeros
	stride int
	// blocks holds groups of 8 rows in the layout of interleave, the last group
	// filled up with zero rows.
	blocks []byte
}

// NewMatrix stores w[N,K] as t: rounded to the nearest, ties to even, or
// quantised as ggml does. For F32 the matrix is w itself, not a copy. It is an
// error where a row is not a whole number of blocks or a weight is beyond the
// type's range: store such a matrix as F16 or F32.
func NewMatrix(t DType, w []float32, N, K int) (*Matrix, error) {
	needDims("NewMatrix", N, K)
	need("NewMatrix", "w", w, N*K)
	switch t {
	case F32:
		return &Matrix{Type: t, N: N, K: K, f32: w}, nil
	case BF16, F16:
		m, errs := newHalf(t, N, K), make([]error, N)
		For(N, func(n int) {
			row := m.half[n*m.stride:]
			errs[n] = roundRow(t, w[n*K:(n+1)*K], func(k int, h uint16) { row[k] = h })
		})
		if err := firstRow(errs); err != nil {
			return nil, err
		}
		return m, nil
	}
	return newQuantised(t, N, K, func(n int, dst []byte) error {
		if err := quantiseRow(t, dst, w[n*K:(n+1)*K]); err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		return nil
	})
}

// MatrixFromBlocks copies a matrix in the format of GGUF files: N rows of K
// little-endian values, or of K/32 blocks of 34 bytes (q8_0: a float16 d, 32
// int8) or 18 bytes (q4_0: a float16 d, 16 bytes whose byte j holds weight j in
// its low half and weight j+16 in its high half).
func MatrixFromBlocks(t DType, data []byte, N, K int) (*Matrix, error) {
	needDims("MatrixFromBlocks", N, K)
	row, err := rowBytes(t, K)
	if err != nil {
		return nil, err
	}
	if len(data) != N*row {
		return nil, fmt.Errorf("%d bytes of %s weights, want %d for [%d,%d]", len(data), t, N*row, N, K)
	}
	switch t {
	case F32:
		w := buffer[float32](N * K)
		for i := range w {
			w[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		return NewMatrix(F32, w, N, K)
	case BF16, F16:
		m := newHalf(t, N, K)
		for n := range N {
			for k := range K {
				m.half[n*m.stride+k] = binary.LittleEndian.Uint16(data[2*(n*K+k):])
			}
		}
		return m, nil
	}
	return newQuantised(t, N, K, func(n int, dst []byte) error {
		copy(dst, data[n*row:(n+1)*row])
		return nil
	})
}

// rowBytes is the size of a row in a file.
func rowBytes(t DType, K int) (int, error) {
	switch t {
	case F32:
		return 4 * K, nil
	case BF16, F16:
		return 2 * K, nil
	case Q8_0, Q4_0:
		if K%blockSize != 0 {
			return 0, fmt.Errorf("rows of %d weights are not whole blocks of %d: %s cannot hold them, use f16", K, blockSize, t)
		}
		return K / blockSize * (2 + payload(t)), nil
	}
	return 0, fmt.Errorf("unknown weight type %s", t)
}

func newHalf(t DType, N, K int) *Matrix {
	stride := (K + 15) &^ 15
	return &Matrix{Type: t, N: N, K: K, stride: stride, half: buffer[uint16](N * stride)}
}

// rowsOfGroup keeps scratch for the rows of a group before they are
// interleaved.
var rowsOfGroup = sync.Pool{New: func() any { return new([]byte) }}

// newQuantised builds a matrix of blocks; read writes the blocks of row n as a
// file has them.
func newQuantised(t DType, N, K int, read func(n int, dst []byte) error) (*Matrix, error) {
	row, err := rowBytes(t, K)
	if err != nil {
		return nil, err
	}
	groups := (N + groupRows - 1) / groupRows
	m := &Matrix{Type: t, N: N, K: K, blocks: buffer[byte](groups * groupRows * row)}
	errs := make([]error, groups)
	For(groups, func(g int) {
		spare := rowsOfGroup.Get().(*[]byte)
		defer rowsOfGroup.Put(spare)
		*spare = slices.Grow((*spare)[:0], groupRows*row)[:groupRows*row]
		rows := *spare
		clear(rows)
		for r := range min(groupRows, N-g*groupRows) {
			if err := read(g*groupRows+r, rows[r*row:(r+1)*row]); err != nil {
				errs[g] = err
				return
			}
		}
		interleave(m.blocks[g*groupRows*row:(g+1)*groupRows*row], rows, payload(t))
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Bytes is the size of the weights, which one product reads once.
func (m *Matrix) Bytes() int { return 4*len(m.f32) + 2*len(m.half) + len(m.blocks) }

// Row writes row n as float32 to dst[K].
func (m *Matrix) Row(dst []float32, n int) {
	need("Row", "dst", dst, m.K)
	if n < 0 || n >= m.N {
		panic(fmt.Sprintf("kernels: Row: row %d of %d", n, m.N))
	}
	switch m.Type {
	case F32:
		copy(dst, m.f32[n*m.K:])
	case BF16, F16:
		unpackHalf(m.Type, dst, m.half[n*m.stride:n*m.stride+m.K])
	default:
		row := m.groupBytes()
		group, r := m.blocks[n/groupRows*row:], n%groupRows
		for k := range dst {
			dst[k] = blockWeight(m.Type, group, r, k)
		}
	}
}

// groupBytes is the size of 8 interleaved rows.
func (m *Matrix) groupBytes() int { return m.K / blockSize * groupRows * (2 + payload(m.Type)) }
