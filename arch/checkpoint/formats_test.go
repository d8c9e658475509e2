package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func f32(x ...float32) (b []byte) {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// parse opens bytes as OpenTensors opens a file.
func parse(b []byte) (*File, error) {
	f := newFile("memory", source{bytes.NewReader(b), int64(len(b))})
	return f, f.parse()
}

// safetensorsFile puts a header before the data.
func safetensorsFile(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func TestSafetensors(t *testing.T) {
	f, err := parse(safetensorsFile(`{"__metadata__":{"k":"v"},"b":{"shape":[2,1],"dtype":"F32","data_offsets":[0,8]},
		"a":{"dtype":"I16","shape":[],"data_offsets":[8,10]},"none":{"dtype":"F64","shape":[3,0],"data_offsets":[10,10]}}  `,
		append(f32(1, 2), 0xff, 0xff)))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.Tensors(), f.Metadata); got != "[{a I16 []} {b F32 [2 1]} {none F64 [3 0]}] map[k:v]" {
		t.Errorf("got %s", got)
	}
	b, _ := f.Float64("b")
	a, _ := f.Int64("a")
	if !slices.Equal(b, []float64{1, 2}) || !slices.Equal(a, []int64{-1}) {
		t.Errorf("b = %v, a = %v, want 1 2 and -1", b, a)
	}
	if _, err := f.Int64("b"); err == nil {
		t.Error("Int64 read a tensor of F32")
	}
	if _, err := f.Float32("c"); err == nil || !strings.Contains(err.Error(), `no tensor "c"`) {
		t.Errorf("an absent tensor: %v", err)
	}
	f.Close()
	if _, err := f.Float32("b"); err == nil {
		t.Error("a closed file gave a tensor")
	}
}

func TestSafetensorsMalformed(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	data := f32(1, 2)
	if _, err := parse(safetensorsFile("{"+a+"}", data)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		header string
		data   []byte
		want   string
	}{
		{"", nil, "not a safetensors"},
		{" {" + a + "}", data, "not a safetensors"},
		{"{" + a, data, "header: "},
		{"{" + a + "}}", data, "follows its JSON object"},
		{"{" + a + "}[]", data, "follows its JSON object"},
		{"{" + a + "," + a + "}", data, `key "a" occurs twice`},
		{`{"__metadata__":{"a":1}}`, nil, "is not a string"},
		{`{"__metadata__":{"a":"","a":""}}`, nil, `key "a" occurs twice`},
		{`{"a":[]}`, nil, `tensor "a": [ where { belongs`},
		{`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, data, `unknown key "x"`},
		{`{"a":{"dtype":"F32","shape":[2]}}`, data, "needs dtype, shape"},
		{`{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, data, `key "dtype" occurs twice`},
		{`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}`, data, "two data_offsets"},
		{`{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}`, data, `dtype "F8_E4M3" is not supported`},
		{`{"a":{"dtype":"F32","shape":null,"data_offsets":[0,8]}}`, data, "<nil> where [ belongs"},
		{`{"a":{"dtype":"F32","shape":[null],"data_offsets":[0,8]}}`, data, "is not a number"},
		{`{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, data, "not a whole number"},
		{`{"a":{"dtype":"F32","shape":[18446744073709551618],"data_offsets":[0,8]}}`, data, "not a whole number"},
		{`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, data, "impossible shape"},
		{`{"a":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}`, data, "impossible shape"},
		{`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, data, "needs 12 bytes, data_offsets give 8"},
		{`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, data, "outside the 8 bytes"},
		{`{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}`, data, "outside the 8 bytes"},
		{"{" + a + "}", data[:7], "outside the 7 bytes"},
		{"{" + a + "}", append(data, 0), "1 bytes follow"},
		{"{" + a + `,"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, data, "the one before ends at 8"},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, data, "the one before ends at 0"},
	} {
		_, err := parse(safetensorsFile(c.header, c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.header, err, c.want)
		}
	}
	huge := safetensorsFile("{}", nil)
	binary.LittleEndian.PutUint64(huge, math.MaxUint64)
	for _, b := range [][]byte{nil, huge, huge[:7]} {
		if _, err := parse(b); err == nil {
			t.Errorf("%d bytes were taken for a model file", len(b))
		}
	}
}

func TestOpenTensorsErrors(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		empty:                        "0 bytes are no model file",
		dir:                          "is a folder and should be a file",
		filepath.Join(dir, "absent"): "no such file",
	} {
		if _, err := OpenTensors(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// i32 writes the numbers of an rwkv.cpp file.
func i32(x ...int) (b []byte) {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, uint32(int32(v)))
	}
	return b
}

func rwkvCppTensor(name string, dtype int, data []byte, dims ...int) []byte {
	b := i32(append([]int{len(dims), len(name), dtype}, dims...)...)
	return append(append(b, name...), data...)
}

func rwkvCppFile(tensors ...[]byte) []byte {
	return slices.Concat(append([][]byte{i32(rwkvCppMagic, 100, 2, 1, 1, 0)}, tensors...)...)
}

func TestRWKVCpp(t *testing.T) {
	f, err := parse(rwkvCppFile(
		rwkvCppTensor("m", 0, f32(1, 2, 3, 4, 5, 6), 3, 2),
		rwkvCppTensor("h", 1, []byte{0, 0x3c, 0, 0xc0}, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.Tensors(), " ", f.Metadata["n_vocab"]); got != "[{h F16 [2]} {m F32 [2 3]}] 2" {
		t.Errorf("got %s", got)
	}
	if h, _ := f.Float32("h"); !slices.Equal(h, []float32{1, -2}) {
		t.Errorf("h = %v, want 1 -2", h)
	}
	for want, b := range map[string][]byte{
		"file version 99":                i32(rwkvCppMagic, 99, 2, 1, 1, 0),
		"cut short":                      i32(rwkvCppMagic, 100, 2, 1),
		`tensor "h": cut short`:          rwkvCppFile(rwkvCppTensor("h", 0, f32(1), 2)),
		`tensor "h" occurs twice`:        rwkvCppFile(rwkvCppTensor("h", 0, f32(1), 1), rwkvCppTensor("h", 0, f32(1), 1)),
		"the blocks of file version 100": rwkvCppFile(rwkvCppTensor("h", 2, make([]byte, 18), 32)),
		"are not whole blocks of 32":     rwkvCppFile(rwkvCppTensor("h", 2, make([]byte, 18), 31)),
		"data type 5 is not supported":   rwkvCppFile(rwkvCppTensor("h", 5, nil, 32)),
		"impossible shape [-1]":          rwkvCppFile(rwkvCppTensor("h", 0, nil, -1)),
		"impossible shape [2147483647":   rwkvCppFile(rwkvCppTensor("h", 0, nil, math.MaxInt32, math.MaxInt32, math.MaxInt32)),
		"a tensor of 4 dims":             rwkvCppFile(rwkvCppTensor("h", 0, nil, 1, 1, 1, 1)),
		"a name of 0 bytes":              rwkvCppFile(rwkvCppTensor("", 0, nil, 1)),
		"a name of 2147483647 bytes":     rwkvCppFile(i32(1, math.MaxInt32, 0)),
	} {
		if _, err := parse(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestRWKVCppModel opens a model of C=1, ffn 1, V=2 whose parts may disagree.
func TestRWKVCppModel(t *testing.T) {
	one := f32(1)
	model := func(layers int, decay float32, more ...[]byte) []byte {
		list := [][]byte{
			i32(rwkvCppMagic, 101, 2, 1, layers, 0),
			rwkvCppTensor("emb.weight", 0, f32(1, 2), 1, 2), rwkvCppTensor("head.weight", 0, f32(1, 2), 1, 2),
			rwkvCppTensor("blocks.0.att.time_decay", 0, f32(decay), 1),
		}
		for _, name := range []string{"att.key", "att.value", "att.receptance", "att.output", "ffn.key", "ffn.receptance", "ffn.value"} {
			list = append(list, rwkvCppTensor("blocks.0."+name+".weight", 0, one, 1, 1))
		}
		return slices.Concat(append(list, more...)...)
	}
	for want, b := range map[string][]byte{
		"":                                       model(1, -1),
		"n_layer is 3, the tensors say layers 1": model(3, -1),
		"time_decay\": element 0 is 0.5":         model(1, 0.5),
		`unexpected tensor "blocks.0.att.k"`:     model(1, -1, rwkvCppTensor("blocks.0.att.k", 0, one, 1)),
		`there is no layer 1, and there is tensor "blocks.7.ln1.weight"`: model(2, -1, rwkvCppTensor("blocks.7.ln1.weight", 0, one, 1)),
	} {
		f, err := parse(b)
		var w *Weights
		if err == nil {
			w, err = f.weights("absent")
		}
		if err == nil {
			_, err = w.Float32("blocks.0.att.time_decay")
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestRawDecay(t *testing.T) {
	x := []float32{-1, float32(-math.Exp(-5)), float32(-math.E)}
	if err := rawDecay(x); err != nil || x[0] != 0 || math.Abs(float64(x[1]+5)) > 1e-6 || math.Abs(float64(x[2]-1)) > 1e-6 {
		t.Errorf("%v %v, want 0 -5 1", x, err)
	}
	for _, v := range []float32{0, 1, float32(math.NaN())} {
		if rawDecay([]float32{v}) == nil {
			t.Errorf("a decay of %v was accepted", v)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		dtype string
		bytes []byte
		want  float64
	}{
		{"F64", binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1)), 0.1},
		{"F32", f32(-3.5), -3.5},
		{"BF16", []byte{0x49, 0x40}, 3.140625},
		{"F16", []byte{0xff, 0x7b}, 65504},
		{"F16", []byte{0x01, 0x80}, -math.Ldexp(1, -24)},
		{"F16", []byte{0xff, 0x03}, math.Ldexp(1023, -24)},
		{"F16", []byte{0x00, 0x04}, math.Ldexp(1, -14)},
		{"F16", []byte{0x00, 0xfc}, math.Inf(-1)},
		{"I64", binary.LittleEndian.AppendUint64(nil, 1<<63), math.MinInt64},
		{"I32", i32(-7), -7},
		{"I16", []byte{0, 0x80}, -32768},
		{"I8", []byte{0x80}, -128},
		{"U8", []byte{0x80}, 128},
		{"BOOL", []byte{2}, 1},
	} {
		var got [1]float64
		decode(got[:], c.bytes, c.dtype)
		if got[0] != c.want {
			t.Errorf("%s %x: %v, want %v", c.dtype, c.bytes, got[0], c.want)
		}
	}
	if v := fromHalf(0x7e00); v == v {
		t.Errorf("half NaN is %v", v)
	}
	if v := fromHalf(0x8000); v != 0 || !math.Signbit(float64(v)) {
		t.Errorf("half -0 is %v", v)
	}
}

// TestRWKVCpp5 reads a version 5.1 file, which holds exponentials under axes
// of length 1: the decay rates and the bonus are what they were before.
func TestRWKVCpp5(t *testing.T) {
	const C, H = 4, 2
	zeros := func(n int) []byte { return make([]byte, 4*n) }
	list := [][]byte{i32(rwkvCppMagic, 101, 3, C, 1, 0),
		rwkvCppTensor("emb.weight", 0, zeros(3*C), C, 3), rwkvCppTensor("head.weight", 0, zeros(3*C), C, 3),
		rwkvCppTensor("blocks.0.att.time_decay", 0, f32(float32(math.Exp(-math.Exp(-3))), 1), 1, 1, H),
		rwkvCppTensor("blocks.0.att.time_first", 0, f32(float32(math.Exp(0.5)), 0), 1, 1, H)}
	for _, name := range []string{"att.key", "att.value", "att.receptance", "att.output", "ffn.key", "ffn.receptance", "ffn.value"} {
		list = append(list, rwkvCppTensor("blocks.0."+name+".weight", 0, zeros(C*C), C, C))
	}
	list = append(list, rwkvCppTensor("blocks.0.att.ln_x.weight", 0, zeros(C), C))
	f, err := parse(slices.Concat(list...))
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.weights("absent")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"dim": C, "layers": 1, "vocab": 3, "ffn": C, "head_size": 2, "per_head": true, "exp_bonus": true, "output_gate": "off", "group_norm_eps": 1e-5}
	if w.Arch != "rwkv5" || fmt.Sprint(w.Config) != fmt.Sprint(want) {
		t.Errorf("got %s %v, want %v", w.Arch, w.Config, want)
	}
	decay, err1 := w.Float32("blocks.0.att.time_decay")
	first, err2 := w.Float32("blocks.0.att.time_first")
	if err1 != nil || err2 != nil || math.Abs(float64(decay[0])+3) > 1e-5 || decay[1] != -20 || math.Abs(float64(first[0])-0.5) > 1e-6 || first[1] != -100 {
		t.Errorf("decay %v %v, bonus %v %v; want -3 -20, 0.5 -100", decay, err1, first, err2)
	}
	if rawDecayRate([]float32{1.5}) == nil || rawBonus([]float32{-1}) == nil {
		t.Error("values that no exponential has were accepted")
	}
}
