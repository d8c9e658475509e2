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

// Tensor is a dense row-major array of float32, or a weight matrix stored as
// another type.
type Tensor struct {
	Shape []int
	Data  []float32
	// Stored is the matrix in its storage type, nil for float32. Data is nil
	// where Stored is not: only Linear, Embedding, Positions, Elman, LSTM and GRU
	// read such a weight, and it cannot be trained.
	Stored *kernels.Matrix
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
	if t.Data == nil && len(t.Shape) > 0 { // made in an Outline
		return int(min(Elements(t.Shape), math.MaxInt64/8))
	}
	return len(t.Data)
}

// Bytes is the memory of the elements.
func (t *Tensor) Bytes() int {
	if t.Stored != nil {
		return t.Stored.Bytes()
	}
	return 4 * t.Len()
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
