package checkpoint

import (
	"workbench/arch/nn"
	"workbench/kernels"
)

// Needs returns the memory in bytes of a model with these weights, with its
// matrices as t or, with stored, as in the file (AssignStored), and the number
// of weights.
func (w *Weights) Needs(t kernels.DType, stored bool) (bytes, weights float64) {
	largest := 0.0 // largest weight, read in float32
	for _, s := range w.tensors {
		n := nn.Elements(s.Shape)
		weights += n
		p := nn.Param{Tensor: &nn.Tensor{Shape: s.Shape}}
		file, ok := matrixTypes[s.DType]
		switch {
		case ok && stored && p.Matrix():
			bytes += p.BytesAs(file)
		case stored || t == kernels.F32 || !p.Matrix():
			bytes += 4 * n
		default:
			bytes += p.BytesAs(t)
			largest = max(largest, 4*n)
		}
	}
	return bytes + largest, weights
}
