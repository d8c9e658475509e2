// Package checkpoint reads and writes model files: safetensors, PyTorch's .pth,
// GGUF and rwkv.cpp's .bin. Files are untrusted: every size in a file is
// checked against the bytes that are there before memory is allocated for it.
package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"workbench/arch/nn"
)

// Tensor describes a tensor of a file.
type Tensor struct {
	Name string
	// DType is the type in the file: F64, F32, F16, BF16, I64, I32, I16, I8, U8,
	// BOOL or a quantised type of ggml, such as Q4_K.
	DType string
	Shape []int
}

// File is an open model file. Tensors are read when asked for.
type File struct {
	// Metadata is what the file holds beside tensors: the strings of a
	// safetensors header, the plain values of a torch training checkpoint
	// (nanoGPT's as "model_args.n_head"), the numbers of an rwkv.cpp header, the
	// scalar values of a GGUF.
	Metadata map[string]string

	path    string
	format  string
	src     source
	size    int64
	tensors map[string]*stored
	values  map[string]ggufValue
	closers []io.Closer
}

// The formats OpenTensors knows.
const (
	formatSafetensors = "safetensors"
	formatTorch       = "torch"
	formatRWKVCpp     = "rwkv.cpp"
	formatGGUF        = "gguf"
)

// OpenTensors opens a safetensors, .pth, GGUF or rwkv.cpp file, the index of a
// model in several safetensors files, or the first part of a GGUF in several
// files. It tells them apart by their content. The caller must close the file.
func OpenTensors(path string) (*File, error) {
	file, src, err := openSource(path)
	if err != nil {
		return nil, err
	}
	f := newFile(path, src)
	f.closers = append(f.closers, file)
	if err := f.parse(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func newFile(path string, src source) *File {
	return &File{Metadata: map[string]string{}, path: path, src: src, size: src.size, tensors: map[string]*stored{}}
}

func (f *File) parse() (err error) {
	head, err := f.src.bytes(0, 8)
	switch {
	case err == errShort:
		return fmt.Errorf("%d bytes are no model file", f.size)
	case err != nil:
		return err
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		f.format, err = formatTorch, f.parseTorch(f.src)
	case binary.LittleEndian.Uint32(head) == rwkvCppMagic:
		f.format, err = formatRWKVCpp, f.parseRWKVCpp(f.src)
	case bytes.HasPrefix(head, []byte("GGUF")):
		f.format, err = formatGGUF, f.parseGGUF(f.src)
		if err == nil {
			err = f.addParts()
		}
	case head[0] == 0x80 && head[2] == 0x8a: // a pickle that begins with torch's magic number
		err = errors.New("legacy torch format: re-save with torch>=1.6")
	case isIndex(head):
		f.format, err = formatSafetensors, f.parseIndex(f.src)
	default:
		f.format, err = formatSafetensors, f.parseSafetensors(f.src)
	}
	return err
}

// Close closes the file, whose tensors cannot be read any more.
func (f *File) Close() error {
	var errs []error
	for _, c := range f.closers {
		errs = append(errs, c.Close())
	}
	f.tensors, f.values, f.closers = nil, nil, nil
	return errors.Join(errs...)
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

// Shape is the shape of a tensor in the file, outermost axis first, nil where
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

// Int64 reads a tensor of integers or booleans, row-major.
func (f *File) Int64(name string) ([]int64, error) {
	if t := f.tensors[name]; t != nil && t.isFloat() {
		return nil, fmt.Errorf("%s: tensor %.80q is %s and not of whole numbers", f.path, name, t.DType)
	}
	return read[int64](f, name)
}

// Weight reads the tensor that Save wrote for a weight of that name and shape.
func (f *File) Weight(p nn.Param) ([]float32, error) {
	x, err := f.Float32(p.Name)
	if err != nil {
		return nil, err
	}
	if len(x) != p.Tensor.Len() {
		return nil, fmt.Errorf("%s: tensor %q has %d elements and the model wants %d", f.path, p.Name, len(x), p.Tensor.Len())
	}
	if p.InOut {
		x = swapLastAxes(x, p.Tensor.Dim(-1), p.Tensor.Dim(-2))
	}
	return x, nil
}

func read[T number](f *File, name string) ([]T, error) {
	t := f.tensors[name]
	if t == nil {
		return nil, fmt.Errorf("%s: no tensor %.80q", f.path, name)
	}
	out, err := gather[T](t)
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %.80q: %w", f.path, name, err)
	}
	return out, nil
}

// add adds a tensor to the file.
func (f *File) add(t *stored) error {
	if f.tensors[t.Name] != nil {
		return fmt.Errorf("tensor %.80q occurs twice", t.Name)
	}
	f.tensors[t.Name] = t
	return nil
}

// clipInts shortens a shape in an error.
func clipInts(s []int) []int { return s[:min(len(s), 8)] }
