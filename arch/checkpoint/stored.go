package checkpoint

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sync"

	"workbench/kernels"
)

// stored is a tensor in a file: n elements of its type at byte at of src,
// row-major, or a view of them.
type stored struct {
	Tensor
	src source
	at  int64
	n   int // elements there
	// view selects elements; nil: all, in order.
	view *view
	// transform transforms elements after reading, to undo the changes of a converter;
	// nil: none.
	transform func([]float32) error
}

// view is a strided view: from offset on, axis by axis, outermost first.
type view struct {
	offset  int
	dims    []int
	strides []int
}

type number interface{ float32 | float64 | int64 }

// elements is the product of the sizes of a shape.
func elements(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > math.MaxInt/8/d {
			return 0, fmt.Errorf("impossible shape %v", clipInts(shape))
		}
		n *= d
	}
	return n, nil
}

// len is the number of elements; parsing has checked the shape.
func (t *stored) len() int {
	n, err := elements(t.Shape)
	if err != nil {
		panic("checkpoint: unchecked shape")
	}
	return n
}

// walk returns the view of the tensor, or one of all elements.
func (t *stored) walk() view {
	if t.view != nil {
		return *t.view
	}
	return view{0, t.Shape, rowMajor(t.Shape)}
}

func rowMajor(shape []int) []int {
	strides, step := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = step
		step *= shape[i]
	}
	return strides
}

// reshaped returns the same elements in the same order under another shape.
func (t *stored) reshaped(shape ...int) *stored {
	r := *t
	r.Shape = shape
	return &r
}

// permuted interprets a dense tensor in a shape, permutes the axes of that
// shape by order, and keeps the shape of the tensor itself.
func (t *stored) permuted(shape, order []int) *stored {
	if t.view != nil {
		panic("checkpoint: a view of a view")
	}
	r, strides, v := *t, rowMajor(shape), view{}
	for _, axis := range order {
		v.dims, v.strides = append(v.dims, shape[axis]), append(v.strides, strides[axis])
	}
	r.view = &v
	return &r
}

// transposed swaps the last two axes.
func (t *stored) transposed() *stored {
	v := t.walk()
	shape, dims, strides := slices.Clone(t.Shape), slices.Clone(v.dims), slices.Clone(v.strides)
	for _, s := range [][]int{shape, dims, strides} {
		s[len(s)-2], s[len(s)-1] = s[len(s)-1], s[len(s)-2]
	}
	r := *t
	r.Shape, r.view = shape, &view{v.offset, dims, strides}
	return &r
}

// part returns element i of the first axis under another shape.
func (t *stored) part(i int, shape ...int) *stored {
	v, r := t.walk(), *t
	r.Shape = shape
	r.view = &view{v.offset + i*v.strides[0], v.dims[1:], v.strides[1:]}
	return &r
}

// squeezed returns [1,1,C] as a vector.
func (t *stored) squeezed() *stored {
	if len(t.Shape) != 3 || t.Shape[0] != 1 || t.Shape[1] != 1 {
		return t
	}
	if t.view == nil {
		return t.reshaped(t.Shape[2])
	}
	return t.part(0).part(0, t.Shape[2])
}

// transformed returns t with a further transformation of its elements.
func (t *stored) transformed(f func([]float32) error) *stored {
	r := *t
	r.transform = f
	return &r
}

// same reports whether two tensors are equal to the bit.
func (t *stored) same(o *stored) (bool, error) {
	if o == nil || t.DType != o.DType || !slices.Equal(t.Shape, o.Shape) || t.view != nil || o.view != nil {
		return false, nil
	}
	if t.src == o.src && t.at == o.at {
		return true, nil
	}
	a, b := make([]byte, piece), make([]byte, piece)
	size := dtypes[t.DType].size(t.n)
	for at := int64(0); at < size; at += piece {
		n := min(piece, size-at)
		if err := t.src.fill(a[:n], t.at+at); err != nil {
			return false, err
		}
		if err := o.src.fill(b[:n], o.at+at); err != nil {
			return false, err
		}
		if !bytes.Equal(a[:n], b[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// gather reads a tensor into a row-major slice.
func gather[T number](t *stored) ([]T, error) {
	out := make([]T, t.len())
	return out, fill(out, t)
}

// fill is gather into existing memory.
func fill[T number](out []T, t *stored) error {
	if t.view == nil || len(out) == 0 {
		return readRun(out, t, 0)
	}
	v, n, step := t.view, 1, 1
	if last := len(v.dims) - 1; last >= 0 {
		n, step = v.dims[last], v.strides[last]
	}
	block, span := dtypes[t.DType].elems, v.span()
	if block > 1 || span <= 2*len(out)+readAhead {
		lo, hi := v.offset/block*block, (v.offset+span+block-1)/block*block
		all := make([]T, hi-lo)
		if err := readRun(all, t, lo); err != nil {
			return err
		}
		return v.each(func(row, at int) error {
			for i := range n {
				out[row*n+i] = all[at-lo+i*step]
			}
			return nil
		})
	}
	return v.each(func(row, at int) error { // elements lie far apart
		dst := out[row*n : (row+1)*n]
		if step == 1 {
			return readRun(dst, t, at)
		}
		for i := range dst {
			if err := readRun(dst[i:i+1], t, at+i*step); err != nil {
				return err
			}
		}
		return nil
	})
}

// span is the number of elements from the first to the last one of a non-empty
// view.
func (v *view) span() int {
	n := 1
	for i, d := range v.dims {
		n += (d - 1) * v.strides[i]
	}
	return n
}

// each calls f with the number of every row and the index of its first element.
func (v *view) each(f func(row, at int) error) error {
	last := max(0, len(v.dims)-1)
	rows := 1
	for _, d := range v.dims[:last] {
		rows *= d
	}
	index := make([]int, last)
	for row := range rows {
		at := v.offset
		for i, x := range index {
			at += x * v.strides[i]
		}
		if err := f(row, at); err != nil {
			return err
		}
		for i := last - 1; i >= 0; i-- {
			if index[i]++; index[i] < v.dims[i] {
				break
			}
			index[i] = 0
		}
	}
	return nil
}

// piece is the number of elements decoded at a time: whole blocks of any type.
const piece = 1 << 16

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// readRun reads len(out) elements from element first on, where a block begins.
func readRun[T number](out []T, t *stored, first int) error {
	n := (len(out) + piece - 1) / piece
	errs := make([]error, n)
	one := func(i int) {
		errs[i] = readPiece(out[i*piece:min(len(out), (i+1)*piece)], t, first+i*piece)
	}
	if n == 1 {
		one(0)
	} else {
		kernels.For(n, one)
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func readPiece[T number](out []T, t *stored, first int) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	d := dtypes[t.DType]
	size := int(d.size(len(out)))
	*buf = slices.Grow((*buf)[:0], size)[:size]
	if err := t.src.fill(*buf, t.at+d.size(first)); err != nil {
		return err
	}
	decode(out, *buf, t.DType)
	return nil
}
