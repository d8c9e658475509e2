package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
)

// toyConfig is that of an architecture that nothing but this file knows.
type toyConfig struct {
	Dim   int `json:"dim" doc:"channels"`
	Rank  int `json:"rank" doc:"channels between"`
	Vocab int `json:"vocab" doc:"vocabulary"`
}

// toyModel has what a file may hold otherwise than a model: a matrix that lies
// [in,out], square or not, and a weight of one row.
type toyModel struct {
	Emb  *nn.Tensor `w:"table,embed"`      // [V,C]
	Mu   *nn.Tensor `w:"mu"`               // [C]
	Down *nn.Tensor `w:"down,inout"`       // [R,C]
	Up   *nn.Tensor `w:"up,inout"`         // [C,R]
	Wide *nn.Tensor `w:"wide.weight"`      // [1,1,C]
	Head *nn.Tensor `w:"out.weight,embed"` // [V,C]
}

type toyState struct {
	Last *nn.Tensor `s:"last"` // [B,C]
}

func (m *toyModel) Vocab() int    { return m.Emb.Dim(0) }
func (m *toyModel) Channels() int { return m.Emb.Dim(1) }

func (m *toyModel) NewState(B int) arch.State { return &toyState{nn.New(B, m.Emb.Dim(1))} }

func (m *toyModel) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	var last *nn.Tensor
	if s, ok := s.(*toyState); ok {
		last = s.Last
	}
	x := nn.Embedding(g, m.Emb, tok)
	x = nn.ShiftMix(g, x, last, m.Mu)[0]
	return nn.LinearThen(g, m.Up, nn.Linear(g, m.Down, x), nn.Then{Residual: x, Bias: &nn.Tensor{Shape: []int{m.Wide.Dim(-1)}, Data: m.Wide.Data, Const: true}})
}

func (m *toyModel) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor { return nn.Linear(g, m.Head, h) }

// registerToy makes the architecture known, in a process of its own: other
// tests are about those that the program has.
func registerToy() {
	arch.Register("toy", toyConfig{Dim: 32, Rank: 32, Vocab: 256}, func(c toyConfig, seed uint64) (arch.Model, error) {
		normal := func(name string, shape ...int) *nn.Tensor {
			return nn.Normal(nn.New(shape...), nn.Rand(seed, name), 0.1)
		}
		return &toyModel{normal("table", c.Vocab, c.Dim), nn.New(c.Dim).Fill(0.5), normal("down", c.Rank, c.Dim),
			normal("up", c.Dim, c.Rank), normal("wide", 1, 1, c.Dim), normal("out", c.Vocab, c.Dim)}, nil
	})
}

// TestOwnArchitecture trains an architecture that is registered in one file and
// opens what was saved with every command that reads a model.
func TestOwnArchitecture(t *testing.T) {
	for _, set := range []string{"dim=32,rank=32", "dim=32,rank=5"} {
		dir := t.TempDir()
		toy := func(args ...string) string {
			t.Helper()
			c := process(args...)
			var errs strings.Builder
			c.Stderr = &errs
			out, err := c.Output()
			if err != nil {
				t.Fatalf("%s: %v\n%s", args[0], err, errs.String())
			}
			return string(out)
		}
		toy("train", "--arch", "toy", "--set", set, "--corpus", "grammar", "--steps", "20", "--batch", "4", "--context", "16", "--out", filepath.Join(dir, "run"))
		model, other := filepath.Join(dir, "run", modelFile), filepath.Join(dir, "converted")
		text := filepath.Join(dir, "text")
		if err := os.WriteFile(text, []byte(strings.Repeat("the cat sees the dog. ", 20)), 0o666); err != nil {
			t.Fatal(err)
		}
		toy("convert", "--in", model, "--out", other)
		var score struct {
			Loss float64 `json:"loss_nats"`
		}
		if err := json.Unmarshal([]byte(toy("eval", "--model", model, "--corpus", text, "--context", "16")), &score); err != nil || !(score.Loss > 0 && score.Loss < 5.6) {
			t.Errorf("%s: eval says %+v, %v", set, score, err)
		}
		for _, args := range [][]string{{"logits", "--tokens", "1,2,3"}, {"generate", "--tokens", "8", "--temperature", "0", "--prompt", "ab"}} {
			a, b := toy(append(args, "--model", model)...), toy(append(args, "--model", other)...)
			if a != b || a == "" {
				t.Errorf("%s: %s of the model and of the converted one:\n%s\n%s", set, args[0], a, b)
			}
		}
		toy("logits", "--tokens", "1", "--model", model, "--dtype", "q8_0")
	}
}
