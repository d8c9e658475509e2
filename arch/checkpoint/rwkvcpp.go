package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

const rwkvCppMagic = 0x67676d66

// rwkvCppTypes names the data types of the format; those that elementSize
// lacks are quantised.
var rwkvCppTypes = map[uint32]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q5_0", 8: "Q5_1", 9: "Q8_0",
}

// parseRWKVCpp reads: magic, version, n_vocab, n_embed, n_layer, data_type;
// then until the end, per tensor: number of dims, length of the name, type,
// dims (innermost first), name, data. All numbers are int32.
// Source: RWKV/rwkv.cpp docs/FILE_FORMAT.md.
func (f *File) parseRWKVCpp(b []byte) error {
	r := &words{b: b[4:]}
	if version := r.next(); version != 100 && version != 101 {
		return fmt.Errorf("rwkv.cpp file version %d, only 100 and 101 are known", version)
	}
	for _, key := range []string{"n_vocab", "n_embed", "n_layer", "data_type"} {
		f.Metadata[key] = strconv.Itoa(int(r.next()))
	}
	for r.err == nil && len(r.b) > 0 {
		t, err := r.tensor()
		if err == nil {
			err = f.add(t)
		}
		if err != nil {
			return err
		}
	}
	return r.err
}

// words reads little-endian int32.
type words struct {
	b   []byte
	err error
}

func (r *words) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.err = errors.New("cut short")
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *words) next() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *words) tensor() (*stored, error) {
	dims, nameLen, dtype := r.next(), r.next(), r.next()
	if r.err != nil {
		return nil, r.err
	}
	if dims < 1 || dims > 3 || nameLen < 1 || nameLen > 1024 {
		return nil, fmt.Errorf("a tensor of %d dims with a name of %d bytes", dims, nameLen)
	}
	t := &stored{}
	for range dims {
		t.Shape = append(t.Shape, int(int32(r.next())))
	}
	slices.Reverse(t.Shape)
	t.Name = string(r.take(int(nameLen)))
	if r.err != nil {
		return nil, r.err
	}
	n, err := elements(t.Shape)
	if err != nil {
		return nil, fmt.Errorf("tensor %.80q: %w", t.Name, err)
	}
	t.DType = rwkvCppTypes[dtype]
	size, ok := elementSize[t.DType]
	if !ok {
		return nil, fmt.Errorf("tensor %.80q: data type %d %s is not supported yet", t.Name, dtype, t.DType)
	}
	if t.data = r.take(n * size); r.err != nil {
		return nil, fmt.Errorf("tensor %.80q: %w", t.Name, r.err)
	}
	return t, nil
}
