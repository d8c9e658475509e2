package arch_test

import (
	"fmt"
	"log"

	"workbench/arch"
	"workbench/arch/nn"
)

// bigram predicts the next token from the present one alone: the smallest
// architecture.
type bigram struct {
	Table *nn.Tensor `w:"table,embed"` // [V,C]
	Head  *nn.Tensor `w:"head,embed"`  // [V,C]
}

type bigramConfig struct {
	Dim   int `json:"dim" doc:"channels C"`
	Vocab int `json:"vocab" doc:"vocabulary V"`
}

func init() { arch.Register("bigram", bigramConfig{Dim: 16, Vocab: 256}, newBigram) }

func newBigram(c bigramConfig, seed uint64) (arch.Model, error) {
	if c.Dim < 1 || c.Vocab < 1 {
		return nil, fmt.Errorf("dim %d and vocab %d must be at least 1", c.Dim, c.Vocab)
	}
	return &bigram{
		Table: nn.Normal(nn.New(c.Vocab, c.Dim), nn.Rand(seed, "table"), 1),
		Head:  nn.Normal(nn.New(c.Vocab, c.Dim), nn.Rand(seed, "head"), 0.02),
	}, nil
}

// NewState returns an empty struct: a bigram remembers nothing.
func (m *bigram) NewState(B int) arch.State { return &struct{}{} }

func (m *bigram) Forward(g *nn.Graph, tok nn.Tokens, _ arch.State) *nn.Tensor {
	return nn.Embedding(g, m.Table, tok)
}

func (m *bigram) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor { return nn.Linear(g, m.Head, h) }

func (m *bigram) Vocab() int { return m.Head.Dim(0) }

func (m *bigram) Channels() int { return m.Head.Dim(1) }

// Registering an architecture is all that its package does: commands find it by
// its name, and its settings by their keys.
func ExampleRegister() {
	m, config, err := arch.New("bigram", map[string]any{"dim": 8}, 1)
	if err != nil {
		log.Fatal(err)
	}
	weights, _ := arch.Params(m)
	fmt.Println(config, weights)

	// Backward runs the recorded operations of Forward and Logits in reverse.
	g := nn.NewGraph()
	nn.ZeroGrad(m)
	h := m.Forward(g, nn.Tokens{IDs: []int32{0, 1, 2}, B: 1, T: 3}, nil)
	loss := nn.CrossEntropy(g, m.Logits(g, h), []int32{1, 2, 3})
	g.Backward(loss)
	fmt.Println(len(m.(*bigram).Head.Grad), "gradients")
	// Output:
	// map[dim:8 vocab:256] 4096
	// 2048 gradients
}
