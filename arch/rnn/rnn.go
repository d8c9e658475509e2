// Package rnn holds the recurrent baselines: stacks of Elman networks, LSTMs
// and GRUs with PyTorch's conventions.
package rnn

import (
	"workbench/arch"
	"workbench/arch/nn"
)

// Config is the configuration of a stack of recurrent layers. With neither
// Residual nor LayerNorm it is exactly torch.nn.RNN, LSTM or GRU between an
// embedding and a head.
//
// With both, a layer is x + f(LN(x)) and the head reads LN of the last output:
// the pre-LayerNorm residual block of Xiong et al., arXiv 2002.04745, figure
// 1b, around the residual recurrent layer of Wu et al., arXiv 1609.08144, eq.
// 6. LN is from Ba et al., arXiv 1607.06450. Residual alone leaves out every
// LN, LayerNorm alone every residual sum.
type Config struct {
	Dim       int  `json:"dim" doc:"hidden units H of each layer"`
	Emb       int  `json:"emb" doc:"channels of the embedding; 0 means dim"`
	Layers    int  `json:"layers" doc:"stacked layers L"`
	Vocab     int  `json:"vocab" doc:"vocabulary V"`
	Residual  bool `json:"residual" doc:"add the input of every layer to its output"`
	LayerNorm bool `json:"layer_norm" doc:"normalise the input of every layer and of the head"`
}

// Default is the default configuration of all three.
var Default = Config{Dim: 256, Layers: 6, Vocab: 256}

func init() { arch.Register("rnn", Default, New) }

// New builds a stack of Elman networks.
func New(c Config, seed uint64) (arch.Model, error) {
	return build(c, seed, 1, elman, func(B int) *hidden { return &hidden{nn.New(B, c.Dim)} })
}

// elman is h = tanh(W_ih·x + b_ih + W_hh·h' + b_hh).
// Source: Elman 1990; torch.nn.RNN(nonlinearity="tanh").
func elman(g *nn.Graph, w *cells, l int, x *nn.Tensor, s hidden) *nn.Tensor {
	x = nn.LinearThen(g, w.Input[l], x, nn.Then{Bias: nn.Sum(g, w.InputB[l], w.HiddenB[l])})
	return nn.Elman(g, w.Hidden[l], x, s.H)
}

// Resolve replaces the values that stand for a rule.
func (c Config) Resolve() any {
	if c.Emb == 0 {
		c.Emb = c.Dim
	}
	return c
}
