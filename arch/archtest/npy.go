package archtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"workbench/arch/files"
)

// maxArray and maxCase bound the files of a golden case that are read whole, in
// bytes.
const (
	maxArray = 1 << 30
	maxCase  = 64 << 20
)

// readNPY reads a NumPy file of whole numbers.
func readNPY(path string) (shape []int, data []int64, err error) {
	b, err := files.Read(path, maxArray)
	if err == nil {
		shape, data, err = parseNPY(b)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return shape, data, nil
}

// parseNPY reads: magic, version, the header's length, the header (a Python
// dictionary of descr, fortran_order and shape), the elements row-major.
// Source: numpy/numpy doc/source/reference/generated/numpy.lib.format.rst.
func parseNPY(b []byte) (shape []int, data []int64, err error) {
	if len(b) < 12 || !bytes.HasPrefix(b, []byte("\x93NUMPY")) {
		return nil, nil, errors.New("not a .npy file, or cut short")
	}
	n, at := uint64(binary.LittleEndian.Uint16(b[8:])), uint64(10)
	switch b[6] {
	case 1:
	case 2, 3:
		n, at = uint64(binary.LittleEndian.Uint32(b[8:])), 12
	default:
		return nil, nil, fmt.Errorf("version %d.%d of the format: 1 to 3 are read", b[6], b[7])
	}
	if n > uint64(len(b))-at {
		return nil, nil, fmt.Errorf("the header has %d bytes, the file %d", n, len(b))
	}
	descr, shape, err := npyHeader(string(b[at : at+n]))
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	b = b[at+n:]
	size := map[string]int{"<i8": 8, "<i4": 4, "<i2": 2, "|i1": 1, "|u1": 1}[descr]
	if size == 0 {
		return nil, nil, fmt.Errorf("elements of type %.20q: whole numbers of at most 8 bytes, little-endian, are read", descr)
	}
	count := len(b) / size
	if len(b)%size != 0 || !fills(shape, count) {
		return nil, nil, fmt.Errorf("shape %v of %s, and %d bytes of elements", shape[:min(len(shape), 8)], descr, len(b))
	}
	return shape, npyInts(b, descr, count), nil
}

// fills reports whether count elements have that shape.
func fills(shape []int, count int) bool {
	n := 1
	for _, d := range shape {
		if d > 0 && n > count/d {
			return false
		}
		n *= d
	}
	return n == count
}

func npyInts(b []byte, descr string, count int) []int64 {
	data := make([]int64, count)
	for i := range data {
		switch descr {
		case "<i8":
			data[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		case "<i4":
			data[i] = int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
		case "<i2":
			data[i] = int64(int16(binary.LittleEndian.Uint16(b[2*i:])))
		case "|i1":
			data[i] = int64(int8(b[i]))
		case "|u1":
			data[i] = int64(b[i])
		}
	}
	return data
}

// npyHeader reads "{'descr': '<i8', 'fortran_order': False, 'shape': (20, 32), }":
// the three keys in any order, once each.
func npyHeader(s string) (descr string, shape []int, err error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), "{")
	seen := map[string]bool{}
	for ok {
		rest = strings.TrimLeft(rest, " ,")
		if rest == "}" {
			break
		}
		var key string
		if key, rest, ok = npyString(rest); !ok || seen[key] {
			return "", nil, fmt.Errorf("a key belongs at %.20q", rest)
		}
		seen[key] = true
		if rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), ":"); !ok {
			break
		}
		rest = strings.TrimLeft(rest, " ")
		switch key {
		case "descr":
			descr, rest, ok = npyString(rest)
		case "fortran_order":
			if rest, ok = strings.CutPrefix(rest, "False"); !ok {
				return "", nil, errors.New("fortran_order is not False: row-major arrays are read")
			}
		case "shape":
			shape, rest, ok = npyShape(rest)
		default:
			return "", nil, fmt.Errorf("unknown key %.20q", key)
		}
	}
	if !ok || len(seen) != 3 {
		return "", nil, fmt.Errorf("%.60q is not a dictionary of descr, fortran_order and shape", s)
	}
	return descr, shape, nil
}

// npyString reads '…' without escapes.
func npyString(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", s, false
	}
	text, rest, ok = strings.Cut(s[1:], s[:1])
	return text, rest, ok && !strings.Contains(text, `\`)
}

// npyShape reads (20, 32).
func npyShape(s string) (shape []int, rest string, ok bool) {
	body, rest, closed := strings.Cut(s, ")")
	body, opened := strings.CutPrefix(body, "(")
	if !opened || !closed {
		return nil, s, false
	}
	shape = []int{}
	words := strings.Split(body, ",")
	for i, word := range words {
		word = strings.TrimSpace(word)
		if word == "" && i == len(words)-1 {
			break // after a trailing comma, or in an empty shape
		}
		d, err := strconv.ParseUint(word, 10, 31)
		if err != nil {
			return nil, s, false
		}
		shape = append(shape, int(d))
	}
	return shape, rest, true
}
