package transformer

import (
	"slices"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/nn"
)

// TestCacheBytes checks that a cache of 16 bits takes half the memory, in the
// live state and in the outline.
func TestCacheBytes(t *testing.T) {
	const positions, row, L = 30, 2 * 4, 2
	for _, name := range []string{"transformer", "llama"} {
		for cache, each := range map[string]int{"f32": 4, "f16": 2, "bf16": 2} {
			m := with(t, name, map[string]any{"cache": cache})
			s := m.NewState(3)
			arch.Reserve(s, positions)
			archtest.Logits(m, nn.Tokens{IDs: make([]int32, 3*positions), B: 3, T: positions}, s, 7, 1)
			if got, want := arch.StateBytes(s), int64(each*3*positions*L*2*row); got != want {
				t.Errorf("%s, %s: %d bytes, want %d", name, cache, got, want)
			}
		}
	}
}

// TestUncached checks that the state without a cache is a number a token, and
// that a call counts the work of reading the whole text.
func TestUncached(t *testing.T) {
	for _, name := range []string{"transformer", "llama"} {
		m := with(t, name, map[string]any{"cache": "none"})
		whole, step := nn.Inference(), nn.Inference()
		tok := nn.Tokens{IDs: []int32{1, 2, 3, 4, 5, 6, 7, 8}, B: 2, T: 4}
		m.Forward(whole, tok, nil)
		s := m.NewState(2)
		m.Forward(nn.Inference(), nn.Tokens{IDs: []int32{1, 2, 3, 5, 6, 7}, B: 2, T: 3}, s)
		h := m.Forward(step, nn.Tokens{IDs: []int32{4, 8}, B: 2, T: 1}, s)
		if h.Dim(1) != 1 || step.Work.Operations != whole.Work.Operations {
			t.Errorf("%s: a step has shape %v and takes %d operations, the whole %d", name, h.Shape, step.Work.Operations, whole.Work.Operations)
		}
		if got := arch.StateBytes(s); got != 4*8 {
			t.Errorf("%s: %d bytes", name, got)
		}
	}
}

// TestCacheTypesApart checks that a state of another type is refused, and that
// slots can be set and read as float32.
func TestCacheTypesApart(t *testing.T) {
	m := with(t, "llama", map[string]any{"cache": "f16"})
	s, again := m.NewState(1), m.NewState(1)
	tok := nn.Tokens{IDs: []int32{1, 2, 3}, B: 1, T: 3}
	archtest.Logits(m, tok, s)
	var kept []*nn.Tensor
	nn.WalkState(s, func(_ string, x *nn.Tensor) { kept = append(kept, x) })
	nn.WalkState(again, func(_ string, x *nn.Tensor) {
		x.SetFloats(kept[0].Floats(), kept[0].Shape)
		kept = kept[1:]
	})
	if !slices.Equal(archtest.Logits(m, tok, s), archtest.Logits(m, tok, again)) {
		t.Error("a state set from float32 gives other logits")
	}
	nn.WalkState(s, func(_ string, x *nn.Tensor) { x.Shape[0] = 0 })
	if !slices.Equal(archtest.Logits(m, tok, s), archtest.Logits(m, tok, m.NewState(1))) {
		t.Error("a state without positions is not like a fresh one")
	}
	defer func() {
		if recover() == nil {
			t.Error("a state of f32 takes one of f16")
		}
	}()
	arch.CopyState(with(t, "llama", nil).NewState(1), s)
}
