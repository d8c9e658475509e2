package checkpoint

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/nlpodyssey/gopickle/types"
)

// modelKeys are where training checkpoints keep the weights.
var modelKeys = []string{"model", "state_dict", "model_state_dict"}

// parseTorch reads a torch.save zip: <folder>/data.pkl, a pickle of names and
// views, and the raw little-endian storages <folder>/data/<key>.
func (f *File) parseTorch(b []byte) error {
	entries, folder, err := zipEntries(b)
	if err != nil {
		return err
	}
	program := entries[path.Join(folder, "data.pkl")]
	if len(program) > maxPickle {
		return fmt.Errorf("data.pkl has %d bytes, at most %d are read", len(program), maxPickle)
	}
	value, err := unpickle(program)
	if err != nil {
		return fmt.Errorf("data.pkl: %w", err)
	}
	top, err := items(value)
	if err != nil {
		return fmt.Errorf("data.pkl: %w", err)
	}
	dict := top
	for _, key := range modelKeys {
		if inner, err := items(top.get(key)); err == nil {
			dict = inner
			f.plain("", top)
			if args, err := items(top.get("model_args")); err == nil { // nanoGPT
				f.plain("model_args.", args)
			}
			break
		}
	}
	for _, it := range dict {
		if v, ok := it.value.(*view); ok {
			t, err := v.stored(it.key, entries[path.Join(folder, "data", v.of.key)])
			if err == nil {
				err = f.add(t)
			}
			if err != nil {
				return err
			}
		}
	}
	if len(f.tensors) == 0 {
		return errors.New("holds no tensors: save the model's state_dict")
	}
	return nil
}

// zipEntries slices the files out of a zip, and names the folder of data.pkl.
func zipEntries(b []byte) (entries map[string][]byte, folder string, err error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, "", err
	}
	entries = map[string][]byte{}
	found := 0
	for _, e := range z.File {
		if _, ok := entries[e.Name]; ok {
			return nil, "", fmt.Errorf("entry %.80q occurs twice", e.Name)
		}
		at, err := e.DataOffset()
		if err != nil {
			return nil, "", fmt.Errorf("entry %.80q: %w", e.Name, err)
		}
		if e.Method != zip.Store || e.CompressedSize64 != e.UncompressedSize64 {
			return nil, "", fmt.Errorf("entry %.80q is compressed: re-save with torch.save, which stores", e.Name)
		}
		if at > int64(len(b)) || e.UncompressedSize64 > uint64(int64(len(b))-at) {
			return nil, "", fmt.Errorf("entry %.80q is cut short", e.Name)
		}
		data := b[at : at+int64(e.UncompressedSize64)]
		entries[e.Name] = data
		switch dir, base := path.Split(e.Name); {
		case base == "data.pkl":
			folder, found = path.Clean(dir), found+1
		case base == "constants.pkl":
			return nil, "", errors.New("a TorchScript file: save the model's state_dict")
		case base == "byteorder" && string(data) != "little":
			return nil, "", errors.New("not little-endian")
		}
	}
	if found != 1 {
		return nil, "", fmt.Errorf("a zip with %d entries data.pkl is not of torch.save", found)
	}
	return entries, folder, nil
}

// stored finds the bytes of a view.
func (v *view) stored(name string, data []byte) (*stored, error) {
	size := elementSize[v.of.dtype]
	if len(data)%size != 0 || len(data)/size != v.of.len {
		return nil, fmt.Errorf("tensor %.80q: storage %.20q has %d bytes and should have %d elements %s",
			name, v.of.key, len(data), v.of.len, v.of.dtype)
	}
	t := &stored{Tensor: Tensor{Name: name, DType: v.of.dtype, Shape: v.shape}, strides: v.strides}
	n, dense, step := t.len(), true, 1
	for i := len(v.shape) - 1; i >= 0; i-- {
		dense = dense && (v.shape[i] == 1 || v.strides[i] == step)
		step *= v.shape[i]
	}
	t.data = data[v.offset*size:]
	if dense || n == 0 {
		t.strides, t.data = nil, t.data[:n*size]
	}
	return t, nil
}

type item struct {
	key   string
	value any
}

type itemList []item

func (l itemList) get(key string) any {
	for _, it := range l {
		if it.key == key {
			return it.value
		}
	}
	return nil
}

// items lists the entries of a dictionary whose keys are strings.
func items(v any) (itemList, error) {
	var l itemList
	add := func(key, value any) {
		if s, ok := key.(string); ok {
			l = append(l, item{s, value})
		}
	}
	switch d := v.(type) {
	case *types.Dict:
		for _, e := range *d {
			add(e.Key, e.Value)
		}
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			add(entry.Key, entry.Value)
		}
	default:
		return nil, errors.New("not a dictionary of tensors: save the model's state_dict")
	}
	return l, nil
}

// plain keeps the strings, numbers and truth values of a dictionary.
func (f *File) plain(prefix string, l itemList) {
	for _, it := range l {
		switch v := it.value.(type) {
		case string:
			f.Metadata[prefix+it.key] = v
		case int:
			f.Metadata[prefix+it.key] = strconv.Itoa(v)
		case bool:
			f.Metadata[prefix+it.key] = strconv.FormatBool(v)
		case float64:
			f.Metadata[prefix+it.key] = strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
}
