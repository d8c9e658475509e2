package rwkv

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// Config4 is the configuration of RWKV-4 "Dove".
// Source: Peng et al., arXiv 2305.13048; BlinkDL/RWKV-LM RWKV-v4neo/src/model.py.
type Config4 struct {
	Dim               int     `json:"dim"`
	Layers            int     `json:"layers"`
	Vocab             int     `json:"vocab"`
	FFN               int     `json:"ffn"`
	TokenShift        string  `json:"token_shift" values:"learned,fixed,none"`
	ChannelShift      string  `json:"channel_shift" values:"same,learned,fixed,none"`
	TimeDecay         string  `json:"time_decay" values:"learned,fixed,shared,none"`
	DecaySpread       float64 `json:"decay_spread"`
	Bonus             string  `json:"bonus" values:"on,off" doc:"whether the present token has a weight of its own, or counts like the one before"`
	Receptance        string  `json:"receptance" values:"on,off" doc:"the gate of the time mixing"`
	ChannelReceptance string  `json:"channel_receptance" values:"on,off"`
	ChannelActivation string  `json:"channel_activation" values:"relu2,relu,gelu,silu"`
	SmallInit         string  `json:"small_init" values:"on,off"`
	LN0               string  `json:"ln0" values:"on,off"`
}

// Default4 is the default configuration.
var Default4 = Config4{Dim: 256, Layers: 6, Vocab: 256, TokenShift: learned, ChannelShift: same, TimeDecay: learned, DecaySpread: 1,
	Bonus: on, Receptance: on, ChannelReceptance: on, ChannelActivation: "relu2", SmallInit: on, LN0: on}

func init() { arch.Register("rwkv4", Default4, New4, docs) }

// Resolve replaces the values that stand for a rule.
func (c Config4) Resolve() any {
	if c.FFN == 0 {
		c.FFN = 4 * c.Dim
	}
	return c
}

// timeMix4 is the time mixing of RWKV-4: a decaying, key-weighted mean of
// values.
type timeMix4 struct {
	MuK        *nn.Tensor `w:"time_mix_k"`        // [C]
	MuV        *nn.Tensor `w:"time_mix_v"`        // [C]
	MuR        *nn.Tensor `w:"time_mix_r"`        // [C]
	Decay      *nn.Tensor `w:"time_decay"`        // [C], the log-decay of a step is -exp(Decay)
	First      *nn.Tensor `w:"time_first"`        // [C]
	Key        *nn.Tensor `w:"key.weight"`        // [C,C]
	Value      *nn.Tensor `w:"value.weight"`      // [C,C]
	Receptance *nn.Tensor `w:"receptance.weight"` // [C,C]
	Output     *nn.Tensor `w:"output.weight"`     // [C,C]

	logDecay func(g *nn.Graph) *nn.Tensor // [C] ≤ 0
	bonus    *nn.Tensor                   // [C], First unless it is ablated
}

// state4 is the state of a block: five vectors [B,C].
type state4 struct {
	shiftState `s:""`
	WKV        *nn.WKV4State `s:""` // aa, bb and pp of the recurrence
}

func (m *timeMix4) forward(g *nn.Graph, residual, x *nn.Tensor, s *state4) *nn.Tensor {
	mixed := nn.ShiftMix(g, x, s.AttX, m.MuK, m.MuV, m.MuR)
	p := nn.Linears(g, nn.Product{W: m.Key, X: mixed[0]}, nn.Product{W: m.Value, X: mixed[1]}, nn.Product{W: m.Receptance, X: mixed[2]})
	k, v, r := p[0], p[1], p[2]
	y := nn.WKV4(g, m.logDecay(g), m.bonus, k, v, s.WKV)
	return nn.LinearThen(g, m.Output, nn.SigmoidMul(g, r, y), nn.Then{Residual: residual})
}

func (m *timeMix4) newState(B int) *state4 {
	return &state4{shiftState{AttX: lastOf(B, m.MuK)}, nn.NewWKV4State(B, m.Output.Dim(0))}
}

// New4 builds an RWKV-4 with the official initial weights.
// Source: BlinkDL/RWKV-LM RWKV-v4neo/src/model.py, RWKV_TimeMix,
// RWKV_ChannelMix and generate_init_weight.
func New4(c Config4, seed uint64) (arch.Model, error) {
	size := sized{c.Dim, c.Layers, c.Vocab, seed}
	if err := size.check(); err != nil {
		return nil, err
	}
	const embRange = 6e-4 // the official trainer's initial learning rate
	m := newStack(size, &state4{}, embRange, c.SmallInit, c.LN0)
	for l := range c.Layers {
		m.Blocks = append(m.Blocks, &block[*state4]{LN1: newNorm(c.Dim), LN2: newNorm(c.Dim), Att: newTimeMix4(c, size, l), FFN: newChannelMix4(c, size, l)})
	}
	return m, nil
}

func newTimeMix4(c Config4, size sized, l int) *timeMix4 {
	C := c.Dim
	r0, r1 := size.layerRatios(l)
	m := &timeMix4{
		MuK: ramp(C, r1, 0), MuV: ramp(C, r1, 0.3*r0), MuR: ramp(C, 0.5*r1, 0),
		Decay: each(C, func(i int) float64 {
			return -5 + 8*math.Pow(float64(i)/float64(max(1, C-1)), 0.7+1.3*r0)
		}),
		First: each(C, func(i int) float64 { return math.Log(0.3) + 0.5*float64((i+1)%3-1) }),
		Key:   nn.New(C, C), Value: size.orthogonal(fmt.Sprintf("blocks.%d.att.value", l), C, C, 1),
		Receptance: nn.New(C, C), Output: nn.New(C, C),
	}
	spread(m.Decay, c.DecaySpread)
	m.logDecay = ablateDecay(c.TimeDecay, &m.Decay, C, kernels.ActNegExp)
	m.bonus = m.First
	if without(c.Bonus, &m.First); m.First == nil {
		m.bonus = nn.New(C)
		m.bonus.Const = true
	}
	without(c.Receptance, &m.Receptance, &m.MuR)
	ablateShift(c.TokenShift, &m.MuK, &m.MuV, &m.MuR)
	return m
}

func newChannelMix4(c Config4, size sized, l int) *channelMix4 {
	C, F := c.Dim, c.FFN
	_, r1 := size.layerRatios(l)
	m := &channelMix4{
		MuK: ramp(C, r1, 0), MuR: ramp(C, r1, 0),
		Key: nn.New(F, C), Receptance: nn.New(C, C), Value: nn.New(C, F),
		f: activations[c.ChannelActivation],
	}
	nn.Orthogonal(m.Key, nn.Rand(size.seed, fmt.Sprintf("blocks.%d.ffn.key", l)), expansion(m.Key))
	without(c.ChannelReceptance, &m.Receptance, &m.MuR)
	ablateShift(channelShift(c.ChannelShift, c.TokenShift), &m.MuK, &m.MuR)
	return m
}
