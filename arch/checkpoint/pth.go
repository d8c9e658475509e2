package checkpoint

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"

	"github.com/nlpodyssey/gopickle/types"
)

// modelKeys are the keys of the weights in training checkpoints.
var modelKeys = []string{"model", "state_dict", "model_state_dict"}

// parseTorch reads a torch.save zip: <folder>/data.pkl, a pickle of names and
// views, and the raw little-endian storages <folder>/data/<key>.
func (f *File) parseTorch(src source) error {
	entries, folder, err := zipEntries(src)
	if err != nil {
		return err
	}
	pkl := entries[path.Join(folder, "data.pkl")]
	if pkl.size > maxPickle {
		return fmt.Errorf("data.pkl has %d bytes, at most %d are read", pkl.size, maxPickle)
	}
	program, err := src.bytes(pkl.at, pkl.size)
	if err != nil {
		return err
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
		v, ok := it.value.(*pickled)
		if !ok {
			continue
		}
		e, ok := entries[path.Join(folder, "data", v.of.key)]
		if !ok {
			return fmt.Errorf("tensor %.80q: the zip has no entry for its storage %.20q", it.key, v.of.key)
		}
		t, err := v.stored(it.key, src, e)
		if err == nil {
			err = f.add(t)
		}
		if err != nil {
			return err
		}
	}
	if len(f.tensors) == 0 {
		return errors.New("holds no tensors: save the model's state_dict")
	}
	return nil
}

// member is the location of a file in a zip.
type member struct {
	name     string
	at, size int64
}

// zipEntries lists the files of a zip and finds the folder of data.pkl.
func zipEntries(src source) (entries map[string]member, folder string, err error) {
	z, err := zip.NewReader(src, src.size)
	if err != nil {
		return nil, "", err
	}
	entries = map[string]member{}
	var list []member
	found := 0
	for _, f := range z.File {
		e, err := zipEntry(f, src.size)
		if err != nil {
			return nil, "", fmt.Errorf("entry %.80q: %w", f.Name, err)
		}
		if _, ok := entries[e.name]; ok {
			return nil, "", fmt.Errorf("entry %.80q occurs twice", e.name)
		}
		entries[e.name], list = e, append(list, e)
		switch dir, base := path.Split(e.name); {
		case base == "data.pkl":
			folder, found = path.Clean(dir), found+1
		case base == "constants.pkl":
			return nil, "", errors.New("a TorchScript file: save the model's state_dict")
		case base == "byteorder":
			if b, err := src.bytes(e.at, min(e.size, 8)); err != nil || string(b) != "little" {
				return nil, "", errors.New("not little-endian")
			}
		}
	}
	if found != 1 {
		return nil, "", fmt.Errorf("a zip with %d entries data.pkl is not of torch.save", found)
	}
	return entries, folder, apart(list)
}

func zipEntry(f *zip.File, size int64) (member, error) {
	at, err := f.DataOffset()
	if err != nil {
		return member{}, err
	}
	if f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 {
		return member{}, errors.New("is compressed: re-save with torch.save, which stores")
	}
	if at > size || f.UncompressedSize64 > uint64(size-at) {
		return member{}, errShort
	}
	return member{f.Name, at, int64(f.UncompressedSize64)}, nil
}

// apart checks that entries of a zip do not overlap: a small file could
// otherwise claim any number of large tensors.
func apart(list []member) error {
	slices.SortFunc(list, func(a, b member) int { return cmp.Compare(a.at, b.at) })
	for i := 1; i < len(list); i++ {
		if a, b := list[i-1], list[i]; a.at+a.size > b.at {
			return fmt.Errorf("entries %.80q and %.80q overlap", a.name, b.name)
		}
	}
	return nil
}

// stored locates a tensor of a pickle in the file.
func (v *pickled) stored(name string, src source, e member) (*stored, error) {
	size := int64(dtypes[v.of.dtype].bytes)
	if e.size%size != 0 || e.size/size != int64(v.of.len) {
		return nil, fmt.Errorf("tensor %.80q: storage %.20q has %d bytes and should have %d elements %s",
			name, v.of.key, e.size, v.of.len, v.of.dtype)
	}
	t := &stored{Tensor: Tensor{Name: name, DType: v.of.dtype, Shape: v.shape}, src: src, at: e.at, n: v.of.len}
	n, dense, step := t.len(), true, 1
	for i := len(v.shape) - 1; i >= 0; i-- {
		dense = dense && (v.shape[i] == 1 || v.strides[i] == step)
		step *= v.shape[i]
	}
	if dense || n == 0 {
		t.at, t.n = e.at+int64(v.offset)*size, n
	} else {
		t.view = &view{v.offset, v.shape, v.strides}
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
