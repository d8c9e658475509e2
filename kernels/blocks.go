package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Blocks is w[N,K] as a file holds it in type t: what MatrixFromBlocks reads,
// rounded as NewMatrix rounds. A row that is not a whole number of blocks, or a
// weight beyond the type's range, is an error.
func Blocks(t DType, w []float32, N, K int) ([]byte, error) {
	needDims("Blocks", N, K)
	need("Blocks", "w", w, N*K)
	row, err := rowBytes(t, K)
	if err != nil {
		return nil, err
	}
	out, errs := make([]byte, N*row), make([]error, N)
	For(N, func(n int) {
		dst, src := out[n*row:(n+1)*row], w[n*K:(n+1)*K]
		switch t {
		case F32:
			for k, v := range src {
				binary.LittleEndian.PutUint32(dst[4*k:], math.Float32bits(v))
			}
		case BF16, F16:
			errs[n] = roundRow(t, dst, src)
		default:
			errs[n] = quantiseRow(t, dst, src)
		}
	})
	for n, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", n, err)
		}
	}
	return out, nil
}

// roundRow writes a row in 16 bits a weight.
func roundRow(t DType, dst []byte, w []float32) error {
	round, infinite := bf16FromFloat, uint16(0x7f80)
	if t == F16 {
		round, infinite = f16FromFloat, 0x7c00
	}
	for k, v := range w {
		h := round(v)
		if h&0x7fff == infinite && !math.IsInf(float64(v), 0) {
			return fmt.Errorf("column %d: weight %v is beyond the range of %s", k, v, t)
		}
		binary.LittleEndian.PutUint16(dst[2*k:], h)
	}
	return nil
}
