package nn

import (
	"fmt"
	"math"

	"workbench/kernels"
)

// Store converts the matrices of a model to a storage type, for inference
// alone. Vectors stay float32; a matrix whose rows are not whole blocks of a
// quantised type becomes f16. A matrix that cannot be stored is an error, and
// leaves the model partly converted.
func Store(model any, t kernels.DType) (err error) {
	Walk(model, func(p Param) {
		if err != nil {
			return
		}
		if err = p.Store(t); err != nil {
			err = fmt.Errorf("%s: %w", p.Name, err)
		}
	})
	return err
}

// Matrix reports whether the weight is a matrix, which Store converts.
func (p Param) Matrix() bool { return len(p.Tensor.Shape) == 2 && !p.Vector }

// Store converts one weight as the function Store does. It leaves vectors, and
// matrices that are already stored, unchanged.
func (p Param) Store(t kernels.DType) error {
	w := p.Tensor
	if !p.Matrix() || w.Stored != nil || t == kernels.F32 {
		return nil
	}
	t = p.storedAs(t)
	m, err := kernels.NewMatrix(t, w.Data, w.Dim(0), w.Dim(1))
	if err != nil {
		return fmt.Errorf("as %s: %w", t, err)
	}
	w.Stored, w.Data, w.Grad, w.Const = m, nil, nil, true
	return nil
}

// storedAs is the type in which Store(t) stores a matrix: quantised types need
// whole blocks.
func (p Param) storedAs(t kernels.DType) kernels.DType {
	if (t == kernels.Q8_0 || t == kernels.Q4_0) && p.Tensor.Dim(1)%32 != 0 {
		return kernels.F16
	}
	return t
}

// BytesAs is the approximate size of the weight once it is stored as t: rows
// are padded to what kernels read at once.
func (p Param) BytesAs(t kernels.DType) float64 {
	if !p.Matrix() || t == kernels.F32 {
		return 4 * Elements(p.Tensor.Shape)
	}
	rows, K := float64(p.Tensor.Dim(0)), float64(p.Tensor.Dim(1))
	switch p.storedAs(t) {
	case kernels.Q8_0:
		return math.Ceil(rows/8) * 8 * K * 8.5 / 8
	case kernels.Q4_0:
		return math.Ceil(rows/8) * 8 * K * 4.5 / 8
	}
	return 2 * rows * math.Ceil(K/16) * 16
}

// untrained panics where a graph that records meets a stored weight.
func (g *Graph) untrained(op string, w *Tensor) {
	if g.record && w.Stored != nil {
		panic(fmt.Sprintf("nn: %s: a weight stored as %s cannot be trained", op, w.Stored.Type))
	}
}

// row writes row i of a table to dst.
func (t *Tensor) row(dst []float32, i int) {
	if t.Stored != nil {
		t.Stored.Row(dst, i)
		return
	}
	copy(dst, t.Data[i*len(dst):(i+1)*len(dst)])
}
