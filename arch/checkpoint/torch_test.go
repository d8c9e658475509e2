package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The pieces of a torch pickle, as torch.save writes them (protocol 2).
const (
	pickleStart = "\x80\x02"
	orderedDict = "ccollections\nOrderedDict\n)R"
)

func pickleString(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func pickleInt(n int) string {
	return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(int32(n))))
}

func pickleInts(list ...int) string {
	s := "("
	for _, n := range list {
		s += pickleInt(n)
	}
	return s + "t"
}

// pickleTensor is a view of the float32 storage data/<key>.
func pickleTensor(key string, elements, offset int, shape, strides []int) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickleString("storage") + "ctorch\nFloatStorage\n" +
		pickleString(key) + pickleString("cpu") + pickleInt(elements) + "tQ" + pickleInt(offset) +
		pickleInts(shape...) + pickleInts(strides...) + "\x89" + orderedDict + "tR"
}

type entry struct {
	name, data string
	method     uint16
}

func zipOf(entries ...entry) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		if err == nil {
			_, err = w.Write([]byte(e.data))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// torchFile holds one storage of the numbers 0 to 11.
func torchFile(program string) []byte {
	data := ""
	for i := range 12 {
		data += string(f32(float32(i)))
	}
	return zipOf(entry{name: "m/data.pkl", data: program}, entry{name: "m/data/0", data: data})
}

func torchDict(items ...string) string {
	return pickleStart + "}(" + strings.Join(items, "") + "u."
}

func TestTorchViews(t *testing.T) {
	for _, c := range []struct {
		offset         int
		shape, strides []int
		want           []float32
	}{
		{0, []int{2, 3}, []int{3, 1}, []float32{0, 1, 2, 3, 4, 5}},
		{1, []int{3, 2}, []int{1, 4}, []float32{1, 5, 2, 6, 3, 7}},
		{11, []int{}, []int{}, []float32{11}},
		{0, []int{0, 5}, []int{5, 1}, []float32{}},
		{2, []int{2, 1, 2}, []int{5, 77, 2}, []float32{2, 4, 7, 9}},
		{0, []int{2, 2, 2}, []int{6, 3, 1}, []float32{0, 1, 3, 4, 6, 7, 9, 10}},
	} {
		f, err := parse(torchFile(torchDict(pickleString("x"), pickleTensor("0", 12, c.offset, c.shape, c.strides))))
		if err != nil {
			t.Errorf("%v %v: %v", c.shape, c.strides, err)
			continue
		}
		if got, _ := f.Float32("x"); !slices.Equal(got, c.want) || !slices.Equal(f.Shape("x"), c.shape) {
			t.Errorf("%v %v: got %v %v, want %v", c.shape, c.strides, f.Shape("x"), got, c.want)
		}
	}
}

func TestTorchMalformed(t *testing.T) {
	dense := pickleTensor("0", 12, 0, []int{12}, []int{1})
	good := torchDict(pickleString("x"), dense)
	if _, err := parse(torchFile(good)); err != nil {
		t.Fatal(err)
	}
	tensor := func(elements, offset int, shape, strides []int) []byte {
		return torchFile(torchDict(pickleString("x"), pickleTensor("0", elements, offset, shape, strides)))
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"class", torchFile(pickleStart + "cos\nsystem\n" + pickleString("true") + "\x85R."), `class "system" of module "os" is not allowed`},
		{"opcode", torchFile(pickleStart + "\x93."), "opcode 0x93 at byte 2"},
		{"last opcode", torchFile(pickleStart + "\xff."), "opcode 0xff at byte 2"},
		{"huge string", torchFile(pickleStart + "X\xff\xff\xff\xff."), "cut short"},
		{"no stop", torchFile(pickleStart + "}"), "cut short"},
		{"after stop", torchFile(good + "}"), "1 bytes follow"},
		{"no pickle", torchFile(""), "cut short"},
		{"big pickle", torchFile(strings.Repeat("N0", maxPickle/2) + good), "at most"},
		{"odd items", torchFile(pickleStart + "}(Nu."), "malformed"},
		{"empty long", torchFile(pickleStart + "\x8a\x00."), "malformed"},
		{"build of a tensor", torchFile(pickleStart + dense + "}b."), "malformed"},
		{"list", torchFile(pickleStart + "]."), "not a dictionary"},
		{"no tensors", torchFile(torchDict(pickleString("x"), "N")), "no tensors"},
		{"twice", torchFile(torchDict(pickleString("x"), dense, pickleString("x"), dense)), `tensor "x" occurs twice`},
		{"storage too long", tensor(13, 0, []int{12}, []int{1}), `storage "0" has 48 bytes`},
		{"storage missing", torchFile(torchDict(pickleString("x"), pickleTensor("7", 12, 0, []int{12}, []int{1}))), `the zip has no entry for its storage "7"`},
		{"storage negative", tensor(-1, 0, []int{0}, []int{1}), "malformed storage"},
		{"outside", tensor(12, 1, []int{12}, []int{1}), "outside its storage of 12"},
		{"outside by stride", tensor(12, 0, []int{2, 3}, []int{10, 1}), "outside its storage"},
		{"negative offset", tensor(12, -1, []int{2}, []int{1}), "outside its storage"},
		{"negative stride", tensor(12, 11, []int{2}, []int{-1}), "outside its storage"},
		{"negative size", tensor(12, 0, []int{-2}, []int{1}), "impossible shape"},
		{"overflow", tensor(12, 0, []int{1 << 30, 1 << 30, 1 << 30}, []int{0, 0, 0}), "impossible shape"},
		{"expanded", tensor(12, 0, []int{1 << 30}, []int{0}), "outside its storage"},
		{"ranks", tensor(12, 0, []int{2}, []int{1, 1}), "wrong arguments"},
		{"not of torch", zipOf(entry{name: "a", data: "b"}), "0 entries data.pkl"},
		{"two models", zipOf(entry{name: "a/data.pkl", data: good}, entry{name: "b/data.pkl", data: good}), "2 entries data.pkl"},
		{"script", zipOf(entry{name: "a/constants.pkl"}), "TorchScript"},
		{"big-endian", zipOf(entry{name: "a/byteorder", data: "big"}), "little-endian"},
		{"same entry", zipOf(entry{name: "a"}, entry{name: "a"}), "occurs twice"},
		{"deflated", zipOf(entry{"a/data.pkl", strings.Repeat("a", 100), zip.Deflate}), "compressed: re-save"},
		{"cut", torchFile(good)[:200], "zip"},
	} {
		_, err := parse(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestTorchOverlap checks that a zip with two entries over the same bytes is
// refused.
func TestTorchOverlap(t *testing.T) {
	b := zipOf(entry{name: "m/data/0", data: string(f32(1, 2))}, entry{name: "m/data/1", data: string(f32(1, 2))},
		entry{name: "m/data.pkl", data: torchDict(pickleString("x"), pickleTensor("0", 2, 0, []int{2}, []int{1}))})
	if _, err := parse(b); err != nil {
		t.Fatal(err)
	}
	directory := bytes.Index(b, []byte("PK\x01\x02"))
	second := directory + 4 + bytes.Index(b[directory+4:], []byte("PK\x01\x02"))
	copy(b[second+42:second+46], b[directory+42:directory+46]) // the offset of its local header
	if _, err := parse(b); err == nil || !strings.Contains(err.Error(), "overlap") {
		t.Errorf("two entries at one place: %v", err)
	}
}

// TestTorchCheckpoint checks that only the weights of a training checkpoint are
// read, and not its other tensors.
func TestTorchCheckpoint(t *testing.T) {
	dense := pickleTensor("0", 12, 0, []int{12}, []int{1})
	weights := orderedDict + "(" + pickleString("w") + "ctorch._utils\n_rebuild_parameter\n(" + dense + "\x88" + orderedDict + "tRu"
	for _, key := range modelKeys {
		f, err := parse(torchFile(torchDict(pickleString("best"), dense, pickleString(key), weights,
			pickleString("model_args"), "}("+pickleString("n_head")+"K\x06u", pickleString("lr"), "G\x3f\xe0\x00\x00\x00\x00\x00\x00")))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.Names(), []string{"w"}) || f.Metadata["model_args.n_head"] != "6" || f.Metadata["lr"] != "0.5" {
			t.Errorf("%s: got %v %v, want w, n_head 6 and lr 0.5", key, f.Names(), f.Metadata)
		}
	}
}

// TestNanoGPT reads a checkpoint of a compiled model, which stores its number
// of heads.
func TestNanoGPT(t *testing.T) {
	// C=1, V=2, context 3, ffn 2: every tensor begins at element 0
	var weights []string
	for name, shape := range map[string][]int{
		"wte.weight": {2, 1}, "wpe.weight": {3, 1}, "ln_f.weight": {1}, "h.0.ln_1.weight": {1}, "h.0.ln_2.weight": {1},
		"h.0.attn.c_attn.weight": {3, 1}, "h.0.attn.c_proj.weight": {1, 1}, "h.0.mlp.c_fc.weight": {2, 1}, "h.0.mlp.c_proj.weight": {1, 2},
		"h.0.attn.bias": {1, 1, 3, 3},
	} {
		strides := make([]int, len(shape))
		for i, step := len(shape)-1, 1; i >= 0; i-- {
			strides[i] = step
			step *= shape[i]
		}
		weights = append(weights, pickleString("_orig_mod.transformer."+name), pickleTensor("0", 12, 0, shape, strides))
	}
	head := func(offset int) []string {
		return append([]string{pickleString("_orig_mod.lm_head.weight"), pickleTensor("0", 12, offset, []int{2, 1}, []int{1, 1})}, weights...)
	}
	for _, c := range []struct {
		items []string
		tied  bool
	}{{head(0), true}, {head(5), false}, {weights, true}} {
		f, err := parse(torchFile(torchDict(pickleString("model"), "}("+strings.Join(c.items, "")+"u",
			pickleString("model_args"), "}("+pickleString("n_head")+"K\x01u")))
		if err != nil {
			t.Fatal(err)
		}
		w, err := f.weights("absent")
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"dim": 1, "layers": 1, "vocab": 2, "ffn": 2, "heads": 1, "context": 3,
			"positions": "learned", "activation": "gelu", "tied": c.tied, "bias": false}
		if fmt.Sprint(w.Config) != fmt.Sprint(want) || (w.Shape("lm_head.weight") == nil) != c.tied {
			t.Errorf("got %v of %v, want %v", w.Config, w.Names(), want)
		}
	}
}

// TestSharedStorage checks that a small file is refused whose tensors are all
// views of one storage and would fill the memory.
func TestSharedStorage(t *testing.T) {
	items := []string{}
	name := func(n string, shape, strides []int) {
		items = append(items, pickleString(n), pickleTensor("0", 1<<14, 0, shape, strides))
	}
	name("emb.weight", []int{128, 128}, []int{128, 1})
	name("head.weight", []int{128, 128}, []int{128, 1})
	for l := range 6 {
		for _, w := range []string{"att.key", "att.value", "att.receptance", "att.output", "ffn.key", "ffn.receptance", "ffn.value"} {
			name(fmt.Sprintf("blocks.%d.%s.weight", l, w), []int{128, 128}, []int{128, 1})
		}
	}
	f, err := parse(zipOf(entry{name: "m/data.pkl", data: torchDict(items...)}, entry{name: "m/data/0", data: string(make([]byte, 4<<14))}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.weights("absent"); err == nil || !strings.Contains(err.Error(), "bytes of weights in a file of") {
		t.Errorf("44 views of one storage: %v", err)
	}
}
