package kernels

import (
	"math"
	"testing"
)

// TestDecay7 checks the exact constant of RWKV-7's decay, which the official
// demo rounds.
func TestDecay7(t *testing.T) {
	z := []float32{100, -200}
	Epilogue{F: ActDecay7}.Apply(z, 1, 2)
	if want := float32(-math.Exp(-0.5)); z[0] != want || z[1] < -1e-30 || z[1] > 0 {
		t.Errorf("decays %v, want %v and 0", z, want)
	}
}
