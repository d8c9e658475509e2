package rwkv

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// Config5 is the configuration of RWKV-5 "Eagle": version 5.2 and, with
// per_head, exp_bonus and output_gate, 5.1 and 5.0. Without decay and token
// shift it is plain causal linear attention.
// Source: Peng et al., arXiv 2404.05892; BlinkDL/RWKV-LM RWKV-v5/src/model.py.
type Config5 struct {
	Dim               int     `json:"dim"`
	Layers            int     `json:"layers"`
	Vocab             int     `json:"vocab"`
	HeadSize          int     `json:"head_size"`
	FFN               int     `json:"ffn"`
	PerHead           bool    `json:"per_head" doc:"one decay and one bonus a head, as in 5.0 and 5.1"`
	ExpBonus          bool    `json:"exp_bonus" doc:"the bonus is the exponential of its weight time_first, as in 5.0"`
	GroupNormEps      float64 `json:"group_norm_eps" doc:"added to the variance of a head; files of rwkv.cpp want 1e-5"`
	TokenShift        string  `json:"token_shift" values:"learned,fixed,none" doc:"how much of the previous token each channel of the time mixing sees: trained, left at its initial value, or nothing; with time_decay=none and channel_shift=none the model is plain linear attention"`
	ChannelShift      string  `json:"channel_shift" values:"same,learned,fixed,none"`
	TimeDecay         string  `json:"time_decay" values:"learned,fixed,shared,none"`
	DecaySpread       float64 `json:"decay_spread"`
	Bonus             string  `json:"bonus" values:"on,off"`
	OutputGate        string  `json:"output_gate" values:"on,off" doc:"the gate of the time mixing; 5.0 and early 5.1 have none"`
	GroupNorm         string  `json:"group_norm" values:"on,off"`
	ChannelReceptance string  `json:"channel_receptance" values:"on,off"`
	ChannelActivation string  `json:"channel_activation" values:"relu2,relu,gelu,silu"`
	SmallInit         string  `json:"small_init" values:"on,off"`
	LN0               string  `json:"ln0" values:"on,off"`
}

// Default5 is the default configuration: 5.2.
var Default5 = Config5{Dim: 256, Layers: 6, Vocab: 256, GroupNormEps: 64e-5, TokenShift: learned, ChannelShift: same, TimeDecay: learned, DecaySpread: 1,
	Bonus: on, OutputGate: on, GroupNorm: on, ChannelReceptance: on, ChannelActivation: "relu2", SmallInit: on, LN0: on}

func init() { arch.Register("rwkv5", Default5, New5, docs56, docs) }

// Resolve replaces the values that stand for a rule.
func (c Config5) Resolve() any {
	c.HeadSize = headSize(c.HeadSize, c.Dim)
	if c.FFN == 0 {
		c.FFN = hidden35(c.Dim)
	}
	return c
}

// hidden35 is the number of hidden channels of the channel mixing in RWKV-5 and
// 6: 3.5·dim in multiples of 32.
func hidden35(dim int) int { return max(32, 7*dim/2/32*32) }

// timeMix5 is the time mixing of RWKV-5: a decaying sum of kᵀv for each head,
// read by r.
type timeMix5 struct {
	MuK        *nn.Tensor `w:"time_mix_k"`        // [C]
	MuV        *nn.Tensor `w:"time_mix_v"`        // [C]
	MuR        *nn.Tensor `w:"time_mix_r"`        // [C]
	MuG        *nn.Tensor `w:"time_mix_g"`        // [C]
	Decay      *nn.Tensor `w:"time_decay,vector"` // [H,N] or [H], the log-decay of a step is -exp(Decay)
	Faaaa      *nn.Tensor `w:"time_faaaa,vector"` // [H,N] or [H], the bonus
	First      *nn.Tensor `w:"time_first,vector"` // the logarithm of the bonus, in 5.0
	Receptance *nn.Tensor `w:"receptance.weight"` // [C,C]
	Key        *nn.Tensor `w:"key.weight"`        // [C,C]
	Value      *nn.Tensor `w:"value.weight"`      // [C,C]
	Gate       *nn.Tensor `w:"gate.weight"`       // [C,C]
	Output     *nn.Tensor `w:"output.weight"`     // [C,C]
	LNX        *headNorm  `w:"ln_x"`

	heads    int
	logDecay func(g *nn.Graph) *nn.Tensor // [C] ≤ 0
	bonus    func(g *nn.Graph) *nn.Tensor // [C], nil for 1
}

// state5 is the state of a block: two vectors and, for each head, a matrix, the
// decaying sum of kᵀv.
type state5 struct {
	shiftState `s:""`
	WKV        *nn.Tensor `s:"wkv"` // [B,H,N key,N value]
}

func (m *timeMix5) forward(g *nn.Graph, residual, x *nn.Tensor, s *state5) *nn.Tensor {
	mixed := nn.ShiftMix(g, x, s.AttX, m.MuK, m.MuV, m.MuR, m.MuG)
	p := nn.Linears(g, nn.Product{W: m.Key, X: mixed[0]}, nn.Product{W: m.Value, X: mixed[1]},
		nn.Product{W: m.Receptance, X: mixed[2]}, nn.Product{W: m.Gate, X: mixed[3]})
	k, v, r, gate := p[0], p[1], p[2], p[3]
	y := nn.WKV5(g, m.logDecay(g), m.bonus(g), r, k, v, m.heads, s.WKV)
	y = nn.SwiGLU(g, gate, m.LNX.forward(g, y))
	return nn.LinearThen(g, m.Output, y, nn.Then{Residual: residual})
}

func (m *timeMix5) newState(B int) *state5 {
	return &state5{shiftState{AttX: lastOf(B, m.MuK)}, matrices(B, m.Output.Dim(0), m.heads)}
}

// New5 builds an RWKV-5 with the official initial weights.
// Source: BlinkDL/RWKV-LM RWKV-v5/src/model.py, RWKV_TimeMix_RWKV5,
// RWKV_ChannelMix and generate_init_weight.
func New5(c Config5, seed uint64) (arch.Model, error) {
	size := sized{c.Dim, c.Layers, c.Vocab, seed}
	if err := size.check(); err != nil {
		return nil, err
	}
	if err := checkHeads(c.Dim, c.HeadSize); err != nil {
		return nil, err
	}
	m := newStack(size, &state5{}, 1e-4, c.SmallInit, c.LN0)
	for l := range c.Layers {
		m.Blocks = append(m.Blocks, &block[*state5]{LN1: newNorm(c.Dim), LN2: newNorm(c.Dim), Att: newTimeMix5(c, size, l), FFN: newChannelMix5(c, size, l)})
	}
	return m, nil
}

func newTimeMix5(c Config5, size sized, l int) *timeMix5 {
	C, N := c.Dim, c.HeadSize
	H := C / N
	r0, r1 := size.layerRatios(l)
	name := fmt.Sprintf("blocks.%d.att.", l)
	m := &timeMix5{
		MuK: ramp(C, r1, 0), MuV: ramp(C, r1, 0.3*r0), MuR: ramp(C, 0.5*r1, 0), MuG: ramp(C, 0.5*r1, 0),
		Receptance: size.orthogonal(name+"receptance", C, C, 1),
		Key:        size.orthogonal(name+"key", C, C, 0.1),
		Value:      size.orthogonal(name+"value", C, C, 1),
		Gate:       size.orthogonal(name+"gate", C, C, 0.1),
		Output:     nn.New(C, C),
		LNX:        newHeadNorm(size, l, H, c.GroupNormEps),
		heads:      H,
	}
	if c.PerHead {
		m.Decay = decay56(H, r0)
		m.Faaaa = each(H, func(h int) float64 { return r0 * (1 - float64(h)/float64(max(1, H-1))) })
	} else {
		m.Decay, m.Faaaa = shaped(decay56(C, r0), H, N), shaped(bonus56(C, r0), H, N)
	}
	if c.ExpBonus {
		m.First, m.Faaaa = m.Faaaa.Fill(-3), nil
	}
	spread(m.Decay, c.DecaySpread)
	m.logDecay = ablateDecay(c.TimeDecay, &m.Decay, C, kernels.ActNegExp)
	without(c.Bonus, &m.Faaaa, &m.First)
	m.bonus = bonusOf(m.Faaaa, m.First, C)
	without(c.OutputGate, &m.Gate, &m.MuG)
	if c.GroupNorm == off {
		m.LNX = nil
	}
	ablateShift(c.TokenShift, &m.MuK, &m.MuV, &m.MuR, &m.MuG)
	return m
}

// decay56 returns the initial time_decay of n channels or heads.
func decay56(n int, r0 float64) *nn.Tensor {
	return each(n, func(i int) float64 { return -6 + 5*math.Pow(float64(i)/float64(max(1, n-1)), 0.7+1.3*r0) })
}

// bonus56 returns the initial time_faaaa.
func bonus56(C int, r0 float64) *nn.Tensor {
	return each(C, func(i int) float64 { return r0*(1-float64(i)/float64(max(1, C-1))) + 0.1*float64((i+1)%3-1) })
}

// newHeadNorm returns the ln_x of layer l.
func newHeadNorm(size sized, l, heads int, eps float64) *headNorm {
	w := float32(math.Pow(float64(l+1)/float64(size.layers), 0.7))
	return &headNorm{Weight: nn.New(size.dim).Fill(w), Bias: nn.New(size.dim), heads: heads, eps: float32(eps)}
}

// bonusOf returns the bonus [C] from its weight or from its logarithm, nil for
// a bonus of 1.
func bonusOf(faaaa, first *nn.Tensor, C int) func(g *nn.Graph) *nn.Tensor {
	return func(g *nn.Graph) *nn.Tensor {
		u := faaaa
		if first != nil {
			u = nn.Exp(g, first)
		}
		if u != nil && u.Len() < C {
			u = nn.Repeat(g, u, C/u.Len())
		}
		return u
	}
}

func newChannelMix5(c Config5, size sized, l int) *channelMix4 {
	C, F := c.Dim, c.FFN
	_, r1 := size.layerRatios(l)
	m := &channelMix4{
		MuK: ramp(C, r1, 0), MuR: ramp(C, r1, 0),
		Key: size.orthogonal(fmt.Sprintf("blocks.%d.ffn.key", l), F, C, 1), Receptance: nn.New(C, C), Value: nn.New(C, F),
		f: activations[c.ChannelActivation],
	}
	without(c.ChannelReceptance, &m.Receptance, &m.MuR)
	ablateShift(channelShift(c.ChannelShift, c.TokenShift), &m.MuK, &m.MuR)
	return m
}
