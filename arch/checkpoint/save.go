package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"workbench/arch/files"
	"workbench/arch/nn"
)

// Save writes a model's weights as safetensors in float32, under their names in
// the order of nn.Walk. The same weights and metadata give the same bytes. If
// meta["arch"] is the architecture and meta["config"] its resolved
// configuration as a JSON object, Open restores both. The file appears at path
// whole or not at all.
func Save(path string, m any, meta map[string]string) error {
	if err := files.Create(path, func(w io.Writer) error { return write(w, m, meta) }); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

func write(w io.Writer, m any, meta map[string]string) error {
	return writeTensors(w, weightsOf(m, meta), meta)
}

// weightsOf lists the weights of a model as they are written.
func weightsOf(m any, meta map[string]string) (list []outgoing) {
	visit(m, func(p nn.Param) {
		list = append(list, outgoing{name: p.Name, dtype: "F32", shape: officialShape(meta["arch"], p), bytes: 4 * int64(p.Tensor.Len()),
			write: func(w io.Writer) error { return writeParam(w, p) }})
	})
	return list
}

// outgoing is a tensor to be written: its entry in the header, and its bytes.
type outgoing struct {
	name, dtype string
	shape       []int
	bytes       int64
	write       func(io.Writer) error
}

// writeTensors writes a safetensors file.
func writeTensors(w io.Writer, list []outgoing, meta map[string]string) error {
	var b strings.Builder
	sep, at := "{", int64(0)
	if len(meta) > 0 {
		b.WriteString(sep + quote(metadataKey) + ":" + quote(meta))
		sep = ","
	}
	for _, t := range list {
		fmt.Fprintf(&b, `%s%s:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, sep, quote(t.name), t.dtype, quote(t.shape), at, at+t.bytes)
		sep, at = ",", at+t.bytes
	}
	if sep == "{" {
		b.WriteString(sep)
	}
	b.WriteString("}")
	b.WriteString(strings.Repeat(" ", -b.Len()&7))
	if err := binary.Write(w, binary.LittleEndian, uint64(b.Len())); err != nil {
		return err
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	for _, t := range list {
		if err := t.write(w); err != nil {
			return err
		}
	}
	return nil
}

// writeParam writes a weight in float32, low-rank matrices [in,out].
func writeParam(w io.Writer, p nn.Param) error {
	t := p.Tensor
	if t.Stored != nil {
		row := make([]float32, t.Stored.K)
		for n := range t.Stored.N {
			t.Stored.Row(row, n)
			if err := writeFloats(w, row); err != nil {
				return err
			}
		}
		return nil
	}
	if p.InOut {
		return writeFloats(w, swapLastAxes(t.Data, t.Dim(-2), t.Dim(-1)))
	}
	return writeFloats(w, t.Data)
}

// swapLastAxes swaps the last two axes of x, of lengths R and C.
func swapLastAxes(x []float32, R, C int) []float32 {
	out := make([]float32, len(x))
	for at := 0; at < len(out); at += R * C {
		for r := range R {
			for c := range C {
				out[at+c*R+r] = x[at+r*C+c]
			}
		}
	}
	return out
}

func writeFloats(w io.Writer, x []float32) error {
	var buf [4096]byte
	for len(x) > 0 {
		n := min(len(x), len(buf)/4)
		for i, v := range x[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(buf[:4*n]); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

// officialShape is the shape of a weight in official files: the mix vectors of
// RWKV are [1,1,C], as are all other vectors of channels in versions 6 and 7,
// and low-rank matrices are [in,out].
func officialShape(arch string, p nn.Param) []int {
	shape := slices.Clone(p.Tensor.Shape)
	n := len(shape)
	if p.InOut {
		shape[n-2], shape[n-1] = shape[n-1], shape[n-2]
	}
	if n == 1 && isMix(arch, p.Name) {
		return []int{1, 1, shape[0]}
	}
	return shape
}

func isMix(arch, name string) bool {
	_, part, ok := strings.Cut(name, ".att.")
	if !ok {
		_, part, ok = strings.Cut(name, ".ffn.")
	}
	switch {
	case !ok || strings.Contains(part, "."): // ln_x, and the matrices
		return false
	case arch == "rwkv6" || arch == "rwkv7":
		return true
	}
	return strings.HasPrefix(part, "time_mix_")
}

// quote returns v as JSON; every v that is passed has a JSON form.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("checkpoint: " + err.Error())
	}
	return string(b)
}
