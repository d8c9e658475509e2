//go:build unix

package experiments

import (
	"path/filepath"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/record"
)

// twoFaced is a model that says something else of several tokens than of each.
type twoFaced struct {
	Emb  *nn.Tensor `w:"emb.weight,embed"`
	Head *nn.Tensor `w:"head.weight,embed"`
}

func (m *twoFaced) Vocab() int              { return m.Emb.Dim(0) }
func (m *twoFaced) Channels() int           { return m.Emb.Dim(1) }
func (m *twoFaced) NewState(int) arch.State { return &struct{}{} }
func (m *twoFaced) Forward(g *nn.Graph, tok nn.Tokens, _ arch.State) *nn.Tensor {
	x := nn.Embedding(g, m.Emb, tok)
	if tok.T > 1 {
		x.Data[len(x.Data)-1] += 3
	}
	return x
}
func (m *twoFaced) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor { return nn.Linear(g, m.Head, h) }

func init() {
	type config struct {
		Dim    int `json:"dim" doc:"channels"`
		Layers int `json:"layers" doc:"none"`
		Vocab  int `json:"vocab" doc:"vocabulary"`
	}
	arch.Register("two-faced", config{8, 1, 256}, func(c config, seed uint64) (arch.Model, error) {
		normal := func(name string) *nn.Tensor { return nn.Normal(nn.New(c.Vocab, c.Dim), nn.Rand(seed, name), 1) }
		return &twoFaced{normal("emb"), normal("head")}, nil
	})
}

// TestGate: of a model that does not compute the same token by token as in one
// call no cost is measured, and the others' is.
func TestGate(t *testing.T) {
	_, records := run(t, parse(t, `name: gated
corpus: grammar
arch: [{use: rnn, dim: 8, layers: 1}, {use: two-faced}]
measure:
  decode: {depth: [4, 8], tokens: 2, rounds: 2, sample_ms: 1}
`), Options{Profile: "smoke", Out: filepath.Join(t.TempDir(), "run")})
	_, kept := run(t, parse(t, `name: rounded
corpus: grammar
arch: [{use: transformer, dim: 16, layers: 2, heads: 2, positions: rotary, cache: [f32, f16, bf16, none]}]
measure:
  decode: {depth: [8], tokens: 2, rounds: 2, sample_ms: 1}
`), Options{Profile: "smoke", Out: filepath.Join(t.TempDir(), "run")})
	for _, r := range kept {
		if r.Error != "" {
			t.Errorf("%s: %s", r.Text(record.KeyArm), r.Error)
		}
	}
	failed, measured := 0, map[string]int{}
	for _, r := range records {
		if r.Error == "" {
			measured[r.Text(record.KeyArm)]++
		} else if failed++; r.Text(record.KeyArm) != "two-faced" || !strings.Contains(r.Error, "no cost is measured of a model that fails its check modes") {
			t.Errorf("%s failed: %s", r.Text(record.KeyArm), r.Error)
		}
	}
	if failed != 2 || len(measured) != 2 || measured["rnn"] != 4 || measured["rnn again"] != 4 {
		t.Errorf("%d cells failed, measured %v", failed, measured)
	}
}
