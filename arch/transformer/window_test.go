package transformer

import (
	"maps"
	"math"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/nn"
)

// small is a configuration of both transformers.
var small = map[string]any{"dim": 16, "layers": 2, "vocab": 19, "heads": 4, "kv_heads": 2}

// with returns a jittered model of the configuration small with more.
func with(t *testing.T, name string, more map[string]any) arch.Model {
	t.Helper()
	config := maps.Clone(small)
	maps.Copy(config, more)
	m, _, err := arch.New(name, config, 1)
	if err != nil {
		t.Fatal(err)
	}
	archtest.Jitter(m, 2)
	return m
}

// TestWindowBytes checks that the state of a long text is no larger than the
// window.
func TestWindowBytes(t *testing.T) {
	const row, seen = 2 * 4, 2
	tok := nn.Tokens{IDs: make([]int32, 60), B: 1, T: 60}
	for _, name := range []string{"transformer", "llama"} {
		m := with(t, name, map[string]any{"window": 4})
		for _, pieces := range [][]int{{1}, {7, 1, 20}, {}} {
			s := m.NewState(1)
			archtest.Logits(m, tok, s, pieces...)
			if got, want := arch.StateBytes(s), int64(4*2*(2*4*row+seen)); got != want {
				t.Errorf("%s, pieces %v: %d bytes, want %d", name, pieces, got, want)
			}
		}
	}
}

// TestWindowLimits checks that a window changes nothing before it is full, and
// that a query does not see further than the windows of all layers reach.
func TestWindowLimits(t *testing.T) {
	const T, W, L, V = 20, 4, 2, 19
	tok := nn.Tokens{IDs: make([]int32, T), B: 1, T: T}
	for i := range tok.IDs {
		tok.IDs[i] = int32(i * 7 % V)
	}
	other := nn.Tokens{IDs: append([]int32{5}, tok.IDs[1:]...), B: 1, T: T}
	differ := func(a, b []float32, i int) bool {
		for v := range V {
			if math.Abs(float64(a[i*V+v]-b[i*V+v])) > 1e-4 {
				return true
			}
		}
		return false
	}
	for _, name := range []string{"transformer", "llama"} {
		m := with(t, name, map[string]any{"window": W})
		all := archtest.Logits(with(t, name, nil), tok, nil)
		got, changed := archtest.Logits(m, tok, nil), archtest.Logits(m, other, nil)
		for i := range T {
			if differ(got, all, i) != (i >= W) {
				t.Errorf("%s: a window of %d and none, position %d: differ is %v", name, W, i, i < W)
			}
			if reached := i <= L*(W-1); differ(got, changed, i) != reached {
				t.Errorf("%s: whether token 0 reaches position %d is %v", name, i, !reached)
			}
		}
	}
}
