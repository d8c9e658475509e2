// Package nn holds tensors, the tape and the differentiable operations that
// architectures are written with. An operation is a kernel with its gradient,
// and as coarse as the terms of the papers: a linear layer, a time mixing, an
// attention. A measurement then shows the architecture and not the framework.
package nn

import (
	"fmt"
	"math"

	"workbench/kernels"
)

// Tensor is a dense row-major array of float32, or a weight matrix or part of a
// state stored as another type.
type Tensor struct {
	Shape []int
	Data  []float32
	// Stored is the matrix in its storage type, nil for float32. Data is nil
	// where Stored is not: only Linear, Embedding, Positions, Elman, LSTM and GRU
	// read such a weight, and it cannot be trained.
	Stored *kernels.Matrix
	// Half are the elements as 16-bit floats, nil for float32. Data is nil where
	// Half is not: only attention reads such keys and values of a cache.
	Half *kernels.Half
	// Grad is the gradient of the loss, nil until needed: ZeroGrad allocates it
	// for weights, Backward for tensors between weights and loss.
	Grad []float32
	// Const marks a tensor that gets no gradient: a frozen weight.
	Const bool

	temp bool // lives in a graph's arena
}

// New returns a tensor of zeros.
func New(shape ...int) *Tensor {
	if outlining.Load() {
		n := Elements(shape)
		if made.Add(uint64(min(n, 1<<62))); n > outlined {
			return &Tensor{Shape: append([]int(nil), shape...)}
		}
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	return &Tensor{Shape: append([]int(nil), shape...), Data: make([]float32, n)}
}

// Len is the number of elements.
func (t *Tensor) Len() int {
	if t.Stored != nil {
		return t.Stored.N * t.Stored.K
	}
	if t.Half != nil || t.Data == nil && len(t.Shape) > 0 { // 16-bit, or made in an Outline
		return int(min(Elements(t.Shape), math.MaxInt64/8))
	}
	return len(t.Data)
}

// Bytes is the memory of the elements.
func (t *Tensor) Bytes() int {
	if t.Stored != nil {
		return t.Stored.Bytes()
	}
	return t.elementBytes() * t.Len()
}

// Type is the type of the elements.
func (t *Tensor) Type() kernels.DType {
	switch {
	case t.Stored != nil:
		return t.Stored.Type
	case t.Half != nil:
		return t.Half.Type
	}
	return kernels.F32
}

// elementBytes is the memory of an element of a tensor that is not Stored.
func (t *Tensor) elementBytes() int {
	if t.Half != nil {
		return 2
	}
	return 4
}

// ShapeBytes is the memory of the elements of a tensor of a state by its shape,
// as a float64 because the product of requested sizes may exceed an int.
func (t *Tensor) ShapeBytes() float64 { return float64(t.elementBytes()) * Elements(t.Shape) }

// Floats are the elements of a tensor of a state: Data itself, or 16-bit floats
// expanded.
func (t *Tensor) Floats() []float32 {
	if t.Half == nil {
		return t.Data
	}
	x := make([]float32, t.Len())
	t.half().Expand(x)
	return x
}

// SetFloats makes x, rounded to the type of t, the elements of a tensor of a
// state, and shape its shape, which has as many axes as before.
func (t *Tensor) SetFloats(x []float32, shape []int) {
	if t.Half != nil {
		t.Half.Bits = t.Half.Bits[:0]
		t.Half.Append(x)
	} else {
		t.Data = append(t.Data[:0], x...)
	}
	copy(t.Shape, shape)
}

// Copy makes t, a tensor of a state, equal to x of the same type and as many
// axes.
func (t *Tensor) Copy(x *Tensor) {
	if t.Half != nil {
		t.Half.Bits = append(t.Half.Bits[:0], x.half().Bits...)
	} else {
		t.Data = append(t.Data[:0], x.Data...)
	}
	copy(t.Shape, x.Shape)
}

// half are the 16-bit floats that the shape covers.
func (t *Tensor) half() kernels.Half {
	return kernels.Half{Type: t.Half.Type, Bits: t.Half.Bits[:t.Len()]}
}

// Dim is the size of axis i; a negative i counts from the end.
func (t *Tensor) Dim(i int) int {
	if i < 0 {
		i += len(t.Shape)
	}
	return t.Shape[i]
}

// Fill sets every element to v and returns t.
func (t *Tensor) Fill(v float32) *Tensor {
	for i := range t.Data {
		t.Data[i] = v
	}
	return t
}

// Tokens is a batch of token ids [B,T], row-major.
type Tokens struct {
	IDs  []int32
	B, T int
}

// rows is the number of vectors along the last axis.
func rows(t *Tensor) int { return t.Len() / max(1, t.Dim(-1)) }

func sameLen(op string, a, b *Tensor) {
	if a.Len() != b.Len() {
		panic(fmt.Sprintf("nn: %s: shapes %v and %v differ", op, a.Shape, b.Shape))
	}
}
