// Package checkpoint reads and writes model files: safetensors, PyTorch's .pth
// and rwkv.cpp's .bin. A file is hostile until parsed: every size in it is
// checked against the bytes that are there before anything is allocated.
package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"workbench/arch/nn"
)

// Tensor says what a file holds under a name.
type Tensor struct {
	Name  string
	DType string // as stored: F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL
	Shape []int
}

// File is an open model file. Its tensors stay in the file until asked for.
type File struct {
	// Metadata is what the file says beside its tensors: the strings of a
	// safetensors header, the plain values of a torch training checkpoint
	// (nanoGPT's as "model_args.n_head"), the numbers of an rwkv.cpp header.
	Metadata map[string]string

	path    string
	format  string
	size    int
	tensors map[string]*stored
	unmap   func() error
}

// The formats OpenTensors knows.
const (
	formatSafetensors = "safetensors"
	formatTorch       = "torch"
	formatRWKVCpp     = "rwkv.cpp"
)

// OpenTensors opens a safetensors, .pth or rwkv.cpp file, which it tells apart
// by their content. The caller closes it.
func OpenTensors(path string) (*File, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parse(data)
	if err != nil {
		unmap()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.path, f.unmap = path, unmap
	return f, nil
}

func parse(data []byte) (*File, error) {
	f := &File{size: len(data), Metadata: map[string]string{}, tensors: map[string]*stored{}}
	var err error
	switch {
	case len(data) < 8:
		err = fmt.Errorf("%d bytes are no model file", len(data))
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		f.format, err = formatTorch, f.parseTorch(data)
	case binary.LittleEndian.Uint32(data) == rwkvCppMagic:
		f.format, err = formatRWKVCpp, f.parseRWKVCpp(data)
	case bytes.HasPrefix(data, []byte("GGUF")):
		err = fmt.Errorf("GGUF files are not supported yet")
	case data[0] == 0x80 && data[2] == 0x8a: // a pickle that begins with torch's magic number
		err = fmt.Errorf("legacy torch format: re-save with torch>=1.6")
	default:
		f.format, err = formatSafetensors, f.parseSafetensors(data)
	}
	return f, err
}

// Close gives the file back. Its tensors are gone then.
func (f *File) Close() error {
	unmap := f.unmap
	f.tensors, f.unmap = nil, nil
	if unmap == nil {
		return nil
	}
	return unmap()
}

// Names lists the tensors in alphabetical order.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.tensors)) }

// Tensors lists the tensors in alphabetical order.
func (f *File) Tensors() []Tensor {
	var list []Tensor
	for _, name := range f.Names() {
		list = append(list, f.tensors[name].Tensor)
	}
	return list
}

// Shape is that of a tensor as the file gives it, outermost first, nil where
// there is no such tensor.
func (f *File) Shape(name string) []int {
	if t := f.tensors[name]; t != nil {
		return t.Shape
	}
	return nil
}

// Float32 reads a tensor of any type, row-major, rounded to float32.
func (f *File) Float32(name string) ([]float32, error) { return read[float32](f, name) }

// Float64 reads a tensor of any type, row-major.
func (f *File) Float64(name string) ([]float64, error) { return read[float64](f, name) }

// Int64 reads a tensor of whole numbers or truth values, row-major.
func (f *File) Int64(name string) ([]int64, error) {
	if t := f.tensors[name]; t != nil && t.isFloat() {
		return nil, fmt.Errorf("%s: tensor %.80q is %s and not of whole numbers", f.path, name, t.DType)
	}
	return read[int64](f, name)
}

// Weight reads what Save wrote for a weight of that name and shape.
func (f *File) Weight(p nn.Param) ([]float32, error) {
	x, err := f.Float32(p.Name)
	if err != nil {
		return nil, err
	}
	if len(x) != p.Tensor.Len() {
		return nil, fmt.Errorf("%s: tensor %q has %d elements and the model wants %d", f.path, p.Name, len(x), p.Tensor.Len())
	}
	if p.InOut {
		x = turned(x, p.Tensor.Dim(-1), p.Tensor.Dim(-2))
	}
	return x, nil
}

func read[T number](f *File, name string) ([]T, error) {
	t := f.tensors[name]
	if t == nil {
		return nil, fmt.Errorf("%s: no tensor %.80q", f.path, name)
	}
	return gather[T](t), nil
}

// add takes a tensor into the file.
func (f *File) add(t *stored) error {
	if f.tensors[t.Name] != nil {
		return fmt.Errorf("tensor %.80q occurs twice", t.Name)
	}
	f.tensors[t.Name] = t
	return nil
}

// elements is the product of a shape.
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

// clipInts keeps an error short.
func clipInts(s []int) []int { return s[:min(len(s), 8)] }
