package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// maxHeader is the size limit of the header in the reference implementation, in
// bytes.
const maxHeader = 100_000_000

// metadataKey is the one entry of the header that is not a tensor.
const metadataKey = "__metadata__"

// parseSafetensors reads: the header's length (8 bytes), the header (a JSON
// object of name → dtype, shape, data_offsets), the data without holes.
// Source: huggingface/safetensors README.
func (f *File) parseSafetensors(src source) error {
	c := &cursor{src: src}
	n := c.u64()
	if n > maxHeader || n > uint64(src.size-8) || n < 2 {
		return errors.New("not a safetensors, .pth, GGUF or rwkv.cpp file, or cut short")
	}
	header, err := src.bytes(8, int64(n))
	if err != nil {
		return err
	}
	if header[0] != '{' {
		return errors.New("not a safetensors, .pth, GGUF or rwkv.cpp file")
	}
	dec := json.NewDecoder(bytes.NewReader(header))
	dec.UseNumber()
	body := 8 + int64(n)
	var list []*stored
	err = object(dec, func(name string) error {
		if name == metadataKey {
			return object(dec, func(key string) (err error) {
				f.Metadata[key], err = text(dec)
				return err
			})
		}
		t, err := safetensor(dec, name, src.size-body)
		if err != nil {
			return fmt.Errorf("tensor %.80q: %w", name, err)
		}
		list = append(list, t)
		return f.add(t)
	})
	if err == nil {
		if _, err = dec.Token(); err == io.EOF {
			err = covered(list, src.size-body)
		} else {
			err = errors.New("text follows its JSON object")
		}
	}
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for _, t := range list {
		t.src, t.at = src, body+t.at
	}
	return f.asBlocks()
}

// safetensor reads the entry of a tensor; its at is an offset into the data of
// size bytes.
func safetensor(dec *json.Decoder, name string, size int64) (*stored, error) {
	t := &stored{Tensor: Tensor{Name: name}}
	var offsets []int
	seen := 0
	err := object(dec, func(key string) (err error) {
		seen++
		switch key {
		case "dtype":
			t.DType, err = text(dec)
		case "shape":
			t.Shape, err = ints(dec)
		case "data_offsets":
			offsets, err = ints(dec)
		default:
			err = fmt.Errorf("unknown key %.80q", key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	d := dtypes[t.DType]
	switch {
	case seen != 3 || len(offsets) != 2:
		return nil, errors.New("needs dtype, shape and two data_offsets")
	case d.elems != 1:
		return nil, fmt.Errorf("dtype %.20q is not supported", t.DType)
	}
	if t.n, err = elements(t.Shape); err != nil {
		return nil, err
	}
	begin, end := offsets[0], offsets[1]
	if begin < 0 || end < begin || int64(end) > size {
		return nil, fmt.Errorf("data_offsets %v are outside the %d bytes of data", offsets, size)
	}
	if end-begin != t.n*d.bytes {
		return nil, fmt.Errorf("%s %v needs %d bytes, data_offsets give %d", t.DType, clipInts(t.Shape), t.n*d.bytes, end-begin)
	}
	t.at = int64(begin)
	return t, nil
}

// covered checks that every byte of the data belongs to exactly one tensor.
func covered(list []*stored, size int64) error {
	size0 := func(t *stored) int64 { return dtypes[t.DType].size(t.n) }
	slices.SortFunc(list, func(a, b *stored) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(size0(a), size0(b)))
	})
	at := int64(0)
	for _, t := range list {
		if t.at != at {
			return fmt.Errorf("tensor %.80q begins at byte %d of the data, the one before ends at %d", t.Name, t.at, at)
		}
		at += size0(t)
	}
	if at != size {
		return fmt.Errorf("%d bytes follow the last tensor", size-at)
	}
	return nil
}

// object reads a JSON object with distinct keys, calling value for each key to
// read what follows.
func object(dec *json.Decoder, value func(key string) error) error {
	if err := delim(dec, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := text(dec)
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("key %.80q occurs twice", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return delim(dec, '}')
}

// ints reads a JSON array of integers.
func ints(dec *json.Decoder) ([]int, error) {
	if err := delim(dec, '['); err != nil {
		return nil, err
	}
	list := []int{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		n, ok := tok.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%.20v is not a number", tok)
		}
		i, err := strconv.Atoi(n.String())
		if err != nil {
			return nil, fmt.Errorf("%.20s is not a whole number of 64 bits", n)
		}
		list = append(list, i)
	}
	return list, delim(dec, ']')
}

func text(dec *json.Decoder) (string, error) {
	tok, err := dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("%.20v is not a string", tok)
	}
	return s, nil
}

func delim(dec *json.Decoder, want json.Delim) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return fmt.Errorf("%.20v where %v belongs", tok, want)
	}
	return nil
}
