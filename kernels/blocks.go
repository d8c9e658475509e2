package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Blocks writes w[N,K] to dst as a file stores it in type t: the format that
// MatrixFromBlocks reads, rounded as NewMatrix rounds. It is an error where a
// row is not a whole number of blocks, a weight is beyond the type's range or
// dst has another size.
func Blocks(dst []byte, t DType, w []float32, N, K int) error {
	needDims("Blocks", N, K)
	need("Blocks", "w", w, N*K)
	row, err := rowBytes(t, K)
	if err != nil {
		return err
	}
	if len(dst) != N*row {
		return fmt.Errorf("%d bytes for %s weights, want %d for [%d,%d]", len(dst), t, N*row, N, K)
	}
	errs := make([]error, N)
	For(N, func(n int) {
		to, from := dst[n*row:(n+1)*row], w[n*K:(n+1)*K]
		switch t {
		case F32:
			for k, v := range from {
				binary.LittleEndian.PutUint32(to[4*k:], math.Float32bits(v))
			}
		case BF16, F16:
			errs[n] = roundRow(t, from, func(k int, h uint16) { binary.LittleEndian.PutUint16(to[2*k:], h) })
		default:
			errs[n] = quantiseRow(t, to, from)
		}
	})
	return firstRow(errs)
}

// firstRow returns the first error of several rows, with its row.
func firstRow(errs []error) error {
	for n, err := range errs {
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
	}
	return nil
}

// roundRow rounds a row to 16 bits a weight. A weight that would become an
// infinity is an error.
func roundRow(t DType, w []float32, put func(k int, h uint16)) error {
	round, infinite := bf16FromFloat, uint16(0x7f80)
	if t == F16 {
		round, infinite = f16FromFloat, 0x7c00
	}
	for k, v := range w {
		h := round(v)
		if h&0x7fff == infinite && !math.IsInf(float64(v), 0) {
			return fmt.Errorf("column %d: weight %v is beyond the range of %s", k, v, t)
		}
		put(k, h)
	}
	return nil
}
