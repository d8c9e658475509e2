package nn

import (
	"fmt"

	"workbench/kernels"
)

// Store converts the matrices of a model to a storage type, for inference
// alone: vectors stay float32, and a matrix whose rows are not whole blocks of
// a quantised type becomes f16. A matrix that cannot be stored leaves the
// model half converted and is an error.
func Store(model any, t kernels.DType) (err error) {
	Walk(model, func(p Param) {
		if err == nil {
			err = p.Store(t)
		}
	})
	return err
}

// Matrix tells whether the weight is a matrix, which Store converts.
func (p Param) Matrix() bool { return len(p.Tensor.Shape) == 2 && !p.Vector }

// Store converts one weight, as the function Store does. It leaves a vector as
// it is, and a matrix that is stored already.
func (p Param) Store(t kernels.DType) error {
	w := p.Tensor
	if !p.Matrix() || w.Stored != nil || t == kernels.F32 {
		return nil
	}
	if (t == kernels.Q8_0 || t == kernels.Q4_0) && w.Dim(1)%32 != 0 {
		t = kernels.F16
	}
	m, err := kernels.NewMatrix(t, w.Data, w.Dim(0), w.Dim(1))
	if err != nil {
		return fmt.Errorf("%s as %s: %w", p.Name, t, err)
	}
	w.Stored, w.Data, w.Grad, w.Const = m, nil, nil, true
	return nil
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
