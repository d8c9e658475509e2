package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"

	"workbench/arch"
)

// allocated is the number of bytes allocated since the program started.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// fuzz opens bytes as callers do. Any bytes must give an error or a model, at a
// cost proportional to their number.
func fuzz(t *testing.T, b []byte) {
	// Note: one byte of a pickle can make an empty dictionary.
	limit := 1<<20 + 512*uint64(len(b))
	cost := openAll(t, b)
	for range 2 { // the counter covers the whole process: allocations of others do not repeat
		if cost > limit {
			cost = min(cost, openAll(t, b))
		}
	}
	if cost > limit {
		t.Fatalf("%d bytes were allocated for a file of %d", cost, len(b))
	}
}

// openAll opens bytes and reads everything in them, and returns the bytes
// allocated meanwhile.
func openAll(t *testing.T, b []byte) uint64 {
	before := allocated()
	f, err := parse(b)
	if err == nil {
		for _, x := range f.Tensors() {
			if n, err := elements(x.Shape); err != nil || n > 8*len(b) {
				t.Fatalf("%s has shape %v in a file of %d bytes", x.Name, x.Shape, len(b))
			}
		}
		if w, err := f.weights("absent"); err == nil {
			weigh(t, w)
		}
	}
	return allocated() - before
}

// weigh reads every weight.
func weigh(t *testing.T, w *Weights) {
	for _, name := range w.Names() {
		x, err := w.Float32(name)
		if n, err2 := elements(w.Shape(name)); err == nil && (err2 != nil || n != len(x)) {
			t.Fatalf("%s has shape %v and %d values", name, w.Shape(name), len(x))
		}
	}
}

func seed(f *testing.F, paths ...string) {
	dir := filepath.Join("..", "..", "..", "shared", "data")
	for _, p := range paths {
		if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p))); err == nil && len(b) < 1<<17 {
			f.Add(b)
		}
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(safetensorsFile(`{"__metadata__":{"arch":"rnn","config":"{\"dim\":1}"},"emb.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},
		"rnn.weight_hh_l0":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]},"rnn.weight_ih_l0":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]},
		"head.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[12,16]}}`, f32(1, 2, 3, 4)))
	seed(f, "golden/rnn/model.safetensors", "golden/pth_formats/dtypes.expected.safetensors")
	f.Fuzz(fuzz)
}

// FuzzTorch varies the pickle program alone: the checksums of a zip would
// reject most changes.
func FuzzTorch(f *testing.F) {
	f.Add([]byte(torchDict(pickleString("x"), pickleTensor("0", 12, 1, []int{3, 2}, []int{1, 4}))))
	f.Add([]byte(pickleStart + orderedDict + "(" + pickleString("emb.weight") + "ctorch._utils\n_rebuild_parameter\n(" +
		pickleTensor("0", 12, 0, []int{12}, []int{1}) + "\x88" + orderedDict + "tRu}" + pickleString("_metadata") + "}sb."))
	f.Add([]byte("(t1]a}se\x8a\x00"))
	f.Fuzz(func(t *testing.T, program []byte) { fuzz(t, torchFile(string(program))) })
}

func FuzzTorchZip(f *testing.F) {
	f.Add(torchFile(torchDict(pickleString("x"), pickleTensor("0", 12, 1, []int{3, 2}, []int{1, 4}))))
	seed(f, "golden/pth_formats/views.pth", "golden/pth_formats/nested_checkpoint.pth", "golden/rnn/model.pth")
	f.Fuzz(fuzz)
}

func FuzzRWKVCpp(f *testing.F) {
	f.Add(rwkvCppFile(rwkvCppTensor("emb.weight", 0, f32(1, 2), 1, 2), rwkvCppTensor("blocks.0.att.time_decay", 0, f32(-1), 1),
		rwkvCppTensor("blocks.0.ffn.key.weight", 1, []byte{0, 0}, 1, 1), rwkvCppTensor("blocks.0.att.receptance.weight", 1, []byte{0, 0}, 1, 1)))
	f.Fuzz(fuzz)
}

func FuzzGGUF(f *testing.F) {
	f.Add(ggufFile([][]byte{ggufKV("general.architecture", ggufString, ggufText("gpt2")), ggufKV("tokenizer.ggml.model", ggufString, ggufText("rwkv")),
		ggufKV("tokenizer.ggml.tokens", ggufArray, ggufArrayOf(ggufString, ggufText("a")))},
		[][]byte{ggufInfo("token_embd.weight", 8, 0, 32, 1), ggufInfo("blk.0.attn_qkv.weight", 0, 64, 1, 3)}, make([]byte, 96)))
	seed(f, "golden/gguf_container/kv_and_types.gguf", "golden/gguf_container/version2.gguf", "golden/gguf_blocks/model.gguf")
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzz(t, b)
		file, err := parse(b)
		if err != nil {
			return
		}
		for _, key := range file.Keys() {
			_, _ = file.Value(key)
		}
		_, _ = file.Vocabulary()
		for _, x := range file.Tensors() {
			_, _ = file.Float32(x.Name)
		}
	})
}

// FuzzBlocks reads blocks of every type.
func FuzzBlocks(f *testing.F) {
	for name := range dtypes {
		f.Add(name, []byte{0, 0x3c, 1, 2, 3, 0xff})
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		d, ok := dtypes[name]
		if !ok {
			return
		}
		b = append(b, make([]byte, d.bytes)...)
		n := len(b) / d.bytes * d.elems
		x, y := make([]float32, n), make([]float64, n)
		decode(x, b, name)
		decode(y, b, name)
		for i := range x {
			if name == "I64" { // rounded twice
				break
			}
			if v := float32(y[i]); v != x[i] && v == v {
				t.Fatalf("%s: element %d is %v as float32, %v as float64", name, i, x[i], y[i])
			}
		}
	})
}

// FuzzIndex varies the index of a model in shards.
func FuzzIndex(f *testing.F) {
	const first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	f.Add(`{"metadata":{"total_size":8},"weight_map":{"a":"` + first + `","b":"` + second + `"}}`)
	f.Add(`{"weight_map":{"a":"../x","b":"/dev/zero"}}`)
	dir := shardFiles(f, "")
	f.Fuzz(func(t *testing.T, index string) {
		x := newFile(filepath.Join(dir, "index"), source{strings.NewReader(index), int64(len(index))})
		defer x.Close()
		if err := x.parseIndex(x.src); err != nil {
			return
		}
		for _, name := range x.Names() {
			if _, err := x.Float32(name); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzConfigJSON varies the config.json beside a GPT-2 and a Llama.
func FuzzConfigJSON(f *testing.F) {
	f.Add(`{"model_type":"gpt2","n_head":1,"activation_function":"gelu_new","layer_norm_epsilon":1e-05}`)
	f.Add(`{"num_attention_heads":4,"num_key_value_heads":2,"head_dim":2,"rope_scaling":{"rope_type":"default"}}`)
	paths := []string{gptFile(f, true), llamaFile(f, "model.", "other", "{}")}
	path := filepath.Join(f.TempDir(), "config.json")
	f.Fuzz(func(t *testing.T, config string) {
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, model := range paths {
			file, err := OpenTensors(model)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = file.weights(filepath.Dir(path))
			file.Close()
		}
	})
}

// FuzzOwnMetadata varies the configuration and block types in a file that Save
// wrote.
func FuzzOwnMetadata(f *testing.F) {
	f.Add("rwkv4", rwkvConfig, "")
	f.Add("rwkv7", `{"dim":3,"head_size":1.5,"decay_rank":16777216}`, `{"emb.weight":"Q8_0"}`)
	f.Add("llama", `{"heads":-1}`, `{"head.weight":"F32"}`)
	f.Fuzz(func(t *testing.T, name, config, types string) {
		var b bytes.Buffer
		if err := write(&b, newRWKV(2, 1), map[string]string{"arch": name, "config": config, blocksKey: types}); err != nil {
			t.Fatal(err)
		}
		file, err := parse(b.Bytes())
		if err != nil {
			return
		}
		w, err := file.weights("absent")
		if err != nil {
			return
		}
		weigh(t, w)
		if m, _, err := arch.EmptyWithin(w.Arch, w.Config, w.Len()); err == nil {
			_ = Assign(m, w)
		}
	})
}
