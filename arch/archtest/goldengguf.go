package archtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"workbench/arch/checkpoint"
)

// goldenBlocks compares tensors of every block type with their expected values.
func goldenBlocks(r *Result, dir string, _ Options) error {
	models, err := filepath.Glob(filepath.Join(dir, "*.gguf"))
	if err != nil {
		return err
	}
	expected, err := filepath.Glob(filepath.Join(dir, "*"+expectedSuffix))
	if err != nil {
		return err
	}
	if len(models) != 1 || len(expected) != 1 {
		return fmt.Errorf("%s holds %d .gguf and %d %s, and should hold one of each", dir, len(models), len(expected), expectedSuffix)
	}
	f, err := checkpoint.OpenTensors(models[0])
	if err != nil {
		return err
	}
	defer f.Close()
	want, err := checkpoint.OpenTensors(expected[0])
	if err != nil {
		return err
	}
	defer want.Close()
	if !slices.Equal(f.Names(), want.Names()) {
		return fmt.Errorf("tensors %v, want %v", f.Names(), want.Names())
	}
	for _, name := range want.Names() {
		if !slices.Equal(f.Shape(name), want.Shape(name)) {
			return fmt.Errorf("%s has shape %v, want %v", name, f.Shape(name), want.Shape(name))
		}
		if err := r.values(f, want, name); err != nil {
			return err
		}
	}
	return nil
}

// containerCase describes the contents of GGUF files, and lists malformed ones.
type containerCase struct {
	Metadata []struct {
		Key, Type string
		Value     json.RawMessage
	}
	Files map[string]struct {
		Keys    string `json:"ggml_gguf_init"` // "ok kv=19 tensors=9 …"
		Tensors []struct {
			Name, Type string
			Dims       []int `json:"dims_as_stored"`
		}
	}
	Malformed []struct {
		Name, Why string
		Init      string `json:"ggml_gguf_init"`
		Bytes     []byte `json:"bytes_base64"`
	}
}

// isContainerCase reports whether a folder is such a case: it has malformed
// files.
func isContainerCase(dir string) bool {
	var c containerCase
	return readJSON(filepath.Join(dir, "cases.json"), &c) == nil && (len(c.Malformed) > 0 || len(c.Files) > 0)
}

// goldenContainer compares metadata and tensors of GGUF files, and checks that
// every malformed file is refused.
func goldenContainer(r *Result, dir string, _ Options) error {
	var c containerCase
	if err := readJSON(filepath.Join(dir, "cases.json"), &c); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		if err := r.container(dir, name, &c); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	accepted := 0
	for _, m := range c.Malformed {
		err := refused(m.Bytes)
		if err != nil && !strings.HasPrefix(m.Init, "ok") {
			accepted++
			r.Error = fmt.Sprintf("malformed %s (%s): %v", m.Name, m.Why, err)
		}
	}
	r.within("malformed_accepted", float64(accepted), 0, dir)
	return nil
}

// container compares one file.
func (r *Result) container(dir, name string, c *containerCase) error {
	f, err := checkpoint.OpenTensors(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	want := c.Files[name]
	if _, list, ok := strings.Cut(want.Keys, "kv="); ok {
		n, _, _ := strings.Cut(list, " ")
		if keys := f.Keys(); strconv.Itoa(len(keys)) != n {
			return fmt.Errorf("%d keys, want %s", len(keys), n)
		}
		if len(f.Keys()) >= len(c.Metadata) {
			for _, m := range c.Metadata {
				if err := sameValue(f, m.Key, m.Type, m.Value); err != nil {
					return err
				}
			}
		}
	}
	tensors := f.Tensors()
	if len(tensors) != len(want.Tensors) {
		return fmt.Errorf("%d tensors, want %d", len(tensors), len(want.Tensors))
	}
	if len(tensors) == 0 {
		return nil
	}
	for _, w := range want.Tensors {
		shape := slices.Clone(w.Dims)
		slices.Reverse(shape)
		i := slices.IndexFunc(tensors, func(t checkpoint.Tensor) bool { return t.Name == w.Name })
		if i < 0 || tensors[i].DType != w.Type || !slices.Equal(tensors[i].Shape, shape) {
			return fmt.Errorf("tensor %s is not there as %s %v", w.Name, w.Type, shape)
		}
	}
	return r.tensors(f, filepath.Join(dir, "expected.safetensors"), false)
}

// ggufKinds are the Go types of metadata values.
var ggufKinds = map[string]reflect.Type{
	"u8": reflect.TypeFor[uint8](), "i8": reflect.TypeFor[int8](), "u16": reflect.TypeFor[uint16](), "i16": reflect.TypeFor[int16](),
	"u32": reflect.TypeFor[uint32](), "i32": reflect.TypeFor[int32](), "u64": reflect.TypeFor[uint64](), "i64": reflect.TypeFor[int64](),
	"f32": reflect.TypeFor[float32](), "f64": reflect.TypeFor[float64](), "bool": reflect.TypeFor[bool](), "string": reflect.TypeFor[string](),
}

// sameValue compares a metadata value with its description in JSON.
func sameValue(f *checkpoint.File, key, kind string, want json.RawMessage) error {
	got, err := f.Value(key)
	if err != nil {
		return err
	}
	item, isArray := strings.CutPrefix(kind, "array of ")
	list, raw := []any{got}, []json.RawMessage{want}
	if isArray {
		var ok bool
		if list, ok = got.([]any); !ok {
			return fmt.Errorf("%s is %T, want %s", key, got, kind)
		}
		raw = nil
		if err := json.Unmarshal(want, &raw); err != nil {
			return err
		}
	}
	if len(list) != len(raw) {
		return fmt.Errorf("%s has %d items, want %d", key, len(list), len(raw))
	}
	for i, v := range list {
		w := reflect.New(ggufKinds[item])
		text := raw[i]
		if w.Elem().CanInt() || w.Elem().CanUint() {
			text = json.RawMessage(strings.Trim(string(text), `"`)) // numbers beyond 2^53 are strings
		}
		if err := json.Unmarshal(text, w.Interface()); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if v != w.Elem().Interface() {
			return fmt.Errorf("%s is %v (%T), want %s of type %s", key, v, v, text, item)
		}
	}
	return nil
}

// refused is an error unless opening bytes as a model file fails.
func refused(b []byte) error {
	f, err := os.CreateTemp("", "malformed")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	open, err := checkpoint.OpenTensors(f.Name())
	if err != nil {
		return nil
	}
	open.Close()
	return fmt.Errorf("was accepted")
}
