package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"workbench/arch/nn"
)

// Metadata keys with which files of Save describe how to build the model.
const (
	archKey   = "arch"
	configKey = "config"
)

// ours reports whether Save wrote the file with architecture and configuration.
func (f *File) ours() bool {
	return f.format == formatSafetensors && f.Metadata[archKey] != "" && f.Metadata[configKey] != ""
}

// fromOurs adds the tensors of a file of Save, of any architecture, under their
// own names. Fits or Assign later take layouts and required tensors from the
// model.
func (w *Weights) fromOurs() error {
	w.Arch, w.own = w.Metadata[archKey], true
	for _, name := range w.file.Names() {
		t := w.file.tensors[name]
		if !t.isFloat() {
			return fmt.Errorf("tensor %.80q is %s and should be of floating point", name, t.DType)
		}
		if err := w.take(name, name, t); err != nil {
			return err
		}
	}
	dec := json.NewDecoder(strings.NewReader(w.Metadata[configKey]))
	dec.UseNumber()
	if err := dec.Decode(&w.Config); err != nil || w.Config == nil {
		return fmt.Errorf("metadata %q is not a JSON object", configKey)
	}
	for _, key := range slices.Sorted(maps.Keys(w.Config)) {
		n, ok := w.Config[key].(json.Number)
		if !ok {
			continue
		}
		if i, err := strconv.Atoi(n.String()); err == nil {
			w.Config[key] = i
		} else if x, err := n.Float64(); err == nil {
			w.Config[key] = x
		} else {
			return fmt.Errorf("the metadata says %.40q %.40v, which is no number of 64 bits", key, n)
		}
	}
	return nil
}

// Len is the number of weights in the file.
func (w *Weights) Len() (n int) {
	for _, t := range w.tensors {
		n += t.len()
	}
	return n
}

// orient transposes a tensor of a file of Save, once, as officialShape says for
// the weight p.
func (w *Weights) orient(p nn.Param, t *stored) *stored {
	want := p.Tensor.Shape
	switch {
	case !w.own || slices.Equal(t.Shape, want) && !p.InOut || w.Transposed[p.Name]:
		return t
	case p.InOut && len(t.Shape) >= 2:
		w.Transposed[p.Name] = true
		t = t.transposed()
	case len(want) == 1:
		t = t.squeezed()
	}
	w.tensors[p.Name] = t
	return t
}
