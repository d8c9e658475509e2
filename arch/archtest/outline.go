package archtest

import (
	"fmt"
	"maps"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// outlined: the outline of a model gives the sizes of the model itself, also
// with more layers than the outline builds, and with matrices that it knows by
// their shape alone.
func outlined(s Spec) error {
	for _, more := range []map[string]any{nil, {"layers": 11}, {"vocab": 70000}} {
		config := maps.Clone(s.Config)
		maps.Copy(config, more)
		m, resolved, err := arch.Empty(s.Arch, config)
		if err != nil {
			return err
		}
		o, err := arch.NewOutline(s.Arch, config)
		if err != nil {
			return err
		}
		if !maps.EqualFunc(o.Config, resolved, func(a, b any) bool { return a == b }) {
			return fmt.Errorf("%v: the configuration is %v, want %v", more, o.Config, resolved)
		}
		total, rest := arch.Params(m)
		if gotTotal, gotRest := o.Params(); gotTotal != total || gotRest != rest {
			return fmt.Errorf("%v: %d weights, %d beside embeddings; want %d and %d", more, gotTotal, gotRest, total, rest)
		}
		if err := outlinedBytes(m, o); err != nil {
			return fmt.Errorf("%v: %w", more, err)
		}
	}
	return nil
}

// outlinedBytes compares sizes in bytes, to which an outline adds a little for
// each tensor.
func outlinedBytes(m arch.Model, o *arch.Outline) error {
	near := func(what string, got float64, want int64, tensors int) error {
		if got < float64(want) || got > float64(want)+512*float64(tensors) {
			return fmt.Errorf("%s take %.0f bytes, want %d and little more", what, got, want)
		}
		return nil
	}
	tensors, slots := 0, 0
	nn.Walk(m, func(nn.Param) { tensors++ })
	if err := near("the weights", o.WeightBytes(kernels.F32), arch.WeightBytes(m), tensors); err != nil {
		return err
	}
	state := m.NewState(batch)
	m.Forward(nn.Inference(), nn.Tokens{IDs: make([]int32, batch*length), B: batch, T: length}, state)
	nn.WalkState(state, func(string, *nn.Tensor) { slots++ })
	if err := near("the state", o.StateBytes(batch, length), arch.StateBytes(state), slots); err != nil {
		return err
	}
	if err := nn.Store(m, kernels.Q8_0); err != nil {
		return err
	}
	return near("the weights as q8_0", o.WeightBytes(kernels.Q8_0), arch.WeightBytes(m), tensors)
}
