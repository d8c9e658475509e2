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

// Weights are the weights of one model in an open file, as this program names
// and shapes them.
type Weights struct {
	Arch string
	// Config is what arch.New needs: what the file says itself, and otherwise
	// what can be told from shapes and from a config.json beside it. A
	// transformer's "heads" is absent where neither says it.
	Config map[string]any
	// Source is the name in the file of each tensor.
	Source map[string]string
	// Metadata is the file's own.
	Metadata map[string]string
	// Transposed marks the matrices that the file holds [in,out], of a file of
	// ours once Fits or Assign has seen the model.
	Transposed map[string]bool

	tensors  tensors
	file     *File
	dir      string // of what lies beside the file
	own      bool   // written by Save, with architecture and configuration
	fla      bool   // under the names of flash-linear-attention
	tiedHead bool   // a head was there, and equal to the embedding
}

// Close gives the file back.
func (w *Weights) Close() error {
	w.tensors = nil
	return w.file.Close()
}

// Names lists the weights in alphabetical order.
func (w *Weights) Names() []string { return w.tensors.names() }

// inFile is the name in the file of a weight: where it is missing, that of the
// same weight of another layer with its own layer's number.
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

// layerNumber finds the number of a layer in a name.
var layerNumber = regexp.MustCompile(`^(.*?\.)(\d+)(\..*)$`)

// Shape is that of a weight as this program has it, nil where there is none.
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

// Assign fills every weight of a model in float32. A weight that the file
// lacks, one that the model lacks and a shape that differs are errors, and
// leave the model as it was; a weight that is not a finite number is one too.
func Assign(model any, w *Weights) error { return w.assign(model, nil, kernels.F32) }

// AssignAs is Assign for inference alone, with the matrices stored as t, as
// nn.Store does it. One of them at a time is in memory in float32, and those
// that the file holds as t are not expanded at all.
func AssignAs(model any, w *Weights, t kernels.DType) error {
	return w.assign(model, func(file kernels.DType) bool { return file == t }, t)
}

// AssignStored is Assign for inference alone: a matrix that the file holds as
// f16, bf16, q8_0 or q4_0 stays so.
func AssignStored(model any, w *Weights) error {
	return w.assign(model, func(kernels.DType) bool { return true }, kernels.F32)
}

// assign keeps the matrices of the types in the file that keep tells of, and
// stores others as t.
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
			err = w.about(s, p.Store(t))
		}
	})
	return err
}

// scratch is memory that one weight after the other is read into.
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

// Fits compares the weights that a model wants with those of the file: their
// names and shapes, which of a file of ours it settles.
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
		if t = w.lay(p, t); !slices.Equal(t.Shape, p.Tensor.Shape) {
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
	if err == nil && t.mend != nil {
		err = t.mend(x)
	}
	if err == nil {
		err = finite(x)
	}
	return w.about(t, err)
}

// about names the tensor in the file that an error is about.
func (w *Weights) about(t *stored, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: tensor %.80q: %w", w.file.path, t.Name, err)
	}
	return err
}

// matrixTypes are the types that a matrix may keep.
var matrixTypes = map[string]kernels.DType{"F16": kernels.F16, "BF16": kernels.BF16, "Q8_0": kernels.Q8_0, "Q4_0": kernels.Q4_0}

// store gives a weight the matrix as the file has it.
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
		return w.about(t, err)
	}
	x := p.Tensor
	x.Stored, x.Data, x.Grad, x.Const = m, nil, nil, true
	return nil
}

// rowsWhole tells whether the rows of a matrix lie in the file as they are.
func (t *stored) rowsWhole() bool {
	if t.mend != nil || len(t.Shape) != 2 {
		return false
	}
	if t.view == nil {
		return true
	}
	last := len(t.view.dims) - 1
	K := t.Shape[1]
	return t.view.dims[last] == K && t.view.strides[last] == 1 && K%dtypes[t.DType].elems == 0
}

// rows reads a matrix row by row, as the file has them.
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

// finite refuses NaN and infinities: nothing that comes of such a weight means
// anything.
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

// finiteBlocks is finite for types that a matrix may keep: all begin with a
// half, which is all that can overflow.
func finiteBlocks(b []byte, d dtype) error {
	exponent := byte(0x7c) // of f16, and of the scales of blocks
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
