package arch_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
	_ "workbench/arch/rnn"
	_ "workbench/arch/rwkv"
	"workbench/arch/settings"
	_ "workbench/arch/transformer"
)

func TestNewIsStrict(t *testing.T) {
	for _, c := range []struct {
		arch   string
		config map[string]any
		want   string
	}{
		{"rwkv9", nil, `unknown architecture "rwkv9" (known: `},
		{"rwkv4", map[string]any{"dims": 3}, `no setting "dims" (known: dim, layers`},
		{"rwkv4", map[string]any{"dim": "big"}, "dim: big is not a whole number"},
		{"rwkv4", map[string]any{"dim": 2.5}, "dim: 2.5 is not a whole number"},
		{"rwkv4", map[string]any{"dim": -1}, "dim: -1 is not"},
		{"rwkv4", map[string]any{"dim": 1 << 40}, "is not a whole number from 0 to"},
		{"rwkv4", map[string]any{"dim": 0}, "must be at least 1"},
		{"rwkv4", map[string]any{"token_shift": "some"}, "token_shift: some is not one of learned, fixed, none"},
		{"transformer", map[string]any{"heads": 3}, "heads divide dim"},
		{"transformer", map[string]any{"tied": 1}, "tied: 1 is not true or false"},
	} {
		_, _, err := arch.New(c.arch, c.config, 1)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("New(%s, %v): %v, want one line with %q", c.arch, c.config, err, c.want)
		}
	}
}

func TestNewResolves(t *testing.T) {
	_, got, err := arch.New("rwkv4", map[string]any{"dim": 8.0, "layers": uint64(1)}, 1)
	for key, want := range map[string]any{"dim": 8.0, "layers": 1.0, "vocab": 256.0, "ffn": 32.0, "token_shift": "learned", "decay_spread": 1.0} {
		if err != nil || got[key] != want {
			t.Errorf("resolved %v (%v), want %s %v", got, err, key, want)
		}
	}
	for _, name := range arch.Names() {
		for _, o := range arch.Options(name) {
			if o.Key == "" || o.Doc == "" {
				t.Errorf("%s: option %+v lacks a key or a doc", name, o)
			}
		}
	}
}

func TestSeedsGiveWeights(t *testing.T) {
	weights := func(seed uint64) (w []float32) {
		m, _, err := arch.New("rnn", map[string]any{"dim": 8, "layers": 1}, seed)
		if err != nil {
			t.Fatal(err)
		}
		nn.Walk(m, func(p nn.Param) { w = append(w, p.Tensor.Data...) })
		return w
	}
	if !slices.Equal(weights(3), weights(3)) || slices.Equal(weights(3), weights(4)) {
		t.Error("the same seed gives other weights, or another seed the same")
	}
}

func TestParseSet(t *testing.T) {
	got, err := settings.Parse("dim=256,token_shift=none,tied=true,")
	want := map[string]any{"dim": int64(256), "token_shift": "none", "tied": true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseSet: %v, %v", got, err)
	}
	for _, bad := range []string{"dim", "=3", "dim=1,dim=2"} {
		if _, err := settings.Parse(bad); err == nil {
			t.Errorf("ParseSet(%q) passes", bad)
		}
	}
}

// TestSizes compares the sizes that a model reports with those of its outputs.
func TestSizes(t *testing.T) {
	const C, V = 8, 11
	for _, name := range registered {
		config := map[string]any{"dim": C, "layers": 2, "vocab": V}
		variants := []map[string]any{config}
		for _, o := range arch.Options(name) {
			switch o.Key {
			case "emb":
				config["emb"] = 4 // other than dim
			case "tied":
				tied := maps.Clone(config)
				tied["tied"] = true
				variants = append(variants, tied)
			}
		}
		for _, config := range variants {
			m, _, err := arch.New(name, config, 1)
			if err != nil {
				t.Fatal(err)
			}
			g := nn.Inference()
			h := m.Forward(g, nn.Tokens{IDs: []int32{0}, B: 1, T: 1}, nil)
			if logits := m.Logits(g, h); m.Vocab() != V || logits.Dim(-1) != V || m.Channels() != C || h.Dim(-1) != C {
				t.Errorf("%s %v: %d tokens and %d channels, hidden vectors are %v and logits %v", name, config, m.Vocab(), m.Channels(), h.Shape, logits.Shape)
			}
		}
	}
}

// TestStateBytes compares the live state with the papers' counts: 5 vectors a
// layer for RWKV-4 and 2+N for later versions, at any depth; 2 a layer and
// position for attention.
func TestStateBytes(t *testing.T) {
	const C, L, N, depth = 32, 3, 16, 21
	matrix := int64(4 * (2 + N) * C * L)
	for name, want := range map[string]int64{"rwkv4": 4 * 5 * C * L, "rwkv5": matrix, "rwkv6": matrix, "rwkv7": matrix, "rnn": 4 * C * L, "transformer": 4 * 2 * C * L * depth} {
		config := map[string]any{"dim": C, "layers": L}
		if want == matrix {
			config["head_size"] = N
		}
		m, _, err := arch.New(name, config, 1)
		if err != nil {
			t.Fatal(err)
		}
		s := m.NewState(1)
		arch.Reserve(s, 100)
		m.Forward(nn.Inference(), nn.Tokens{IDs: make([]int32, depth), B: 1, T: depth}, s)
		if got := arch.StateBytes(s); got != want {
			t.Errorf("%s: %d state bytes at depth %d, want %d", name, got, depth, want)
		}
	}
}

// TestSlots checks the names of a layer's slots, which state files and studies
// use, and that no state has slots of another architecture.
func TestSlots(t *testing.T) {
	matrix := []string{"att_x_prev", "ffn_x_prev", "wkv"}
	for name, want := range map[string][]string{
		"rwkv4": {"att_x_prev", "ffn_x_prev", "aa", "bb", "pp"}, "rwkv5": matrix, "rwkv6": matrix, "rwkv7": matrix,
		"rnn": {"h"}, "gru": {"h"}, "lstm": {"h", "c"}, "transformer": {"k", "v"}, "llama": {"k", "v"},
	} {
		m, _, err := arch.New(name, map[string]any{"dim": 8, "layers": 2}, 1)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		nn.WalkState(m.NewState(1), func(name string, _ *nn.Tensor) {
			if slot, ok := strings.CutPrefix(name, "1."); ok {
				got = append(got, slot)
			}
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s has slots %v, want %v", name, got, want)
		}
	}
}

func TestForwardRefusesStateOfAnother(t *testing.T) {
	models := map[string]arch.Model{}
	for _, name := range registered {
		m, _, err := arch.New(name, map[string]any{"dim": 8, "layers": 1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		models[name] = m
	}
	for _, pair := range [][2]string{{"rwkv4", "rwkv5"}, {"rwkv6", "rwkv5"}, {"rwkv7", "rnn"}, {"lstm", "gru"}, {"transformer", "rwkv4"}, {"llama", "lstm"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s goes on from a state of %s", pair[0], pair[1])
				}
			}()
			models[pair[0]].Forward(nn.Inference(), nn.Tokens{IDs: []int32{0}, B: 1, T: 1}, models[pair[1]].NewState(1))
		}()
	}
}

func TestCopyStateRefusesOthers(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("states of different models were copied")
		}
	}()
	a, _, _ := arch.New("rnn", map[string]any{"dim": 8, "layers": 1}, 1)
	b, _, _ := arch.New("rnn", map[string]any{"dim": 8, "layers": 2}, 1)
	arch.CopyState(a.NewState(1), b.NewState(1))
}

func TestEmptyDrawsNothing(t *testing.T) {
	m, _, err := arch.Empty("rnn", map[string]any{"dim": 8, "layers": 1})
	if err != nil {
		t.Fatal(err)
	}
	nn.Walk(m, func(p nn.Param) {
		if slices.ContainsFunc(p.Tensor.Data, func(x float32) bool { return x != 0 }) {
			t.Errorf("%s holds drawn values", p.Name)
		}
	})
	if _, _, err := arch.New("rnn", nil, nn.Blank); err == nil {
		t.Error("New takes the seed of models without initial weights")
	}
}

func TestDocsOfSettings(t *testing.T) {
	type config struct {
		Own   int `json:"own" doc:"its own"`
		First int `json:"first"`
		Last  int `json:"last"`
	}
	name := fmt.Sprint("of a test ", len(arch.Names()))
	arch.Register(name, config{}, func(config, uint64) (arch.Model, error) { return nil, nil },
		map[string]string{"own": "no", "first": "of the first"}, map[string]string{"first": "no", "last": "of the last"})
	var got []string
	for _, o := range arch.Options(name) {
		got = append(got, o.Doc)
	}
	if want := []string{"its own", "of the first", "of the last"}; !slices.Equal(got, want) {
		t.Errorf("docs %q, want %q", got, want)
	}
}

func TestSettingOfRealNumber(t *testing.T) {
	type config struct {
		Eps float64 `json:"eps" doc:"a small number"`
	}
	var got float64
	name := fmt.Sprint("of a test ", len(arch.Names()))
	arch.Register(name, config{Eps: 1e-5}, func(c config, _ uint64) (arch.Model, error) {
		got = c.Eps
		return nil, nil
	})
	for _, c := range []struct {
		set  string
		want float64
	}{{"", 1e-5}, {"eps=6.4e-4", 6.4e-4}, {"eps=2", 2}} {
		set, err := settings.Parse(c.set)
		if err == nil {
			_, _, err = arch.New(name, set, 1)
		}
		if err != nil || got != c.want {
			t.Errorf("%q gives %v (%v), want %v", c.set, got, err, c.want)
		}
	}
	if _, _, err := arch.New(name, map[string]any{"eps": "small"}, 1); err == nil || !strings.Contains(err.Error(), "small is not a number") {
		t.Errorf("a word for a number: %v", err)
	}
}
