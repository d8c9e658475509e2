package archtest

import (
	"fmt"
	"maps"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// storedBounds are tolerances of logits with stored weights: against float32
// weights, and of reading in pieces against reading at once, because q8_0 and
// q4_0 quantise the inputs of few rows to 8 bits but not those of many. Both
// are root mean squares: where a norm divides by nearly 0, one position may be
// off by much more.
var storedBounds = []struct {
	t             kernels.DType
	error, pieces float64
}{
	{kernels.BF16, 0.01, rounding},
	{kernels.F16, 0.0015, rounding},
	{kernels.Q8_0, 0.03, 0.03},
	{kernels.Q4_0, 0.4, 0.04},
}

// stored: with weights of every storage type the logits stay within tolerance,
// streaming holds, a decode step allocates nothing and the weights take less
// memory.
func stored(s Spec) error {
	s.Config = maps.Clone(s.Config)
	s.Config["dim"] = 64 // whole blocks of 32
	delete(s.Config, "ffn")
	delete(s.Config, "emb")
	exact, err := s.build()
	if err != nil {
		return err
	}
	tok := text(exact, batch, length, 9)
	want := Logits(exact, tok, nil)
	for _, b := range storedBounds {
		if s.Rounding > 0 {
			b.error *= s.Rounding
			if b.pieces > rounding {
				b.pieces *= s.Rounding
			}
		}
		m, err := s.build()
		if err != nil {
			return err
		}
		if err := nn.Store(m, b.t); err != nil {
			return err
		}
		b.pieces += s.cacheBound(m)
		whole := Logits(m, tok, nil)
		if d := distance(whole, want); d > b.error || d == 0 {
			return fmt.Errorf("%s: logits differ from those of f32 by %.2g of their size, more than %.2g or not at all", b.t, d, b.error)
		}
		for _, pieces := range [][]int{{1}, {3, 1, 5, 2}} {
			if d := distance(Logits(m, tok, m.NewState(batch), pieces...), whole); d > b.pieces {
				return fmt.Errorf("%s: pieces %v differ from the whole by %.2g of the logits' size", b.t, pieces, d)
			}
		}
		if n, full := arch.WeightBytes(m), arch.WeightBytes(exact); n > full*3/5 {
			return fmt.Errorf("%s: %d bytes of weights, %d as f32", b.t, n, full)
		}
		if err := decodeAllocsOf(m); err != nil {
			return fmt.Errorf("%s: %w", b.t, err)
		}
	}
	return nil
}

// distance is |a-b| / |b|, the vectors' lengths.
func distance(a, b []float32) float64 {
	var diff, size float64
	for i := range b {
		d := float64(a[i]) - float64(b[i])
		diff, size = diff+d*d, size+float64(b[i])*float64(b[i])
	}
	return math.Sqrt(diff / size)
}
