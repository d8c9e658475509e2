package checkpoint

import (
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"
)

// allocated is the number of bytes allocated since the program started.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// fuzz opens bytes as every caller would. Whatever they are, an error or a
// model must come of it, at a cost in proportion.
func fuzz(t *testing.T, b []byte) {
	before := allocated()
	f, err := parse(b)
	if err == nil {
		for _, x := range f.Tensors() {
			if n, err := elements(x.Shape); err != nil || n > len(b) {
				t.Fatalf("%s has shape %v in a file of %d bytes", x.Name, x.Shape, len(b))
			}
		}
		if w, err := f.weights("absent"); err == nil {
			for _, name := range w.Names() {
				x, err := w.Float32(name)
				if n, err2 := elements(w.Shape(name)); err == nil && (err2 != nil || n != len(x)) {
					t.Fatalf("%s has shape %v and %d values", name, w.Shape(name), len(x))
				}
			}
		}
	}
	// Note: one byte of a pickle can make an empty dictionary.
	if cost := allocated() - before; cost > 1<<20+512*uint64(len(b)) {
		t.Fatalf("%d bytes were allocated for a file of %d", cost, len(b))
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

// FuzzTorch varies the pickle program: the checksums of a zip would stop most
// changes to the file.
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
