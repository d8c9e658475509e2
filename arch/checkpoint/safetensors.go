package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// maxHeader is the limit of the reference implementation, in bytes.
const maxHeader = 100_000_000

// metadataKey is the header's one entry that is no tensor.
const metadataKey = "__metadata__"

// parseSafetensors reads: the header's length (8 bytes), the header (a JSON
// object of name → dtype, shape, data_offsets), the data without holes.
// Source: huggingface/safetensors README.
func (f *File) parseSafetensors(b []byte) error {
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) || n == 0 || b[8] != '{' {
		return errors.New("not a safetensors, .pth or rwkv.cpp file, or cut short")
	}
	dec := json.NewDecoder(bytes.NewReader(b[8 : 8+n]))
	dec.UseNumber()
	body := b[8+n:]
	var spans []span
	err := object(dec, func(name string) error {
		if name == metadataKey {
			return object(dec, func(key string) (err error) {
				f.Metadata[key], err = text(dec)
				return err
			})
		}
		t, s, err := safetensor(dec, name, body)
		if err != nil {
			return fmt.Errorf("tensor %.80q: %w", name, err)
		}
		spans = append(spans, s)
		return f.add(t)
	})
	if err == nil {
		if _, err = dec.Token(); err == io.EOF {
			return covered(spans, len(body))
		}
		err = errors.New("something follows its object")
	}
	return fmt.Errorf("header: %w", err)
}

// span is where a tensor's bytes lie in the body.
type span struct {
	name       string
	begin, end int
}

func safetensor(dec *json.Decoder, name string, body []byte) (*stored, span, error) {
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
		return nil, span{}, err
	}
	size, ok := elementSize[t.DType]
	switch {
	case seen != 3 || len(offsets) != 2:
		return nil, span{}, errors.New("needs dtype, shape and two data_offsets")
	case !ok:
		return nil, span{}, fmt.Errorf("dtype %.20q is not supported", t.DType)
	}
	n, err := elements(t.Shape)
	if err != nil {
		return nil, span{}, err
	}
	s := span{name, offsets[0], offsets[1]}
	if s.begin < 0 || s.end < s.begin || s.end > len(body) {
		return nil, span{}, fmt.Errorf("data_offsets %v are outside the %d bytes of data", offsets, len(body))
	}
	if s.end-s.begin != n*size {
		return nil, span{}, fmt.Errorf("%s %v needs %d bytes, data_offsets give %d", t.DType, clipInts(t.Shape), n*size, s.end-s.begin)
	}
	t.data = body[s.begin:s.end:s.end]
	return t, s, nil
}

// covered checks that the tensors fill the body, each byte in one of them.
func covered(spans []span, size int) error {
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	at := 0
	for _, s := range spans {
		if s.begin != at {
			return fmt.Errorf("tensor %.80q begins at byte %d of the data, the one before ends at %d", s.name, s.begin, at)
		}
		at = s.end
	}
	if at != size {
		return fmt.Errorf("%d bytes follow the last tensor", size-at)
	}
	return nil
}

// object reads a JSON object whose keys differ, calling value for each key to
// read what follows it.
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

// ints reads a JSON array of whole numbers.
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
