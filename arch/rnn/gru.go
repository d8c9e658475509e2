package rnn

import (
	"workbench/arch"
	"workbench/arch/nn"
)

func init() { arch.Register("gru", Default, NewGRU) }

// NewGRU builds a stack of GRUs.
func NewGRU(c Config, seed uint64) (arch.Model, error) {
	return build(c, seed, 3, gru, func(B int) *hidden { return &hidden{nn.New(B, c.Dim)} })
}

// gru is, with the rows of the matrices in the order r, z, n,
//
//	r = σ(W_ir·x + b_ir + W_hr·h' + b_hr);  z = σ(W_iz·x + b_iz + W_hz·h' + b_hz)
//	n = tanh(W_in·x + b_in + r⊙(W_hn·h' + b_hn));  h = (1-z)⊙n + z⊙h'
//
// Source: torch.nn.GRU.
func gru(g *nn.Graph, w *cells, l int, x *nn.Tensor, s hidden) *nn.Tensor {
	x = nn.LinearThen(g, w.Input[l], x, nn.Then{Bias: w.InputB[l]})
	return nn.GRU(g, w.Hidden[l], w.HiddenB[l], x, s.H)
}
