package checkpoint

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"workbench/arch/files"
	"workbench/arch/nn"
	"workbench/kernels"
)

// Convert writes the weights of an open file as safetensors under official
// names, shapes and orientation: matrices as t, everything else in float32.
// Quantised matrices are U8 tensors of blocks, whose types the metadata lists
// under "ggml_types"; low-rank matrices, and rows that are not whole blocks,
// become f16 instead. A matrix that the file stores as t is copied to the bit.
// One tensor at a time is in memory. report is called as the work proceeds and
// may stop it by an error; the file appears at path whole or not at all.
func (w *Weights) Convert(path string, t kernels.DType, meta map[string]string, report func(done, total int64) error) error {
	meta = maps.Clone(meta)
	blocks := map[string]string{}
	var list []outgoing
	var done, total int64
	var spare scratch
	for _, name := range w.Names() {
		o := w.outgoing(name, t, &spare)
		if d := o.as; d == kernels.Q8_0 || d == kernels.Q4_0 {
			blocks[name] = strings.ToUpper(d.String())
		}
		write := o.write
		o.write = func(out io.Writer) error {
			if err := report(done, total); err != nil {
				return err
			}
			if err := write(out); err != nil {
				return fmt.Errorf("tensor %q: %w", w.tensors[name].Name, err)
			}
			done += o.bytes
			return nil
		}
		total += o.bytes
		list = append(list, o.outgoing)
	}
	if len(blocks) > 0 {
		meta[blocksKey] = quote(blocks)
	}
	err := files.Create(path, func(out io.Writer) error { return writeTensors(out, list, meta) })
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// converted is a tensor to be written in another type.
type converted struct {
	outgoing
	as kernels.DType
}

// outgoing describes how one weight is written.
func (w *Weights) outgoing(name string, t kernels.DType, spare *scratch) converted {
	s := w.tensors[name]
	p := nn.Param{Name: name, Tensor: &nn.Tensor{Shape: s.Shape}, InOut: isLoRA(w.Arch, name) || w.own && w.Transposed[name]}
	o := converted{as: t}
	o.name, o.shape = name, officialShape(w.Arch, p)
	last := len(s.Shape) - 1
	quantised := t == kernels.Q8_0 || t == kernels.Q4_0
	switch {
	case last < 1 || !strings.HasSuffix(name, ".weight") && !strings.Contains(name, ".weight_") && !p.InOut:
		o.as = kernels.F32
	case quantised && (p.InOut || s.Shape[last]%32 != 0):
		o.as = kernels.F16
	}
	o.dtype = strings.ToUpper(o.as.String())
	d := dtypes[o.dtype]
	if o.bytes = d.size(s.len()); d.elems > 1 {
		o.dtype, o.shape[last] = "U8", s.Shape[last]/d.elems*d.bytes
	}
	o.write = func(out io.Writer) error { return w.writeAs(out, s, o.as, p.InOut, spare) }
	return o
}

// writeAs writes one weight: a large one that is contiguous in the file a few
// rows at a time, any other whole.
func (w *Weights) writeAs(out io.Writer, t *stored, as kernels.DType, inOut bool, spare *scratch) error {
	rows := 1
	for _, n := range t.Shape[:max(0, len(t.Shape)-1)] {
		rows *= n
	}
	if t.view != nil || t.transform != nil || inOut || rows == 0 {
		return w.writeRows(out, t, as, inOut, spare)
	}
	K := t.len() / rows
	some := max(1, 4*piece/max(1, K))
	for r := 0; r < rows; r += some {
		n := min(some, rows-r)
		part := *t
		part.Shape, part.n = []int{n, K}, n*K
		part.at += dtypes[t.DType].size(r * K)
		if err := w.writeRows(out, &part, as, false, spare); err != nil {
			return err
		}
	}
	return nil
}

// writeRows writes a tensor, which it reads whole.
func (w *Weights) writeRows(out io.Writer, t *stored, as kernels.DType, inOut bool, spare *scratch) error {
	b := spare.ofBytes(int(dtypes[strings.ToUpper(as.String())].size(t.len())))
	var err error
	if have, ok := matrixTypes[t.DType]; ok && have == as && !inOut && t.rowsWhole() {
		if err = t.rows(b); err == nil {
			err = finiteBlocks(b, dtypes[t.DType])
		}
	} else {
		err = w.blocks(b, t, as, inOut, spare)
	}
	if err == nil {
		_, err = out.Write(b)
	}
	return err
}

// blocks fills b with a tensor converted to another type.
func (w *Weights) blocks(b []byte, t *stored, as kernels.DType, inOut bool, spare *scratch) error {
	x := spare.ofFloats(t.len())
	if err := w.read(x, t); err != nil {
		return err
	}
	shape := slices.Clone(t.Shape)
	if last := len(shape) - 1; inOut {
		x = swapLastAxes(x, shape[last-1], shape[last])
		shape[last-1], shape[last] = shape[last], shape[last-1]
	}
	K := 1
	if len(shape) > 0 {
		K = shape[len(shape)-1]
	}
	return kernels.Blocks(b, as, x, len(x)/max(1, K), K)
}
