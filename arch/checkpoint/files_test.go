package checkpoint_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
	_ "workbench/arch/rnn"
	_ "workbench/arch/rwkv"
	_ "workbench/arch/transformer"
)

// jittered builds a model and changes every weight.
func jittered(t *testing.T, name string, config map[string]any) (arch.Model, map[string]any) {
	t.Helper()
	m, resolved, err := arch.New(name, config, 1)
	if err != nil {
		t.Fatalf("%s %v: %v", name, config, err)
	}
	r := nn.Rand(7, name)
	nn.Walk(m, func(p nn.Param) {
		for i := range p.Tensor.Data {
			p.Tensor.Data[i] += 0.3 * float32(r.NormFloat64())
		}
	})
	return m, resolved
}

func save(t *testing.T, name string, m arch.Model, config map[string]any) string {
	t.Helper()
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := checkpoint.Save(path, m, map[string]string{"arch": name, "config": string(b)}); err != nil {
		t.Fatal(err)
	}
	return path
}

// comesBack opens a file and compares its weights with those of m, to the bit.
func comesBack(t *testing.T, what, path string, m arch.Model) *checkpoint.Weights {
	t.Helper()
	w, err := checkpoint.Open(path)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return nil
	}
	t.Cleanup(func() { w.Close() })
	got, _, err := arch.Empty(w.Arch, w.Config)
	if err == nil {
		err = checkpoint.Assign(got, w)
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return nil
	}
	data := map[string][]float32{}
	nn.Walk(got, func(p nn.Param) { data[p.Name] = p.Tensor.Data })
	nn.Walk(m, func(p nn.Param) {
		if !slices.Equal(p.Tensor.Data, data[p.Name]) {
			t.Errorf("%s: %s comes back as something else", what, p.Name)
		}
	})
	return w
}

var small = map[string]any{"dim": 32, "layers": 2, "vocab": 11}

func with(config map[string]any, key string, value any) map[string]any {
	c := maps.Clone(config)
	c[key] = value
	return c
}

// TestFilesOfEveryModel saves and opens every architecture, with every value
// of every setting that has named ones.
func TestFilesOfEveryModel(t *testing.T) {
	for _, name := range arch.Names() {
		configs := map[string]map[string]any{name: small}
		for _, o := range arch.Options(name) {
			values := []any{}
			for _, v := range o.Values {
				values = append(values, v)
			}
			if _, ok := o.Default.(bool); ok {
				values = append(values, true, false)
			}
			for _, v := range values {
				configs[fmt.Sprintf("%s with %s=%v", name, o.Key, v)] = with(small, o.Key, v)
			}
		}
		for what, config := range configs {
			m, resolved := jittered(t, name, config)
			w := comesBack(t, what, save(t, name, m, resolved), m)
			if w == nil {
				continue
			}
			if _, again, err := arch.Empty(w.Arch, w.Config); err != nil || fmt.Sprint(again) != fmt.Sprint(resolved) {
				t.Errorf("%s: configuration %v, was %v", what, again, resolved)
			}
		}
	}
}

// rewritten writes the tensors of a file under other names without metadata,
// transposed where turn is true.
func rewritten(t *testing.T, path string, rename func(string) string, turn func(string) bool) string {
	t.Helper()
	f, err := checkpoint.OpenTensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list checkpoint.Named
	for _, name := range f.Names() {
		x, err := f.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		to := rename(name)
		if to == "" {
			continue
		}
		p := nn.Param{Name: to, Tensor: &nn.Tensor{Shape: f.Shape(name), Data: x}}
		if n := len(p.Tensor.Shape); turn(name) && n >= 2 { // Save turns what is in-out back
			p.InOut = true
		}
		list = append(list, p)
	}
	out := filepath.Join(t.TempDir(), "renamed")
	if err := checkpoint.Save(out, list, nil); err != nil {
		t.Fatal(err)
	}
	return out
}

func never(string) bool { return false }

func same(s string) string { return s }

// TestOfficialNames reads a file of Save without metadata, like a file of
// another program.
func TestOfficialNames(t *testing.T) {
	for _, name := range []string{"rwkv4", "rwkv5", "rwkv6", "rwkv7"} {
		m, config := jittered(t, name, small)
		w := comesBack(t, name, rewritten(t, save(t, name, m, config), same, never), m)
		if w != nil && w.Arch != name {
			t.Errorf("%s is taken for %s", name, w.Arch)
		}
	}
	for key, value := range map[string]any{"per_head": true, "exp_bonus": true, "output_gate": "off"} {
		m, config := jittered(t, "rwkv5", with(with(small, "per_head", true), key, value))
		w := comesBack(t, key, rewritten(t, save(t, "rwkv5", m, config), same, never), m)
		if w != nil && (w.Config["per_head"] != true || w.Config[key] != value) {
			t.Errorf("%s: %v", key, w.Config)
		}
	}
}

func TestOfficialShapes(t *testing.T) {
	for name, want := range map[string]string{
		"rwkv4": "[32] [1 1 32]",
		"rwkv5": "[1 32] [1 1 32]",
		"rwkv6": "[1 1 32] [32 160] [5 32 32] [32 64] [64 32] [1 32]",
		"rwkv7": "[1 1 32] [32 32] [1 1 32] [1 32] [1 1 32]",
	} {
		m, config := jittered(t, name, with(with(small, "dim", 32), "vocab", 11))
		f, err := checkpoint.OpenTensors(save(t, name, m, config))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, part := range map[string][]string{
			"rwkv4": {"time_decay", "time_mix_k"}, "rwkv5": {"time_faaaa", "time_mix_g"},
			"rwkv6": {"time_maa_x", "time_maa_w1", "time_maa_w2", "time_decay_w1", "time_decay_w2", "time_faaaa"},
			"rwkv7": {"x_r", "w1", "w0", "r_k", "k_a"},
		}[name] {
			got = append(got, fmt.Sprint(f.Shape("blocks.1.att."+part)))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: shapes %s, want %s", name, got, want)
		}
		f.Close()
	}
}

// TestHuggingFaceNames reads RWKV-4 to 6 under the names of transformers.
func TestHuggingFaceNames(t *testing.T) {
	r := strings.NewReplacer("emb.", "embeddings.", ".ln0.", ".pre_ln.", ".att.", ".attention.", ".ffn.", ".feed_forward.",
		"time_mix_k", "time_mix_key", "time_mix_v", "time_mix_value", "time_mix_r", "time_mix_receptance", "time_mix_g", "time_mix_gate")
	for _, name := range []string{"rwkv4", "rwkv5", "rwkv6"} {
		m, config := jittered(t, name, small)
		comesBack(t, name, rewritten(t, save(t, name, m, config), func(s string) string {
			if s == "head.weight" {
				return s
			}
			return "rwkv." + r.Replace(s)
		}, never), m)
	}
}

var lora = regexp.MustCompile(`\.(time_maa_w[12]|time_decay_w[12]|[wavg][12])$`)

// TestWebRWKVNames reads RWKV-5 to 7 as web-rwkv converts them.
func TestWebRWKVNames(t *testing.T) {
	r := strings.NewReplacer("time_maa", "time_mix", "time_faaaa", "time_first")
	for _, name := range []string{"rwkv5", "rwkv6", "rwkv7"} {
		m, config := jittered(t, name, with(small, "dim", 96))
		comesBack(t, name, rewritten(t, save(t, name, m, config), r.Replace, lora.MatchString), m)
	}
}

// TestFLANames reads RWKV-7 as flash-linear-attention has it.
func TestFLANames(t *testing.T) {
	m, config := jittered(t, "rwkv7", with(small, "dim", 96))
	comesBack(t, "fla", rewritten(t, save(t, "rwkv7", m, config), flaNames(), lora.MatchString), m)
}

// flaNames turns official names of RWKV-7 into fla's.
func flaNames() func(string) string {
	r := strings.NewReplacer("emb.", "model.embeddings.", "blocks.", "model.layers.", "ln_out.", "model.norm.", "head.", "lm_head.",
		".ln0.", ".pre_norm.", ".ln1.", ".attn_norm.", ".ln2.", ".ffn_norm.", ".att.receptance.", ".attn.r_proj.", ".att.key.", ".attn.k_proj.",
		".att.value.", ".attn.v_proj.", ".att.output.", ".attn.o_proj.", ".att.ln_x.", ".attn.g_norm.", ".att.", ".attn.")
	low := regexp.MustCompile(`\.([wavg])([012])$`)
	return func(s string) string {
		s = r.Replace(s)
		if m := low.FindStringSubmatch(s); m != nil {
			s = strings.TrimSuffix(s, m[0]) + "." + m[1] + "_lora.lora." + map[string]string{"0": "2.bias", "1": "0.weight", "2": "2.weight"}[m[2]]
		}
		return s
	}
}

// TestMissingAndSurplus checks that errors name missing and unexpected tensors.
func TestMissingAndSurplus(t *testing.T) {
	m, config := jittered(t, "rwkv6", small)
	path := save(t, "rwkv6", m, config)
	for _, c := range []struct {
		what, want string
		rename     func(string) string
	}{
		{"missing matrix", `tensor "blocks.1.att.time_maa_w2" is missing`, func(s string) string {
			return strings.Replace(s, "blocks.1.att.time_maa_w2", "", 1)
		}},
		{"missing vector", `tensor "blocks.1.att.time_maa_g" is missing`, func(s string) string {
			return strings.Replace(s, "blocks.1.att.time_maa_g", "", 1)
		}},
		{"surplus", `unexpected tensor "blocks.0.att.time_state"`, func(s string) string {
			return strings.Replace(s, "blocks.0.att.ln_x.bias", "blocks.0.att.time_state", 1)
		}},
		{"shape", `tensor "blocks.0.ffn.time_maa_k" has shape [11 32] and should have [32]`, func(s string) string {
			return map[string]string{"head.weight": "blocks.0.ffn.time_maa_k", "blocks.0.ffn.time_maa_k": "head.weight"}[s] + map[bool]string{true: s}[s != "head.weight" && s != "blocks.0.ffn.time_maa_k"]
		}},
	} {
		w, err := checkpoint.Open(rewritten(t, path, c.rename, never))
		if err == nil {
			var got arch.Model
			if got, _, err = arch.Empty(w.Arch, w.Config); err == nil {
				err = checkpoint.Assign(got, w)
			}
			w.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
}

// TestSaveStored writes a model whose matrices are stored in another type.
func TestSaveStored(t *testing.T) {
	m, config := jittered(t, "rwkv4", small)
	path := save(t, "rwkv4", m, config)
	w, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), "half")
	if err := w.Convert(half, 2, map[string]string{"arch": "rwkv4", "config": string(mustJSON(config))}, func(done, total int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	w.Close()
	h, err := checkpoint.Open(half)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	kept, _, err := arch.Empty(h.Arch, h.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.AssignStored(kept, h); err != nil {
		t.Fatal(err)
	}
	exact, _, _ := arch.Empty(h.Arch, h.Config)
	if err := checkpoint.Assign(exact, h); err != nil {
		t.Fatal(err)
	}
	comesBack(t, "stored", save(t, "rwkv4", kept, config), exact)
	nn.Walk(exact, func(p nn.Param) {
		if p.Name == "emb.weight" && math.Abs(float64(p.Tensor.Data[5])) == 0 {
			t.Error("the embedding is zeros")
		}
	})
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
