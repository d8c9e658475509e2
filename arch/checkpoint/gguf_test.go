package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func u32(x uint32) []byte { return binary.LittleEndian.AppendUint32(nil, x) }
func u64(x uint64) []byte { return binary.LittleEndian.AppendUint64(nil, x) }

func ggufText(s string) []byte { return append(u64(uint64(len(s))), s...) }

// ggufKV is a key with a value of a type.
func ggufKV(key string, kind uint32, value ...[]byte) []byte {
	return slices.Concat(append([][]byte{ggufText(key), u32(kind)}, value...)...)
}

// ggufArrayOf is an array's value.
func ggufArrayOf(kind uint32, items ...[]byte) []byte {
	return slices.Concat(append([][]byte{u32(kind), u64(uint64(len(items)))}, items...)...)
}

// ggufInfo is a tensor's entry, dims innermost first.
func ggufInfo(name string, kind uint32, offset uint64, dims ...uint64) []byte {
	b := slices.Concat(ggufText(name), u32(uint32(len(dims))))
	for _, d := range dims {
		b = append(b, u64(d)...)
	}
	return slices.Concat(b, u32(kind), u64(offset))
}

// ggufFile puts keys, entries and data, aligned to 32, together.
func ggufFile(keys, infos [][]byte, data []byte) []byte {
	b := slices.Concat([]byte("GGUF"), u32(3), u64(uint64(len(infos))), u64(uint64(len(keys))), slices.Concat(keys...), slices.Concat(infos...))
	for len(b)%32 != 0 {
		b = append(b, 0)
	}
	return append(b, data...)
}

func TestGGUF(t *testing.T) {
	data := append(f32(1, 2, 3, 4, 5, 6), make([]byte, 8)...)
	data = append(data, 0, 0x3c, 0xff, 1) // q8_0: d = 1, q = -1, 1, 0 …
	data = append(data, make([]byte, 30)...)
	b := ggufFile([][]byte{
		ggufKV("general.architecture", ggufString, ggufText("x")),
		ggufKV("n", 5, u32(math.MaxUint32)),
		ggufKV("list", ggufArray, ggufArrayOf(ggufString, ggufText("a"), ggufText(""))),
		ggufKV("empty", ggufArray, ggufArrayOf(6)),
	}, [][]byte{ggufInfo("m", 0, 0, 3, 2), ggufInfo("q", 8, 32, 32)}, data)
	f, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.Tensors(), f.Keys(), f.Metadata); got != "[{m F32 [2 3]} {q Q8_0 [32]}] [empty general.architecture list n] map[general.architecture:x n:-1]" {
		t.Errorf("got %s", got)
	}
	if v, err := f.Value("list"); err != nil || fmt.Sprintf("%#v", v) != `[]interface {}{"a", ""}` {
		t.Errorf("list is %#v, %v", v, err)
	}
	q, err := f.Float32("q")
	if err != nil || !slices.Equal(q[:3], []float32{-1, 1, 0}) {
		t.Errorf("q is %v, %v", q, err)
	}
	if x, err := f.Float64("q"); err != nil || x[0] != -1 || len(x) != 32 {
		t.Errorf("q as float64 is %v, %v", x, err)
	}
}

func TestGGUFMalformed(t *testing.T) {
	data := make([]byte, 64)
	kv := func(b ...[]byte) []byte { return ggufFile([][]byte{slices.Concat(b...)}, nil, nil) }
	tensors := func(infos ...[]byte) []byte { return ggufFile(nil, infos, data) }
	for want, b := range map[string][]byte{
		"version 1":                            slices.Concat([]byte("GGUF"), u32(1), u64(0), u64(0)),
		"other byte order":                     slices.Concat([]byte("GGUF"), u32(3<<24), u64(0), u64(0)),
		"header: cut short":                    slices.Concat([]byte("GGUF"), u32(3), u64(0)),
		"1152921504606846976 tensors":          slices.Concat([]byte("GGUF"), u32(3), u64(1<<60), u64(0)),
		"and 18446744073709551615 keys":        slices.Concat([]byte("GGUF"), u32(3), u64(0), u64(math.MaxUint64)),
		`"k" occurs twice`:                     ggufFile([][]byte{ggufKV("k", 0, []byte{1}), ggufKV("k", 0, []byte{1})}, nil, nil),
		"a text of 4611686018427387904 bytes":  kv(u64(1<<62), u32(0)),
		"a text of 1099511627776 bytes":        kv(ggufText("k"), u32(ggufString), u64(1<<40)),
		"value type 13 is unknown":             kv(ggufText("k"), u32(13), u64(0)),
		"array item type 77 is unknown":        kv(ggufText("k"), u32(ggufArray), u32(77), u64(0)),
		"arrays of arrays":                     kv(ggufText("k"), u32(ggufArray), u32(ggufArray), u64(0)),
		"an array of 2305843009213693952":      kv(ggufText("k"), u32(ggufArray), u32(5), u64(1<<61)),
		"array item 0 of 1073741824 bytes":     kv(ggufText("k"), u32(ggufArray), u32(ggufString), u64(1), u64(1<<30)),
		"general.alignment \"24\" is not a":    kv(ggufKV("general.alignment", 4, u32(24))),
		"general.alignment \"0\" is not a":     kv(ggufKV("general.alignment", 4, u32(0))),
		"general.alignment \"32\" is not":      kv(ggufKV("general.alignment", 10, u64(32))),
		"has 5 dimensions":                     tensors(ggufInfo("t", 0, 0, 1, 1, 1, 1, 1)),
		"has 2147483648 dimensions":            tensors(slices.Concat(ggufText("t"), u32(1<<31), make([]byte, 64))),
		"has a dimension of 1844674407370955":  tensors(ggufInfo("t", 0, 0, math.MaxUint64-6)),
		"impossible shape [5 4611686018427387": tensors(ggufInfo("t", 0, 0, 1<<62, 5)),
		"tensor type 200  is not supported":    tensors(ggufInfo("t", 200, 0, 1)),
		"tensor type 4  is not supported":      tensors(ggufInfo("t", 4, 0, 1)),
		"tensor type 9 Q8_1 is not supported":  tensors(ggufInfo("t", 9, 0, 32)),
		"not whole blocks of 32":               tensors(ggufInfo("t", 8, 0, 7)),
		"is no multiple of the alignment 32":   tensors(ggufInfo("t", 0, 4, 1)),
		"at offset 96 reach beyond":            tensors(ggufInfo("t", 0, 96, 1)),
		"is no multiple of the alignm":         tensors(ggufInfo("t", 0, math.MaxUint64, 1)),
		"68 bytes at offset 0 reach beyond":    tensors(ggufInfo("t", 0, 0, 17)),
		`tensors "a" and "b" overlap`:          tensors(ggufInfo("a", 0, 0, 16), ggufInfo("b", 0, 32, 1)),
		`tensor "t" occurs twice`:              tensors(ggufInfo("t", 0, 0, 1), ggufInfo("t", 0, 32, 1)),
		"GGUF tensor 0: cut short":             slices.Concat([]byte("GGUF"), u32(3), u64(1), u64(0), ggufText("t"), u32(1), u64(1)),
	} {
		f, err := parse(b)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, want)
		}
		f.Close()
	}
}

func TestVocabulary(t *testing.T) {
	tokens := ggufKV("tokenizer.ggml.tokens", ggufArray, ggufArrayOf(ggufString, ggufText("<s>"), ggufText("a"), ggufText("b")))
	kind := ggufKV("tokenizer.ggml.model", ggufString, ggufText("gpt2"))
	types := ggufKV("tokenizer.ggml.token_type", ggufArray, ggufArrayOf(5, u32(3), u32(1), u32(1)))
	for want, keys := range map[string][][]byte{
		"&{gpt2  [<s> a b] [3 1 1] [a b] -1 0 -1 -1 2} <nil>": {kind, tokens, types, ggufKV("tokenizer.ggml.eos_token_id", 4, u32(0)), ggufKV("tokenizer.ggml.padding_token_id", 4, u32(2)),
			ggufKV("tokenizer.ggml.merges", ggufArray, ggufArrayOf(ggufString, ggufText("a b")))},
		"<nil> <nil>":                       {kind},
		`the vocabulary is of kind "llama"`: {tokens, ggufKV("tokenizer.ggml.model", ggufString, ggufText("llama"))},
		"eot_token_id 3 is outside the 3":   {kind, tokens, ggufKV("tokenizer.ggml.eot_token_id", 4, u32(3))},
		"3 tokens and 1 token types":        {kind, tokens, ggufKV("tokenizer.ggml.token_type", ggufArray, ggufArrayOf(5, u32(1)))},
		"an array of type 4":                {kind, ggufKV("tokenizer.ggml.tokens", ggufArray, ggufArrayOf(4, u32(1)))},
		"is no array":                       {kind, ggufKV("tokenizer.ggml.tokens", 4, u32(1))},
	} {
		f, err := parse(ggufFile(keys, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		v, err := f.Vocabulary()
		if got := fmt.Sprint(v, err); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
