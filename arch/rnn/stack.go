package rnn

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
)

// model is a stack of layers, each with a state S.
type model[S any] struct {
	weights `w:""`

	cell     cell[S]
	join     []join // of each layer
	newState func(B int) *S
}

type weights struct {
	Emb   *nn.Tensor `w:"emb.weight,embed"`  // [V,E]
	Cells cells      `w:"rnn"`               //
	LnOut *norm      `w:"ln_out"`            // nil without layer_norm
	Head  *nn.Tensor `w:"head.weight,embed"` // [V,H]
	HeadB *nn.Tensor `w:"head.bias,embed"`   // [V]
}

// cells are the layers of a network of G gates: Elman's 1, LSTM's 4, GRU's 3.
type cells struct {
	Norm    []*norm      `w:"ln_l"`        // nil without layer_norm
	Input   []*nn.Tensor `w:"weight_ih_l"` // [G·H,E], above the first [G·H,H]
	Hidden  []*nn.Tensor `w:"weight_hh_l"` // [G·H,H]
	InputB  []*nn.Tensor `w:"bias_ih_l"`   // [G·H]
	HiddenB []*nn.Tensor `w:"bias_hh_l"`   // [G·H]
}

// A cell runs the recurrent network of layer l: x [B,T,E] to h [B,T,H],
// continuing from s and updating it. Nil slots of s stand for zeros.
type cell[S any] func(g *nn.Graph, w *cells, l int, x *nn.Tensor, s S) *nn.Tensor

// A join computes the input of the next layer from the input x and the output h
// of a layer.
type join func(g *nn.Graph, x, h *nn.Tensor) *nn.Tensor

// plain and dropped are the joins of torch.nn.RNN: dropout applies to the
// output of every layer but the last.
func plain(_ *nn.Graph, _, h *nn.Tensor) *nn.Tensor { return h }

func dropped(g *nn.Graph, _, h *nn.Tensor) *nn.Tensor { return nn.Dropout(g, h) }

func residual(g *nn.Graph, x, h *nn.Tensor) *nn.Tensor { return nn.Sum(g, x, nn.Dropout(g, h)) }

type norm struct {
	Weight *nn.Tensor `w:"weight"` // [C]
	Bias   *nn.Tensor `w:"bias"`   // [C]
}

// forward is LN(x), or x where n is nil.
func (n *norm) forward(g *nn.Graph, x *nn.Tensor) *nn.Tensor {
	if n == nil {
		return x
	}
	return nn.LayerNorm(g, n.Weight, n.Bias, x)
}

// state is one S for each layer: hidden, or hiddenCell of an LSTM.
type state[S any] struct {
	Layers []*S `s:""`
}

// hidden is the state of an Elman network or GRU layer.
type hidden struct {
	H *nn.Tensor `s:"h"` // [B,H]
}

// NewState implements arch.Model.
func (m *model[S]) NewState(B int) arch.State {
	s := &state[S]{}
	for range m.join {
		s.Layers = append(s.Layers, m.newState(B))
	}
	return s
}

// Forward implements arch.Model.
func (m *model[S]) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	return arch.InOrder(g, m, tok, s)
}

// Layers implements arch.Layered.
func (m *model[S]) Layers() int { return len(m.join) }

// Embed implements arch.Layered.
func (m *model[S]) Embed(g *nn.Graph, tok nn.Tokens, _ arch.State) *nn.Tensor {
	return nn.Embedding(g, m.Emb, tok)
}

// Layer implements arch.Layered.
func (m *model[S]) Layer(g *nn.Graph, i int, x *nn.Tensor, s arch.State) *nn.Tensor {
	var at S
	if s != nil {
		at = *s.(*state[S]).Layers[i]
	}
	return m.join[i](g, x, m.cell(g, &m.Cells, i, m.Cells.Norm[i].forward(g, x), at))
}

// Finish implements arch.Layered.
func (m *model[S]) Finish(g *nn.Graph, x *nn.Tensor) *nn.Tensor { return m.LnOut.forward(g, x) }

// Logits implements arch.Model.
func (m *model[S]) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor {
	return nn.LinearThen(g, m.Head, h, nn.Then{Bias: m.HeadB})
}

// Vocab implements arch.Model.
func (m *model[S]) Vocab() int { return m.Head.Dim(0) }

// Channels implements arch.Model.
func (m *model[S]) Channels() int { return m.Head.Dim(1) }

// build builds a stack of layers of that many gates with PyTorch's initial
// weights: U(±1/√H) in the cells and the head, N(0,1) in the embedding.
// Source: torch.nn.RNNBase, torch.nn.Linear and torch.nn.Embedding,
// reset_parameters.
func build[S any](c Config, seed uint64, gates int, cell cell[S], newState func(B int) *S) (arch.Model, error) {
	H := c.Dim
	if H < 1 || c.Emb < 1 || c.Layers < 1 || c.Vocab < 1 {
		return nil, fmt.Errorf("dim %d, emb %d, layers %d and vocab %d must be at least 1", H, c.Emb, c.Layers, c.Vocab)
	}
	if c.Residual && c.Emb != H {
		return nil, fmt.Errorf("residual adds the first layer's input of emb %d channels to its output of dim %d: make them equal", c.Emb, H)
	}
	bound := 1 / math.Sqrt(float64(H))
	uniform := func(name string, shape ...int) *nn.Tensor {
		return nn.Uniform(nn.New(shape...), nn.Rand(seed, name), bound)
	}
	normed := func(C int) *norm {
		if !c.LayerNorm {
			return nil
		}
		return &norm{nn.New(C).Fill(1), nn.New(C)}
	}
	m := &model[S]{cell: cell, join: joins(c), newState: newState, weights: weights{
		Emb:   nn.Normal(nn.New(c.Vocab, c.Emb), nn.Rand(seed, "emb"), 1),
		LnOut: normed(H),
		Head:  uniform("head.weight", c.Vocab, H),
		HeadB: uniform("head.bias", c.Vocab),
	}}
	in := c.Emb
	for l := range c.Layers {
		name := func(s string) string { return fmt.Sprintf("%s%d", s, l) }
		m.Cells.Norm = append(m.Cells.Norm, normed(in))
		m.Cells.Input = append(m.Cells.Input, uniform(name("weight_ih_l"), gates*H, in))
		m.Cells.Hidden = append(m.Cells.Hidden, uniform(name("weight_hh_l"), gates*H, H))
		m.Cells.InputB = append(m.Cells.InputB, uniform(name("bias_ih_l"), gates*H))
		m.Cells.HiddenB = append(m.Cells.HiddenB, uniform(name("bias_hh_l"), gates*H))
		in = H
	}
	return m, nil
}

func joins(c Config) (all []join) {
	for l := range c.Layers {
		switch {
		case c.Residual:
			all = append(all, residual)
		case l < c.Layers-1:
			all = append(all, dropped)
		default:
			all = append(all, plain)
		}
	}
	return all
}
