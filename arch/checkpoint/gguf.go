package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// ggufTypes names the tensor types of ggml; 4, 5, 31 to 33 and 36 to 38 were
// removed.
// Source: ggml-org/llama.cpp ggml/include/ggml.h, enum ggml_type.
var ggufTypes = map[uint32]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1",
	10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K",
	16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
	24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

// Types of metadata values without a fixed size.
const (
	ggufBool   = 7
	ggufString = 8
	ggufArray  = 9
)

// ggufSizes is the smallest size of a value of each type, in bytes.
var ggufSizes = [13]int64{1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8}

// ggufValue is the location of a metadata value. Arrays are read when asked
// for.
type ggufValue struct {
	kind uint32
	at   int64
}

// parseGGUF reads versions 2 and 3: magic, version, counts of tensors and of
// keys; the keys with their values; name, dims (innermost first), type and
// offset of every tensor; then the data from the next multiple of
// general.alignment (32) on. Source: ggml-org/ggml docs/gguf.md.
func (f *File) parseGGUF(src source) error {
	c := &cursor{src: src}
	c.skip(4)
	version, tensors, keys := c.u32(), c.u64(), c.u64()
	switch {
	case c.err != nil:
		return fmt.Errorf("GGUF header: %w", c.err)
	case version>>16 != 0 && version&0xffff == 0:
		return errors.New("GGUF of the other byte order: convert it to little-endian")
	case version != 2 && version != 3:
		return fmt.Errorf("GGUF version %d, only 2 and 3 are known", version)
	case tensors > uint64(src.size/24) || keys > uint64(src.size/13):
		return fmt.Errorf("GGUF header: %d tensors and %d keys in a file of %d bytes", tensors, keys, src.size)
	}
	f.values = map[string]ggufValue{}
	for i := range keys {
		if err := f.ggufKey(c); err != nil {
			return fmt.Errorf("GGUF key %d: %w", i, err)
		}
	}
	align := int64(32)
	if v, ok := f.values["general.alignment"]; ok {
		n, err := strconv.ParseInt(f.Metadata["general.alignment"], 10, 64)
		if v.kind != 4 || err != nil || n <= 0 || n&(n-1) != 0 {
			return fmt.Errorf("general.alignment %.20q is not a power of two of 32 bits", f.Metadata["general.alignment"])
		}
		align = n
	}
	list := make([]*stored, 0, tensors)
	for i := range tensors {
		t, err := ggufTensor(c)
		if err == nil {
			err = f.add(t)
		}
		if err != nil {
			return fmt.Errorf("GGUF tensor %d: %w", i, err)
		}
		list = append(list, t)
	}
	return placed(list, src, (c.at+align-1)/align*align, align)
}

// placed converts the offsets that ggufTensor stores in at to positions in the
// file, and checks that no two tensors overlap.
func placed(list []*stored, src source, base, align int64) error {
	slices.SortFunc(list, func(a, b *stored) int { return cmp.Compare(uint64(a.at), uint64(b.at)) })
	end, last := int64(0), ""
	for _, t := range list {
		size := dtypes[t.DType].size(t.n)
		switch {
		case t.at < 0 || t.at%align != 0:
			return fmt.Errorf("tensor %.80q: offset %d is no multiple of the alignment %d", t.Name, uint64(t.at), align)
		case base > src.size || t.at > src.size-base || size > src.size-base-t.at:
			return fmt.Errorf("tensor %.80q: %d bytes at offset %d reach beyond the file's end", t.Name, size, t.at)
		case t.at < end && size > 0:
			return fmt.Errorf("tensors %.80q and %.80q overlap", last, t.Name)
		}
		end, last = t.at+size, t.Name
		t.src, t.at = src, base+t.at
	}
	return nil
}

// ggufKey reads one key and skips its value.
func (f *File) ggufKey(c *cursor) error {
	key := c.text(c.u64(), 1<<16)
	kind := c.u32()
	at := c.at
	text, err := scalar(c, kind)
	if err != nil {
		return fmt.Errorf("%.80q: %w", key, err)
	}
	if _, ok := f.values[key]; ok {
		return fmt.Errorf("%.80q occurs twice", key)
	}
	f.values[key] = ggufValue{kind, at}
	if kind != ggufArray {
		f.Metadata[key] = fmt.Sprint(text)
	}
	return nil
}

// scalar reads a value, and skips the items of an array.
func scalar(c *cursor, kind uint32) (v any, err error) {
	switch kind {
	case 0:
		v = c.u8()
	case 1:
		v = int8(c.u8())
	case 2:
		v = c.u16()
	case 3:
		v = int16(c.u16())
	case 4:
		v = c.u32()
	case 5:
		v = int32(c.u32())
	case 6:
		v = math.Float32frombits(c.u32())
	case ggufBool:
		v = c.u8() != 0
	case ggufString:
		v = c.text(c.u64(), c.src.size)
	case ggufArray:
		return nil, skipArray(c)
	case 10:
		v = c.u64()
	case 11:
		v = int64(c.u64())
	case 12:
		v = math.Float64frombits(c.u64())
	default:
		return nil, cmp.Or(c.err, fmt.Errorf("value type %d is unknown", kind))
	}
	return v, c.err
}

// arrayHead reads the item type and the length of an array, whose items must
// fit into the rest of the file.
func arrayHead(c *cursor) (kind uint32, n int64, err error) {
	kind, count := c.u32(), c.u64()
	switch {
	case c.err != nil:
		return 0, 0, c.err
	case kind >= uint32(len(ggufSizes)):
		return 0, 0, fmt.Errorf("array item type %d is unknown", kind)
	case kind == ggufArray:
		return 0, 0, errors.New("arrays of arrays are not supported")
	case count > uint64(c.left()/ggufSizes[kind]):
		return 0, 0, fmt.Errorf("an array of %d items where %d bytes are left", count, c.left())
	}
	return kind, int64(count), nil
}

func skipArray(c *cursor) error {
	kind, n, err := arrayHead(c)
	if err != nil {
		return err
	}
	if kind != ggufString {
		c.skip(n * ggufSizes[kind])
		return c.err
	}
	for i := int64(0); i < n && c.err == nil; i++ {
		size := c.u64()
		if c.err == nil && size > uint64(c.left()) {
			return fmt.Errorf("array item %d of %d bytes where %d are left", i, size, c.left())
		}
		c.skip(int64(size))
	}
	return c.err
}

// Value reads a metadata value of a GGUF file: a number or bool of its width in
// the file, a string, or a []any of these.
func (f *File) Value(key string) (any, error) {
	v, ok := f.values[key]
	if !ok {
		return nil, fmt.Errorf("%s: no metadata %.80q", f.path, key)
	}
	c := &cursor{src: f.src, at: v.at}
	if v.kind != ggufArray {
		return scalar(c, v.kind)
	}
	return array(c)
}

func array(c *cursor) ([]any, error) {
	kind, n, err := arrayHead(c)
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, n)
	for range n {
		v, err := scalar(c, kind)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// ggufTensor reads an entry of the tensor table; its at is still an offset.
func ggufTensor(c *cursor) (*stored, error) {
	t := &stored{}
	t.Name = c.text(c.u64(), 1<<10)
	dims := c.u32()
	if c.err == nil && dims > 4 {
		return nil, fmt.Errorf("%.80q has %d dimensions, at most 4 are allowed", t.Name, dims)
	}
	t.Shape = []int{}
	for range dims {
		d := c.u64()
		if d > math.MaxInt64 {
			return nil, fmt.Errorf("%.80q has a dimension of %d", t.Name, d)
		}
		t.Shape = append(t.Shape, int(d))
	}
	slices.Reverse(t.Shape)
	kind, offset := c.u32(), c.u64()
	if c.err != nil {
		return nil, c.err
	}
	t.at = int64(offset)
	name, ok := ggufTypes[kind]
	d := dtypes[name]
	if !ok || d.elems == 0 {
		return nil, fmt.Errorf("%.80q: tensor type %d %s is not supported", t.Name, kind, name)
	}
	t.DType = name
	var err error
	if t.n, err = elements(t.Shape); err != nil {
		return nil, fmt.Errorf("%.80q: %w", t.Name, err)
	}
	if row := len(t.Shape) - 1; d.elems > 1 && (row < 0 || t.Shape[row]%d.elems != 0) {
		return nil, fmt.Errorf("%.80q: rows of %v are not whole blocks of %d: %s cannot hold them", t.Name, clipInts(t.Shape), d.elems, name)
	}
	return t, nil
}

// Keys lists the metadata of a GGUF file, arrays among them, in alphabetical
// order.
func (f *File) Keys() []string { return slices.Sorted(maps.Keys(f.values)) }
