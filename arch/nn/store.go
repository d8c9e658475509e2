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
		w := p.Tensor
		if err != nil || len(w.Shape) != 2 || p.Vector || w.Stored != nil || t == kernels.F32 {
			return
		}
		as := t
		if (t == kernels.Q8_0 || t == kernels.Q4_0) && w.Dim(1)%32 != 0 {
			as = kernels.F16
		}
		var m *kernels.Matrix
		if m, err = kernels.NewMatrix(as, w.Data, w.Dim(0), w.Dim(1)); err != nil {
			err = fmt.Errorf("%s as %s: %w", p.Name, as, err)
			return
		}
		w.Stored, w.Data, w.Grad, w.Const = m, nil, nil, true
	})
	return err
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
