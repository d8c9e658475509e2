package workload

import (
	"workbench/arch"
	"workbench/experiments/meter"
	"workbench/kernels"
)

// weights is what the weights of a model take.
func weights(o *arch.Outline) meter.Part {
	return meter.Part{Name: "weights", Bytes: o.WeightBytes(kernels.F32), Smaller: "a smaller dim, fewer layers or a smaller vocab"}
}

// trainingNeed is what steps of that many tokens take.
func trainingNeed(o *arch.Outline, tokens float64, smaller string) []meter.Part {
	w := weights(o)
	bytes, activations := o.TrainBytes(tokens, false)
	w.Name, w.Bytes = "weights, gradients and moments", bytes
	return []meter.Part{w, {Name: "activations", Bytes: activations, Smaller: smaller}}
}

// within is n, or as many positions as the model may have: a cell beyond them
// fails before it takes memory.
func within(o *arch.Outline, n int) int {
	if limit := o.Context(); limit > 0 {
		return min(n, limit)
	}
	return n
}
