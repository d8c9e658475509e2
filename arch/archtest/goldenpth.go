package archtest

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"workbench/arch/checkpoint"
	"workbench/arch/files"
)

const expectedSuffix = ".expected.safetensors"

// goldenTorch compares every X.pth with the tensors of X.expected.safetensors:
// names, types, shapes and values. A file in the format before torch 1.6, which
// is not a zip, may be refused with an error that names the format.
func goldenTorch(r *Result, dir string, _ Options) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"+expectedSuffix))
	if err != nil {
		return err
	}
	for _, expected := range files {
		path := strings.TrimSuffix(expected, expectedSuffix) + ".pth"
		f, err := checkpoint.OpenTensors(path)
		if err != nil {
			if !isZip(path) && strings.Contains(err.Error(), "legacy torch format") {
				continue
			}
			return err
		}
		err = r.tensors(f, expected, true)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func isZip(path string) bool {
	f, err := files.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	head := make([]byte, 2)
	_, err = io.ReadFull(f, head)
	return err != nil || bytes.Equal(head, []byte("PK"))
}

// tensors compares all tensors of a file with those of a safetensors file:
// values, shapes and, with types, types.
func (r *Result) tensors(f *checkpoint.File, expected string, types bool) error {
	want, err := checkpoint.OpenTensors(expected)
	if err != nil {
		return err
	}
	defer want.Close()
	if !slices.Equal(f.Names(), want.Names()) {
		return fmt.Errorf("%s: tensors %v, want %v", filepath.Base(expected), f.Names(), want.Names())
	}
	for i, w := range want.Tensors() {
		g := f.Tensors()[i]
		if types && g.DType != w.DType || !slices.Equal(g.Shape, w.Shape) {
			return fmt.Errorf("%s: %s is %s %v, want %s %v", filepath.Base(expected), w.Name, g.DType, g.Shape, w.DType, w.Shape)
		}
		if err := r.values(f, want, w.Name); err != nil {
			return err
		}
	}
	return nil
}

// values compares one tensor: integers exactly, other types to the bit.
func (r *Result) values(f, want *checkpoint.File, name string) error {
	x, err := f.Float64(name)
	if err != nil {
		return err
	}
	y, err := want.Float64(name)
	if err != nil {
		return err
	}
	r.within("values", furthest(x, y), 0, name)
	wholes, err := want.Int64(name)
	if err != nil {
		return nil // floating point
	}
	got, err := f.Int64(name)
	if err == nil && !slices.Equal(got, wholes) {
		err = fmt.Errorf("%s: whole numbers %v, want %v", name, got, wholes)
	}
	return err
}

// furthest is the largest |a-b|; equal bits, NaN among them, do not differ.
func furthest(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range a {
		if math.Float64bits(a[i]) == math.Float64bits(b[i]) {
			continue
		}
		d := math.Abs(a[i] - b[i])
		if math.IsNaN(d) {
			return d
		}
		worst = max(worst, d)
	}
	return worst
}
