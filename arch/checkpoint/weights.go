package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"

	"workbench/arch/nn"
	"workbench/kernels"
)

// Weights are the weights of one model in an open file, under the names and
// shapes of this program.
type Weights struct {
	Arch string
	// Config is the configuration for arch.New: from the file itself, or else
	// inferred from shapes and an accompanying config.json. A transformer's
	// "heads" is absent where neither gives it.
	Config map[string]any
	// Source is the name in the file of each tensor.
	Source map[string]string
	// Metadata is that of the file.
	Metadata map[string]string
	// Transposed marks the matrices that the file stores [in,out]; for a file of
	// Save it is set by Fits or Assign.
	Transposed map[string]bool

	tensors  tensors
	file     *File
	dir      string // folder of accompanying files
	own      bool   // written by Save, with architecture and configuration
	fla      bool   // has the names of flash-linear-attention
	tiedHead bool   // the file has a head that equals the embedding
}

// Close closes the file.
func (w *Weights) Close() error {
	w.tensors = nil
	return w.file.Close()
}

// Names lists the weights in alphabetical order.
func (w *Weights) Names() []string { return w.tensors.names() }

// inFile returns the name of a weight in the file; for a missing weight, the
// name of the same weight in another layer with the number of its own layer.
func (w *Weights) inFile(name string) string {
	if s, ok := w.Source[name]; ok {
		return s
	}
	m := layerNumber.FindStringSubmatch(name)
	for _, other := range w.Names() {
		o := layerNumber.FindStringSubmatch(other)
		if m == nil || o == nil || m[1] != o[1] || m[3] != o[3] {
			continue
		}
		if s := layerNumber.FindStringSubmatch(w.Source[other]); s != nil && s[2] == o[2] {
			return s[1] + m[2] + s[3]
		}
	}
	return name
}

// layerNumber matches the number of a layer in a name.
var layerNumber = regexp.MustCompile(`^(.*?\.)(\d+)(\..*)$`)

// Shape returns the shape of a weight in this program, nil where there is none.
func (w *Weights) Shape(name string) []int {
	if t := w.tensors[name]; t != nil {
		return t.Shape
	}
	return nil
}

// Float32 reads a weight.
func (w *Weights) Float32(name string) ([]float32, error) {
	t := w.tensors[name]
	if t == nil {
		return nil, fmt.Errorf("%s: no weight %.80q", w.file.path, name)
	}
	x := make([]float32, t.len())
	return x, w.read(x, t)
}

// Vocabulary is that of the file, as File.Vocabulary gives it.
func (w *Weights) Vocabulary() (*Vocabulary, error) { return w.file.Vocabulary() }

// Assign sets every weight of a model in float32. Missing weights, unexpected
// weights and other shapes are errors that leave the model unchanged. A weight
// that is not finite is an error too.
func Assign(model any, w *Weights) error { return w.assign(model, nil, kernels.F32) }

// AssignAs is Assign for inference alone, with matrices stored as t as by
// nn.Store. One matrix at a time is in memory in float32, and matrices that the
// file stores as t are not expanded.
func AssignAs(model any, w *Weights, t kernels.DType) error {
	return w.assign(model, func(file kernels.DType) bool { return file == t }, t)
}

// AssignStored is Assign for inference alone: matrices keep the types f16,
// bf16, q8_0 and q4_0 of the file.
func AssignStored(model any, w *Weights) error {
	return w.assign(model, func(kernels.DType) bool { return true }, kernels.F32)
}

// assign keeps the matrices of the types for which keep is true, and stores
// others as t.
func (w *Weights) assign(model any, keep func(kernels.DType) bool, t kernels.DType) error {
	if err := w.Fits(model); err != nil {
		return fmt.Errorf("%s: %w", w.file.path, err)
	}
	var err error
	var spare scratch
	nn.Walk(model, func(p nn.Param) {
		if err != nil {
			return
		}
		s := w.tensors[p.Name]
		file, ok := matrixTypes[s.DType]
		if ok && keep != nil && keep(file) && p.Matrix() && s.rowsWhole() {
			err = w.store(p, s, file, &spare)
			return
		}
		if t != kernels.F32 && p.Matrix() {
			p.Tensor.Data = spare.ofFloats(s.len())
		}
		if err = w.read(p.Tensor.Data, s); err == nil {
			err = w.withTensor(s, p.Store(t))
		}
	})
	return err
}

// scratch is memory for reading one weight after the other.
type scratch struct {
	bytes  []byte
	floats []float32
}

func (s *scratch) ofBytes(n int) []byte {
	s.bytes = slices.Grow(s.bytes[:0], n)[:n]
	return s.bytes
}

func (s *scratch) ofFloats(n int) []float32 {
	s.floats = slices.Grow(s.floats[:0], n)[:n]
	return s.floats
}

// Fits compares the names and shapes of the weights of a model with those of
// the file; for a file of Save it also fixes the layout.
func (w *Weights) Fits(model any) (err error) {
	left := maps.Clone(w.tensors)
	nn.Walk(model, func(p nn.Param) {
		t := w.tensors[p.Name]
		if err != nil {
			return
		}
		if t == nil {
			err = fmt.Errorf("tensor %q is missing", w.inFile(p.Name))
			return
		}
		if t = w.orient(p, t); !slices.Equal(t.Shape, p.Tensor.Shape) {
			err = fmt.Errorf("tensor %q has shape %v and the model wants %v", t.Name, clipInts(t.Shape), p.Tensor.Shape)
		}
		delete(left, p.Name)
	})
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("unexpected tensor %.80q", left[left.names()[0]].Name)
	}
	return err
}

// read fills x from a tensor.
func (w *Weights) read(x []float32, t *stored) error {
	err := fill(x, t)
	if err == nil && t.transform != nil {
		err = t.transform(x)
	}
	if err == nil {
		err = finite(x)
	}
	return w.withTensor(t, err)
}

// withTensor adds to an error the name of the tensor in the file.
func (w *Weights) withTensor(t *stored, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: tensor %.80q: %w", w.file.path, t.Name, err)
	}
	return err
}

// matrixTypes are the types of a file that a matrix can keep.
var matrixTypes = map[string]kernels.DType{"F16": kernels.F16, "BF16": kernels.BF16, "Q8_0": kernels.Q8_0, "Q4_0": kernels.Q4_0}

// store sets a weight to the matrix in the type of the file.
func (w *Weights) store(p nn.Param, t *stored, as kernels.DType, spare *scratch) error {
	data := spare.ofBytes(int(dtypes[t.DType].size(t.len())))
	err := t.rows(data)
	if err == nil {
		err = finiteBlocks(data, dtypes[t.DType])
	}
	var m *kernels.Matrix
	if err == nil {
		m, err = kernels.MatrixFromBlocks(as, data, t.Shape[0], t.Shape[1])
	}
	if err != nil {
		return w.withTensor(t, err)
	}
	x := p.Tensor
	x.Stored, x.Data, x.Grad, x.Const = m, nil, nil, true
	return nil
}

// rowsWhole reports whether the rows of a matrix are contiguous in the file and
// need no transformation.
func (t *stored) rowsWhole() bool {
	if t.transform != nil || len(t.Shape) != 2 {
		return false
	}
	if t.view == nil {
		return true
	}
	last := len(t.view.dims) - 1
	K := t.Shape[1]
	return t.view.dims[last] == K && t.view.strides[last] == 1 && K%dtypes[t.DType].elems == 0
}

// rows reads the bytes of a matrix row by row.
func (t *stored) rows(b []byte) error {
	if t.view == nil {
		return t.src.fill(b, t.at)
	}
	d := dtypes[t.DType]
	size := int(d.size(t.Shape[1]))
	return t.view.each(func(row, at int) error {
		return t.src.fill(b[row*size:(row+1)*size], t.at+d.size(at))
	})
}

// finite refuses NaN and infinities, with which no result is meaningful.
func finite(x []float32) error {
	n := (len(x) + piece - 1) / piece
	bad := make([]int, n)
	kernels.For(n, func(i int) {
		bad[i] = slices.IndexFunc(x[i*piece:min(len(x), (i+1)*piece)], func(v float32) bool {
			return math.Float32bits(v)&0x7f800000 == 0x7f800000
		})
	})
	for i, at := range bad {
		if at >= 0 {
			return fmt.Errorf("element %d is %v", i*piece+at, x[i*piece+at])
		}
	}
	return nil
}

var errNotFinite = errors.New("holds a number that is not finite")

// finiteBlocks is finite for the types that a matrix can keep: all begin with a
// 16-bit number, the only part that can be infinite or NaN.
func finiteBlocks(b []byte, d dtype) error {
	exponent := byte(0x7c) // exponent bits of f16, and of block scales
	if d.expand == nil && d.bf16 {
		exponent = 0x7f
	}
	for ; len(b) > 0; b = b[d.bytes:] {
		if b[1]&exponent == exponent && (exponent == 0x7c || b[0]&0x80 != 0) {
			return errNotFinite
		}
	}
	return nil
}
