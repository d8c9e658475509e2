package kernels

import (
	"math"
	"strings"
	"testing"
)

// TestBlocks checks that a matrix written as blocks and read back equals what
// NewMatrix stores.
func TestBlocks(t *testing.T) {
	const N, K = 11, 64
	w := normals(N*K, 3, 1)
	for _, d := range dtypes {
		row, err := rowBytes(d, K)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, N*row)
		if err := Blocks(b, d, w, N, K); err != nil {
			t.Fatal(err)
		}
		got, err := MatrixFromBlocks(d, b, N, K)
		if err != nil {
			t.Fatal(err)
		}
		want, err := NewMatrix(d, w, N, K)
		if err != nil {
			t.Fatal(err)
		}
		x, y := make([]float32, K), make([]float32, K)
		for n := range N {
			got.Row(x, n)
			want.Row(y, n)
			for k := range x {
				if x[k] != y[k] {
					t.Fatalf("%s: [%d,%d] is %v, stored %v", d, n, k, x[k], y[k])
				}
			}
		}
		big := append([]float32(nil), w...)
		big[5*K+7] = math.MaxFloat32
		err = Blocks(b, d, big, N, K)
		if (err == nil) != (d == F32) || err != nil && !strings.Contains(err.Error(), "row 5: column") {
			t.Errorf("%s of the largest float32: %v", d, err)
		}
	}
	if Blocks(make([]byte, 34), Q8_0, w[:33], 1, 33) == nil {
		t.Error("a row of 33 was written as blocks of 32")
	}
	if Blocks(make([]byte, 35), Q8_0, w[:32], 1, 32) == nil {
		t.Error("a block was written to 35 bytes")
	}
}
