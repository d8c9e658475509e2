// Package rnn holds the plain recurrent baseline.
package rnn

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
)

// Config is the configuration of a stack of Elman networks.
// Source: Elman 1990; torch.nn.RNN(nonlinearity="tanh").
type Config struct {
	Dim    int `json:"dim" doc:"hidden units H of each layer"`
	Emb    int `json:"emb" doc:"channels of the embedding; 0 means dim"`
	Layers int `json:"layers" doc:"stacked layers L"`
	Vocab  int `json:"vocab" doc:"vocabulary V"`
}

// Default is the default configuration.
var Default = Config{Dim: 256, Layers: 6, Vocab: 256}

func init() { arch.Register("rnn", Default, New) }

// Resolve replaces the values that stand for a rule.
func (c Config) Resolve() any {
	if c.Emb == 0 {
		c.Emb = c.Dim
	}
	return c
}

type model struct {
	Emb   *nn.Tensor `w:"emb.weight,embed"`  // [V,E]
	Cells cells      `w:"rnn"`               //
	Head  *nn.Tensor `w:"head.weight,embed"` // [V,H]
	HeadB *nn.Tensor `w:"head.bias,embed"`   // [V]
}

type cells struct {
	Input   []*nn.Tensor `w:"weight_ih_l"` // [H,E], above the first [H,H]
	Hidden  []*nn.Tensor `w:"weight_hh_l"` // [H,H]
	InputB  []*nn.Tensor `w:"bias_ih_l"`   // [H]
	HiddenB []*nn.Tensor `w:"bias_hh_l"`   // [H]
}

type state struct {
	Layers []*layerState `s:""`
}

type layerState struct {
	H *nn.Tensor `s:"h"` // [B,H]
}

// NewState implements arch.Model.
func (m *model) NewState(B int) arch.State {
	s := &state{}
	for range m.Cells.Hidden {
		s.Layers = append(s.Layers, &layerState{nn.New(B, m.Head.Dim(1))})
	}
	return s
}

// Forward implements arch.Model.
func (m *model) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	return arch.InOrder(g, m, tok, s)
}

// Layers implements arch.Layered.
func (m *model) Layers() int { return len(m.Cells.Hidden) }

// Embed implements arch.Layered.
func (m *model) Embed(g *nn.Graph, tok nn.Tokens, _ arch.State) *nn.Tensor {
	return nn.Embedding(g, m.Emb, tok)
}

// Layer implements arch.Layered: h = tanh(W_ih·x + b_ih + W_hh·h' + b_hh), the
// h of one layer being the x of the next.
func (m *model) Layer(g *nn.Graph, i int, x *nn.Tensor, s arch.State) *nn.Tensor {
	var h *nn.Tensor
	if s, ok := s.(*state); ok {
		h = s.Layers[i].H
	}
	if i > 0 {
		x = nn.Dropout(g, x) // as torch.nn.RNN, between layers
	}
	w := &m.Cells
	x = nn.LinearThen(g, w.Input[i], x, nn.Then{Bias: nn.Sum(g, w.InputB[i], w.HiddenB[i])})
	return nn.Elman(g, w.Hidden[i], x, h)
}

// Finish implements arch.Layered.
func (m *model) Finish(_ *nn.Graph, x *nn.Tensor) *nn.Tensor { return x }

// Logits implements arch.Model.
func (m *model) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor {
	return nn.LinearThen(g, m.Head, h, nn.Then{Bias: m.HeadB})
}

// New builds a stack with PyTorch's initial weights: U(±1/√H) in the cells and
// the head, N(0,1) in the embedding.
// Source: torch.nn.RNN, torch.nn.Linear and torch.nn.Embedding, reset_parameters.
func New(c Config, seed uint64) (arch.Model, error) {
	if c.Dim < 1 || c.Emb < 1 || c.Layers < 1 || c.Vocab < 1 {
		return nil, fmt.Errorf("dim %d, layers %d and vocab %d must be at least 1", c.Dim, c.Layers, c.Vocab)
	}
	bound := 1 / math.Sqrt(float64(c.Dim))
	uniform := func(name string, shape ...int) *nn.Tensor {
		return nn.Uniform(nn.New(shape...), nn.Rand(seed, name), bound)
	}
	m := &model{
		Emb:   nn.Normal(nn.New(c.Vocab, c.Emb), nn.Rand(seed, "emb"), 1),
		Head:  uniform("head.weight", c.Vocab, c.Dim),
		HeadB: uniform("head.bias", c.Vocab),
	}
	in := c.Emb
	for l := range c.Layers {
		name := func(s string) string { return fmt.Sprintf("%s%d", s, l) }
		m.Cells.Input = append(m.Cells.Input, uniform(name("weight_ih_l"), c.Dim, in))
		m.Cells.Hidden = append(m.Cells.Hidden, uniform(name("weight_hh_l"), c.Dim, c.Dim))
		m.Cells.InputB = append(m.Cells.InputB, uniform(name("bias_ih_l"), c.Dim))
		m.Cells.HiddenB = append(m.Cells.HiddenB, uniform(name("bias_hh_l"), c.Dim))
		in = c.Dim
	}
	return m, nil
}
