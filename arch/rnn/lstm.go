package rnn

import (
	"workbench/arch"
	"workbench/arch/nn"
)

func init() { arch.Register("lstm", Default, NewLSTM) }

// NewLSTM builds a stack of LSTMs.
func NewLSTM(c Config, seed uint64) (arch.Model, error) {
	return build(c, seed, 4, lstm, func(B int) *hiddenCell {
		return &hiddenCell{nn.New(B, c.Dim), nn.New(B, c.Dim)}
	})
}

// hiddenCell is the state of an LSTM layer.
type hiddenCell struct {
	H *nn.Tensor `s:"h"` // [B,H]
	C *nn.Tensor `s:"c"` // [B,H]
}

// lstm is, with the rows of the matrices in the order i, f, g, o,
//
//	i, f, g, o = W_ih·x + b_ih + W_hh·h' + b_hh
//	c = σ(f)⊙c' + σ(i)⊙tanh(g);  h = σ(o)⊙tanh(c)
//
// Source: torch.nn.LSTM.
func lstm(g *nn.Graph, w *cells, l int, x *nn.Tensor, s hiddenCell) *nn.Tensor {
	x = nn.LinearThen(g, w.Input[l], x, nn.Then{Bias: nn.Sum(g, w.InputB[l], w.HiddenB[l])})
	return nn.LSTM(g, w.Hidden[l], x, s.H, s.C)
}
