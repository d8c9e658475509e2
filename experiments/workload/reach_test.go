package workload

import (
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/record"
)

// harnessOf is a harness of settings, with a model of that kind, on a machine
// without counters.
func harnessOf(t *testing.T, name string, config map[string]any, s Timed) (*Harness, arch.Model, error) {
	t.Helper()
	t.Setenv("WORKBENCH_SYSFS", t.TempDir())
	m, _, err := arch.Filled(name, config, 1)
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHarness(Of(s), s, &Env{Model: m, Arch: name, Tokens: someText})
	if err == nil {
		t.Cleanup(h.Close)
	}
	return h, m, err
}

// after is the state of a model that has read the first n tokens of the text.
func after(m arch.Model, n int) arch.State {
	s := m.NewState(1)
	m.Forward(nn.Inference(), nn.Tokens{IDs: someText[:n], B: 1, T: n}, s)
	return s
}

// TestDecodeAtLimit: up to the last position of a model it is decoded, however
// often a sample does it, and in whichever order it is visited and made ready.
func TestDecodeAtLimit(t *testing.T) {
	limited := map[string]any{"dim": 8, "layers": 1, "heads": 2, "context": 40}
	for _, readyFirst := range []bool{false, true} {
		h, m, err := harnessOf(t, "transformer", limited, &Decode{Depth: []int{8, 36}, Tokens: 4, Batch: 1, Timing: Timing{SampleMS: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if readyFirst {
			if err := h.Ready([]int{8, 36}); err != nil {
				t.Fatal(err)
			}
		}
		for _, depth := range []int{8, 36} {
			if _, err := h.Visit(depth); err != nil {
				t.Fatal(err)
			}
			bytes, _ := h.points[depth].Value("state_bytes")
			if want := float64(arch.StateBytes(after(m, depth))); bytes != want {
				t.Errorf("depth %d: the state has %g bytes, want %g", depth, bytes, want)
			}
		}
		if err := h.Ready([]int{8, 36}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ depth, repeats, end int }{{36, 5, 40}, {8, 9, 12}, {8, 8, 40}, {36, 1, 40}} {
			r, err := h.Sample(c.depth, c.repeats)
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := r.Value("tokens"); int(n) != 4*c.repeats || len(r.Series("latency").Y) != 4*c.repeats {
				t.Errorf("depth %d: %g tokens and %d latencies, want %d", c.depth, n, len(r.Series("latency").Y), 4*c.repeats)
			}
			compareStates(t, h.task.(*decoding).state, after(m, c.end))
		}
		for _, try := range []func() error{
			func() error { _, err := h.Visit(37); return err },
			func() error { return h.Ready([]int{37}) },
		} {
			if err := try(); err == nil || !strings.Contains(err.Error(), "41 tokens exceed the model's limit of 40 positions") {
				t.Errorf("a sample beyond the limit: %v", err)
			}
		}
	}
}

// counted counts the tokens that a model of 304 positions reads.
type counted struct {
	arch.Model
	read int
}

func (c *counted) Context() int { return 304 }

func (c *counted) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	c.read += tok.T
	return c.Model.Forward(g, tok, s)
}

// TestReadyFirst: a context is read once where its point is made ready before
// it is visited.
func TestReadyFirst(t *testing.T) {
	m, _, err := arch.New("rnn", tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := &counted{Model: m}
	s := &Decode{Depth: []int{300}, Tokens: 4, Batch: 1}
	h, err := NewHarness(Of(s), s, &Env{Model: c, Arch: "rnn", Tokens: someText})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Ready(s.Depth); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Visit(300); err != nil {
		t.Fatal(err)
	}
	if want := 300 - warmTokens + 2*(warmTokens+s.Tokens); c.read != want {
		t.Errorf("%d tokens were read, want %d", c.read, want)
	}
}

// TestPrefillContext: each time that a text is read it is read after the
// context, and whatever the way it takes the same products and ends in the same
// state.
func TestPrefillContext(t *testing.T) {
	for _, name := range []string{"rwkv4", "transformer", "rnn"} {
		var plain, arena float64
		for _, s := range []Prefill{
			{Tokens: 20, Chunk: []int{0}},
			{Tokens: 20, Chunk: []int{0}, Context: new(9)},
			{Tokens: 20, Chunk: []int{8}, Context: new(9)},
			{Tokens: 20, Chunk: []int{8}, Cascade: new(true)},
			{Tokens: 20, Chunk: []int{8}, Context: new(9), Cascade: new(true)},
		} {
			s.Batch = 1
			if err := s.Complete(); err != nil {
				t.Fatal(err)
			}
			h, m, err := harnessOf(t, name, map[string]any{"dim": 16, "layers": 3}, &s)
			if err != nil {
				t.Fatal(err)
			}
			r := sampleOfPrefill(t, h, m, &s)
			if n, _ := r.Value("tokens"); n != 60 {
				t.Errorf("%s %+v: %g tokens", name, s, n)
			}
			operations, _ := r.Value("operations_per_token")
			if plain == 0 {
				plain = operations
			}
			want := plain
			if name == "transformer" { // queries and values of the context's positions
				want += float64(given(s.Context) * 3 * 4 * 16)
			}
			if operations != want || plain == 0 {
				t.Errorf("%s %+v: %g operations a token, want %g", name, s, operations, want)
			}
			bytes, _ := r.Value("arena_bytes")
			if s.Cascade == nil {
				arena = bytes
			} else if bytes <= arena {
				t.Errorf("%s %+v: %g bytes of activations, of one layer after the other %g", name, s, bytes, arena)
			}
			if c, _ := r.Key("context"); int(c) != given(s.Context) || r.Keys["cascade"] == true != given(s.Cascade) {
				t.Errorf("%s %+v: keys %v", name, s, r.Keys)
			}
		}
	}
}

// sampleOfPrefill visits the point and takes a sample of three texts; after
// both the state is that of the context and the text.
func sampleOfPrefill(t *testing.T, h *Harness, m arch.Model, s *Prefill) *record.Record {
	t.Helper()
	end := given(s.Context) + s.Tokens
	ends := func() {
		t.Helper()
		if got := h.task.(*prefilling).pos; got != end {
			t.Fatalf("%+v: it is at %d, want %d", s, got, end)
		}
		compareStates(t, h.task.(*prefilling).state, after(m, end))
	}
	if _, err := h.Visit(s.Chunk[0]); err != nil {
		t.Fatal(err)
	}
	ends()
	if err := h.Ready(s.Chunk); err != nil {
		t.Fatal(err)
	}
	r, err := h.Sample(s.Chunk[0], 3)
	if err != nil {
		t.Fatal(err)
	}
	ends()
	return r
}

// TestPrefillRefused: what does not go together, or not with the model.
func TestPrefillRefused(t *testing.T) {
	limited := map[string]any{"dim": 8, "layers": 1, "heads": 2, "context": 40}
	for says, s := range map[string]*Prefill{
		"cascade reads one sequence: leave out batch":                                         {Tokens: 8, Chunk: []int{4}, Batch: 2, Cascade: new(true)},
		"cascade wants the tokens of a chunk: chunk 8":                                        {Tokens: 8, Chunk: []int{4, 0}, Batch: 1, Cascade: new(true)},
		"41 tokens exceed the model's limit of 40 positions: set context or rotary positions": {Tokens: 8, Chunk: []int{4}, Batch: 1, Context: new(33)},
	} {
		if _, _, err := harnessOf(t, "transformer", limited, s); err == nil || err.Error() != says {
			t.Errorf("%+v: %v, want %q", s, err, says)
		}
	}
	if _, _, err := harnessOf(t, "transformer", limited, &Prefill{Tokens: 8, Chunk: []int{4}, Batch: 1, Context: new(32)}); err != nil {
		t.Errorf("up to the last position: %v", err)
	}
}
