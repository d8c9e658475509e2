package checkpoint

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

const rwkvCppMagic = 0x67676d66

// rwkvCppTypes names the data types of the format.
var rwkvCppTypes = map[uint32]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q5_0", 8: "Q5_1", 9: "Q8_0",
}

// parseRWKVCpp reads: magic, version, n_vocab, n_embed, n_layer, data_type;
// then until the end, per tensor: number of dims, length of the name, type,
// dims (innermost first), name, data. All numbers are int32.
// Source: RWKV/rwkv.cpp docs/FILE_FORMAT.md.
func (f *File) parseRWKVCpp(src source) error {
	c := &cursor{src: src}
	c.skip(4)
	version := c.u32()
	if c.err == nil && version != 100 && version != 101 {
		return fmt.Errorf("rwkv.cpp file version %d, only 100 and 101 are known", version)
	}
	f.Metadata["version"] = strconv.Itoa(int(version))
	for _, key := range []string{"n_vocab", "n_embed", "n_layer", "data_type"} {
		f.Metadata[key] = strconv.Itoa(int(int32(c.u32())))
	}
	for c.err == nil && c.left() > 0 {
		t, err := nextRWKVCpp(c)
		if err == nil && version == 100 && dtypes[t.DType].elems > 1 {
			err = fmt.Errorf("tensor %.80q: the blocks of file version 100 are not supported: quantise again with a newer rwkv.cpp", t.Name)
		}
		if err == nil {
			err = f.add(t)
		}
		if err != nil {
			return err
		}
	}
	return c.err
}

func nextRWKVCpp(c *cursor) (*stored, error) {
	dims, nameLen, dtype := c.u32(), c.u32(), c.u32()
	if c.err != nil {
		return nil, c.err
	}
	if dims < 1 || dims > 3 || nameLen < 1 || nameLen > 1024 {
		return nil, fmt.Errorf("a tensor of %d dims with a name of %d bytes", dims, nameLen)
	}
	t := &stored{}
	for range dims {
		t.Shape = append(t.Shape, int(int32(c.u32())))
	}
	slices.Reverse(t.Shape)
	t.Name = c.text(uint64(nameLen), 1024)
	if c.err != nil {
		return nil, c.err
	}
	var ok bool
	if t.DType, ok = rwkvCppTypes[dtype]; !ok {
		return nil, fmt.Errorf("tensor %.80q: data type %d is not supported", t.Name, dtype)
	}
	var err error
	if t.n, err = elements(t.Shape); err != nil {
		return nil, fmt.Errorf("tensor %.80q: %w", t.Name, err)
	}
	d := dtypes[t.DType]
	if t.Shape[len(t.Shape)-1]%d.elems != 0 {
		return nil, fmt.Errorf("tensor %.80q: rows of %v are not whole blocks of %d: %s cannot hold them", t.Name, clipInts(t.Shape), d.elems, t.DType)
	}
	t.src, t.at = c.src, c.at
	if c.skip(d.size(t.n)); c.err != nil {
		return nil, fmt.Errorf("tensor %.80q: %w", t.Name, c.err)
	}
	return t, nil
}

// fromRWKVCpp undoes the changes of rwkv.cpp's converter: exponentials, added
// axes of length 1, and the stacked mix vectors of version 7. Its matrices are
// all [out,in].
// Source: RWKV/rwkv.cpp python/convert_pytorch_to_ggml.py.
func (w *Weights) fromRWKVCpp() error {
	for _, name := range w.tensors.names() {
		t, source := w.tensors[name], w.Source[name]
		layer, part, ok := strings.Cut(name, ".att.")
		if !ok {
			continue
		}
		n := len(t.Shape)
		for n > 1 && t.Shape[n-1] == 1 && strings.HasPrefix(part, "time_") {
			t, n = t.reshaped(t.Shape[:n-1]...), n-1
		}
		switch {
		case part == "x_rwkvag":
			delete(w.tensors, name)
			delete(w.Source, name)
			if err := w.unfuse(t, source, layer+".att.", ggufFused["rwkv7"]); err != nil {
				return err
			}
			continue
		case part == "time_decay" && w.Arch == "rwkv4":
			t = t.transformed(rawDecay)
		case part == "time_decay" && w.Arch == "rwkv5":
			t = t.transformed(rawDecayRate)
		case part == "time_first" && w.Arch == "rwkv5":
			t = t.transformed(rawBonus)
		case part == "time_decay" && w.Arch == "rwkv6":
			t = t.reshaped(t.len())
		}
		w.tensors[name] = t
	}
	return nil
}

// rawDecay undoes -exp(x).
func rawDecay(x []float32) error {
	for i, v := range x {
		if !(v < 0) {
			return fmt.Errorf("element %d is %v and should be negative", i, v)
		}
		x[i] = float32(math.Log(-float64(v)))
	}
	return nil
}

// rawDecayRate undoes exp(-exp(x)). A value that was rounded to 0 or 1 becomes
// a number that rounds to it again.
func rawDecayRate(x []float32) error {
	for i, v := range x {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("element %d is %v and should be from 0 to 1", i, v)
		}
		x[i] = float32(min(max(math.Log(-math.Log(float64(v))), -20), 5))
	}
	return nil
}

// rawBonus undoes exp(x).
func rawBonus(x []float32) error {
	for i, v := range x {
		if !(v >= 0) {
			return fmt.Errorf("element %d is %v and should not be negative", i, v)
		}
		x[i] = float32(max(math.Log(float64(v)), -100))
	}
	return nil
}
