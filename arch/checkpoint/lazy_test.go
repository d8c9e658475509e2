package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch/nn"
	"workbench/kernels"
)

// bigFile is a safetensors file of n tensors of 1 MiB, most of it a hole.
func bigFile(t *testing.T, n int) string {
	t.Helper()
	header := map[string]any{}
	for i := range n {
		header[fmt.Sprintf("t%02d", i)] = map[string]any{"dtype": "F32", "shape": []int{512, 512}, "data_offsets": []int{i << 20, (i + 1) << 20}}
	}
	b, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "big.safetensors")
	if err := os.WriteFile(path, safetensorsFile(string(b), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(8+len(b)+n<<20)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCutWhileOpen truncates an open file: reading the missing part is an
// error, the rest can be read.
func TestCutWhileOpen(t *testing.T) {
	path := bigFile(t, 4)
	f := mustOpenTensors(t, path)
	if err := os.Truncate(path, 3<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Float32("t00"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"t02", "t03"} {
		if _, err := f.Float32(name); !errors.Is(err, errCut) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s of a cut file: %v", name, err)
		}
	}
}

// TestLazy checks that reading one tensor of a large file costs no more than
// that tensor.
func TestLazy(t *testing.T) {
	path := bigFile(t, 64)
	before := allocated()
	f, err := OpenTensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if cost := allocated() - before; cost > 1<<20 {
		t.Errorf("opening a file of 64 MiB allocates %d bytes", cost)
	}
	before = allocated()
	if _, err := f.Float32("t33"); err != nil {
		t.Fatal(err)
	}
	if cost := allocated() - before; cost > 3<<20 {
		t.Errorf("reading 1 MiB of 64 allocates %d bytes", cost)
	}
}

// TestAssignStored checks that matrices keep the types that kernels can read,
// and that other types are expanded.
func TestAssignStored(t *testing.T) {
	type model struct {
		Half *nn.Tensor `w:"half.weight"`
		Q8   *nn.Tensor `w:"q8.weight"`
		Q5   *nn.Tensor `w:"q5.weight"`
		Vec  *nn.Tensor `w:"vec"`
	}
	data := make([]byte, 128)
	copy(data, []byte{0, 0x3c, 0, 0x40, 0, 0xc0, 0, 0}) // 1, 2, -2, 0
	copy(data[32:], []byte{0, 0x3c, 0xff})              // d = 1, q = -1
	copy(data[96:], []byte{0, 0x3c})                    // d = 1, q = 0 - 16
	infos := [][]byte{ggufInfo("half.weight", 1, 0, 2, 2), ggufInfo("q8.weight", 8, 32, 32, 1), ggufInfo("q5.weight", 6, 96, 32, 1), ggufInfo("vec", 1, 0, 2)}
	for _, keep := range []bool{false, true} {
		f, err := parse(ggufFile(nil, slices.Delete(slices.Clone(infos), 3, 4), data))
		if err != nil {
			t.Fatal(err)
		}
		m := model{Half: nn.New(2, 2), Q8: nn.New(1, 32), Q5: nn.New(1, 32)}
		w := &Weights{tensors: f.tensors, file: f}
		if keep {
			err = AssignStored(&m, w)
		} else {
			err = Assign(&m, w)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !keep {
			if m.Half.Stored != nil || m.Q8.Stored != nil || m.Half.Data[2] != -2 || m.Q8.Data[0] != -1 || m.Q5.Data[0] != -16 {
				t.Errorf("expanded: %v %v %v", m.Half, m.Q8, m.Q5)
			}
			continue
		}
		row := make([]float32, 32)
		if m.Half.Stored == nil || m.Half.Stored.Type != kernels.F16 || m.Q8.Stored == nil || m.Q8.Stored.Type != kernels.Q8_0 || m.Q5.Stored != nil {
			t.Fatalf("kept: %v %v %v", m.Half, m.Q8, m.Q5)
		}
		if m.Q8.Stored.Row(row, 0); row[0] != -1 || m.Half.Data != nil || m.Q5.Data[0] != -16 {
			t.Errorf("kept: q8 %v, q5 %v", row[0], m.Q5.Data[0])
		}
	}
}

// TestAssignAs stores matrices as they are in the file, or from float32.
func TestAssignAs(t *testing.T) {
	type model struct {
		W *nn.Tensor `w:"w.weight"`
		V *nn.Tensor `w:"v,vector"`
	}
	x := make([]float32, 64)
	for i := range x {
		x[i] = float32(i) - 20
	}
	b := make([]byte, 2*34)
	if err := kernels.Blocks(b, kernels.Q8_0, x, 2, 32); err != nil {
		t.Fatal(err)
	}
	data := append(append(slices.Clone(b), make([]byte, 128-len(b))...), f32(1, 2)...)
	for _, as := range []kernels.DType{kernels.F32, kernels.F16, kernels.Q8_0, kernels.Q4_0} {
		f, err := parse(ggufFile(nil, [][]byte{ggufInfo("w.weight", 8, 0, 32, 2), ggufInfo("v", 0, 128, 1, 2)}, data))
		if err != nil {
			t.Fatal(err)
		}
		m, want := model{nn.New(2, 32), nn.New(2, 1)}, model{nn.New(2, 32), nn.New(2, 1)}
		if err := AssignAs(&m, &Weights{tensors: f.tensors, file: f}, as); err != nil {
			t.Fatal(err)
		}
		if err := Assign(&want, &Weights{tensors: f.tensors, file: f}); err != nil {
			t.Fatal(err)
		}
		if err := nn.Store(&want, as); err != nil {
			t.Fatal(err)
		}
		if (m.W.Stored == nil) != (as == kernels.F32) || m.V.Stored != nil || m.V.Data[1] != 2 {
			t.Errorf("%s: stored %v, vector %v", as, m.W.Stored, m.V)
		}
		g, h := make([]float32, 32), make([]float32, 32)
		for n := range 2 {
			if m.W.Stored == nil {
				g, h = m.W.Data, want.W.Data
			} else {
				m.W.Stored.Row(g, n)
				want.W.Stored.Row(h, n)
			}
			if !slices.Equal(g, h) || g[0] == 0 {
				t.Errorf("%s: row %d is %v, want %v", as, n, g, h)
			}
		}
	}
}

// TestNotFinite checks that NaN and infinite weights are refused in every type.
func TestNotFinite(t *testing.T) {
	type model struct {
		W *nn.Tensor `w:"w.weight"`
	}
	for name, c := range map[string]struct {
		kind  uint32
		block []byte
	}{
		"f32 NaN":   {0, f32(float32(math.NaN()))},
		"f16 Inf":   {1, []byte{0, 0xfc}},
		"bf16 NaN":  {30, []byte{0xc0, 0x7f}},
		"q8_0 Inf":  {8, []byte{0, 0x7c, 1}},
		"q4_0 NaN":  {2, []byte{1, 0x7c, 1}},
		"q6_K NaN":  {14, append(make([]byte, 208), 0xff, 0x7f)},
		"f64 large": {28, u64(math.Float64bits(1e300))},
	} {
		d := dtypes[ggufTypes[c.kind]]
		data := append(slices.Clone(c.block), make([]byte, 256)...)
		f, err := parse(ggufFile(nil, [][]byte{ggufInfo("w.weight", c.kind, 0, uint64(d.elems), 1)}, data))
		if err != nil {
			t.Fatal(err)
		}
		for _, assign := range []func(any, *Weights) error{Assign, AssignStored} {
			err := assign(&model{nn.New(1, d.elems)}, &Weights{tensors: f.tensors, file: f})
			if err == nil || !strings.Contains(err.Error(), `tensor "w.weight"`) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestBFloat16Finite checks that large bf16 weights are not mistaken for
// infinities.
func TestBFloat16Finite(t *testing.T) {
	if err := finiteBlocks([]byte{0x7f, 0x7f, 0, 0x3f}, dtypes["BF16"]); err != nil {
		t.Error(err)
	}
	if err := finiteBlocks([]byte{0, 0x3f, 0x80, 0xff}, dtypes["BF16"]); err == nil {
		t.Error("-Inf was accepted")
	}
}

// shardFiles writes two shards of a tensor each, and an index.
func shardFiles(t testing.TB, index string) string {
	t.Helper()
	dir := t.TempDir()
	one := func(name string) []byte {
		return safetensorsFile(`{"`+name+`":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, f32(7))
	}
	for name, b := range map[string][]byte{
		"model-00001-of-00002.safetensors": one("a"),
		"model-00002-of-00002.safetensors": one("b"),
		"model.safetensors.index.json":     []byte(index),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestShards(t *testing.T) {
	const first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	for _, c := range []struct{ index, want string }{
		{`{"metadata":{"total_size":8},"weight_map":{"a":"` + first + `","b":"` + second + `"}}`, ""},
		{`{"weight_map":{"a":"` + first + `","b":"` + first + `"}}`, `does not hold tensor "b"`},
		{`{"weight_map":{"a":"` + second + `"}}`, `holds tensor "b", which the index does not put there`},
		{`{"weight_map":{"a":"` + first + `"}}`, `the index names 1 files, and shard "` + first + `" is one of 00002`},
		{`{"weight_map":{"a":"model-00003-of-00003.safetensors"}}`, "no such file"},
		{`{"weight_map":{"a":"../` + first + `"}}`, "outside the folder"},
		{`{"weight_map":{"a":"/etc/passwd"}}`, "outside the folder"},
		{`{"weight_map":{"a":""}}`, "outside the folder"},
		{`{"weight_map":{"a":"model.safetensors.index.json"}}`, "not a safetensors"},
		{`{"weight_map":{"a":"."}}`, "is a folder and should be a file"},
		{`{"weight_map":{}}`, "without a weight_map"},
		{`{"weight_map":{"a":1}}`, "index: "},
		{`{"weight_map":`, "index: "},
	} {
		path := filepath.Join(shardFiles(t, c.index), "model.safetensors.index.json")
		f, err := OpenTensors(path)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path) {
				t.Errorf("%s: %v, want %q", c.index, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if x, err := f.Float32("b"); err != nil || x[0] != 7 || !slices.Equal(f.Names(), []string{"a", "b"}) {
			t.Errorf("%v %v of %v", x, err, f.Names())
		}
		f.Close()
	}
}
