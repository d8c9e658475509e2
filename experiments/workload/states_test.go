package workload

import (
	"os"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
)

// TestStateFolder: a process that finds the state of another goes on as that one
// does, for states of every kind; a damaged file is as good as none.
func TestStateFolder(t *testing.T) {
	for _, c := range []struct {
		name   string
		config map[string]any
	}{
		{"rwkv4", map[string]any{"dim": 8, "layers": 2}},
		{"transformer", map[string]any{"dim": 8, "layers": 2, "heads": 2}},
		{"transformer", map[string]any{"dim": 8, "layers": 1, "heads": 2, "cache": "bf16"}},
		{"transformer", map[string]any{"dim": 8, "layers": 1, "heads": 2, "window": 5}},
	} {
		m, _, err := arch.Filled(c.name, c.config, 1)
		if err != nil {
			t.Fatal(err)
		}
		read := func(s arch.State, ids ...int32) []float32 {
			g := nn.Inference()
			h := m.Forward(g, nn.Tokens{IDs: ids, B: 1, T: len(ids)}, s)
			return append([]float32(nil), m.Logits(g, h).Data...)
		}
		f := stateFolder(t.TempDir())
		one, other := m.NewState(1), m.NewState(1)
		read(one, 1, 2, 3, 4, 5, 6, 7)
		if f.load(7, other) {
			t.Errorf("%s: a state that nobody kept", c.name)
		}
		f.keep(7, one)
		if !f.load(7, other) || arch.StateBytes(one) != arch.StateBytes(other) {
			t.Fatalf("%s %v: the state is not found, or another", c.name, c.config)
		}
		a, b := read(one, 8), read(other, 8)
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("%s %v: goes on with other logits", c.name, c.config)
			}
		}
		if err := os.Truncate(f.path(7), 20); err != nil {
			t.Fatal(err)
		}
		if f.load(7, m.NewState(1)) {
			t.Errorf("%s: half a file is taken for a state", c.name)
		}
	}
}
