package rwkv

import (
	"fmt"
	"math"
	"math/rand/v2"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// Config6 is the configuration of RWKV-6 "Finch" (x060).
// Source: Peng et al., arXiv 2404.05892; BlinkDL/RWKV-LM RWKV-v5/src/model.py.
type Config6 struct {
	Dim               int     `json:"dim"`
	Layers            int     `json:"layers"`
	Vocab             int     `json:"vocab"`
	HeadSize          int     `json:"head_size"`
	FFN               int     `json:"ffn"`
	MixRank           int     `json:"mix_rank" doc:"rank of what a token adds to each mix; 0 means 32, from dim 4096 on 64"`
	DecayRank         int     `json:"decay_rank" doc:"rank of what a token adds to the decay; 0 means 64, from dim 4096 on 128"`
	GroupNormEps      float64 `json:"group_norm_eps"`
	Rescale           int     `json:"rescale" doc:"compute as files for float16 do, which halve the residual stream after every so many layers; 0 never"`
	TokenShift        string  `json:"token_shift" values:"data-dependent,learned,fixed,none" doc:"how much of the previous token each channel of the time mixing sees: as both tokens say, the same for all tokens, that left at its initial value, or nothing"`
	ChannelShift      string  `json:"channel_shift" values:"same,learned,fixed,none" doc:"the same for the channel mixing, where learned is as published; same as token_shift"`
	TimeDecay         string  `json:"time_decay" values:"learned,static,fixed,shared,none"`
	DecaySpread       float64 `json:"decay_spread"`
	Bonus             string  `json:"bonus" values:"on,off"`
	OutputGate        string  `json:"output_gate" values:"on,off"`
	GroupNorm         string  `json:"group_norm" values:"on,off"`
	ChannelReceptance string  `json:"channel_receptance" values:"on,off"`
	ChannelActivation string  `json:"channel_activation" values:"relu2,relu,gelu,silu"`
	SmallInit         string  `json:"small_init" values:"on,off"`
	LN0               string  `json:"ln0" values:"on,off"`
}

// Default6 is the default configuration.
var Default6 = Config6{Dim: 256, Layers: 6, Vocab: 256, GroupNormEps: 64e-5, TokenShift: dataDependent, ChannelShift: same, TimeDecay: learned, DecaySpread: 1,
	Bonus: on, OutputGate: on, GroupNorm: on, ChannelReceptance: on, ChannelActivation: "relu2", SmallInit: on, LN0: on}

func init() { arch.Register("rwkv6", Default6, New6, docs56, docs67, docs) }

// Resolve replaces the values that stand for a rule.
func (c Config6) Resolve() any {
	c.HeadSize = headSize(c.HeadSize, c.Dim)
	large := 1
	if c.Dim >= 4096 {
		large = 2
	}
	for _, r := range []struct {
		size *int
		rule int
	}{{&c.FFN, hidden35(c.Dim)}, {&c.MixRank, 32 * large}, {&c.DecayRank, 64 * large}} {
		if *r.size == 0 {
			*r.size = r.rule
		}
	}
	return c
}

// timeMix6 is timeMix5 with a data-dependent token shift and decay.
type timeMix6 struct {
	MuX        *nn.Tensor `w:"time_maa_x"`          // [C], mix of the input of MixDown
	MuW        *nn.Tensor `w:"time_maa_w"`          // [C]
	MuK        *nn.Tensor `w:"time_maa_k"`          // [C]
	MuV        *nn.Tensor `w:"time_maa_v"`          // [C]
	MuR        *nn.Tensor `w:"time_maa_r"`          // [C]
	MuG        *nn.Tensor `w:"time_maa_g"`          // [C]
	MixDown    *nn.Tensor `w:"time_maa_w1,inout"`   // [mixes·rank,C]
	MixUp      *nn.Tensor `w:"time_maa_w2,inout"`   // [mixes,C,rank]
	Decay      *nn.Tensor `w:"time_decay"`          // [C], the log-decay of a step is -exp(Decay + DecayUp·h)
	DecayDown  *nn.Tensor `w:"time_decay_w1,inout"` // [rank,C]
	DecayUp    *nn.Tensor `w:"time_decay_w2,inout"` // [C,rank]
	Faaaa      *nn.Tensor `w:"time_faaaa,vector"`   // [H,N], the bonus
	Receptance *nn.Tensor `w:"receptance.weight"`   // [C,C]
	Key        *nn.Tensor `w:"key.weight"`          // [C,C]
	Value      *nn.Tensor `w:"value.weight"`        // [C,C]
	Gate       *nn.Tensor `w:"gate.weight"`         // [C,C]
	Output     *nn.Tensor `w:"output.weight"`       // [C,C]
	LNX        *headNorm  `w:"ln_x"`

	heads int
	// shift computes the inputs of the decay, k, v, r and the gate from x
	// [B,T,C].
	shift func(g *nn.Graph, x, last *nn.Tensor) [nn.MaxMixes]*nn.Tensor
	// recall runs the recurrence, whose decay may depend on h, the output of
	// DecayDown.
	recall func(g *nn.Graph, h, r, k, v, s *nn.Tensor) *nn.Tensor
}

// state6 is the state of a block: as in RWKV-5, two vectors and a matrix for
// each head.
type state6 struct {
	shiftState `s:""`
	WKV        *nn.Tensor `s:"wkv"` // [B,H,N key,N value]
}

func (m *timeMix6) forward(g *nn.Graph, residual, x *nn.Tensor, s *state6) *nn.Tensor {
	mixed := m.shift(g, x, s.AttX)
	p := nn.Linears(g, nn.Product{W: m.Key, X: mixed[1]}, nn.Product{W: m.Value, X: mixed[2]},
		nn.Product{W: m.Receptance, X: mixed[3]}, nn.Product{W: m.Gate, X: mixed[4]},
		nn.Product{W: m.DecayDown, X: mixed[0], Then: nn.Then{F: kernels.ActTanh}})
	k, v, r, gate := p[0], p[1], p[2], p[3]
	y := m.recall(g, p[4], r, k, v, s.WKV)
	y = nn.SwiGLU(g, gate, m.LNX.forward(g, y))
	return nn.LinearThen(g, m.Output, y, nn.Then{Residual: residual})
}

// ddlerp is the token shift whose mix weights depend on both tokens.
func (m *timeMix6) ddlerp(g *nn.Graph, x, last *nn.Tensor) [nn.MaxMixes]*nn.Tensor {
	z := nn.ShiftMixPrev(g, x, nn.Snapshot(g, last), m.MuX)[0]
	h := nn.LinearThen(g, m.MixDown, z, nn.Then{F: kernels.ActTanh})
	by := nn.LinearBlocks(g, m.MixUp, h)
	return nn.ShiftMixBy(g, x, last, by, m.MuW, m.MuK, m.MuV, m.MuR, m.MuG)
}

func (m *timeMix6) lerp(g *nn.Graph, x, last *nn.Tensor) [nn.MaxMixes]*nn.Tensor {
	return nn.ShiftMixPrev(g, x, last, m.MuW, m.MuK, m.MuV, m.MuR, m.MuG)
}

// decaying is the recurrence with a decay of its own for each token.
func (m *timeMix6) decaying(g *nn.Graph, h, r, k, v, s *nn.Tensor) *nn.Tensor {
	w := nn.LinearThen(g, m.DecayUp, h, nn.Then{Bias: m.Decay, F: kernels.ActNegExp})
	return nn.WKV6(g, w, m.Faaaa, r, k, v, m.heads, s)
}

func (m *timeMix6) newState(B int) *state6 {
	return &state6{shiftState{AttX: lastOf(B, m.MuK)}, matrices(B, m.Output.Dim(0), m.heads)}
}

// channelMix6 is channelMix4 with mix weights applied to the previous token.
type channelMix6 struct {
	MuK        *nn.Tensor `w:"time_maa_k"`        // [C]
	MuR        *nn.Tensor `w:"time_maa_r"`        // [C]
	Key        *nn.Tensor `w:"key.weight"`        // [F,C]
	Receptance *nn.Tensor `w:"receptance.weight"` // [C,C]
	Value      *nn.Tensor `w:"value.weight"`      // [C,F]

	f kernels.Activation
}

func (m *channelMix6) forward(g *nn.Graph, residual, x, last *nn.Tensor) *nn.Tensor {
	mixed := nn.ShiftMixPrev(g, x, last, m.MuK, m.MuR)
	return feedForward(g, residual, mixed, m.Key, m.Receptance, m.Value, m.f)
}

func (m *channelMix6) newLast(B int) *nn.Tensor { return lastOf(B, m.MuK) }

// New6 builds an RWKV-6 with the official initial weights.
// Source: BlinkDL/RWKV-LM RWKV-v5/src/model.py, RWKV_Tmix_x060,
// RWKV_CMix_x060 and generate_init_weight.
func New6(c Config6, seed uint64) (arch.Model, error) {
	size := sized{c.Dim, c.Layers, c.Vocab, seed}
	if err := size.check(); err != nil {
		return nil, err
	}
	if err := checkHeads(c.Dim, c.HeadSize); err != nil {
		return nil, err
	}
	m := newStack(size, &state6{}, 1e-4, c.SmallInit, c.LN0)
	for l := range c.Layers {
		b := &block[*state6]{LN1: newNorm(c.Dim), LN2: newNorm(c.Dim), Att: newTimeMix6(c, size, l), FFN: newChannelMix6(c, size, l)}
		b.LN1.eps *= rescaled(l, c.Rescale)
		b.LN2.eps *= rescaled(l, c.Rescale)
		m.Blocks = append(m.Blocks, b)
	}
	m.LNOut.eps *= rescaled(c.Layers, c.Rescale)
	return m, nil
}

// rescaled is the factor of the eps of a norm behind that many layers, in a
// model whose residual stream is halved after every n of them. Here the stream
// is not halved: a norm of x/2^k with some eps equals, to the bit, the norm of
// x with 4^k times that eps.
func rescaled(layers, n int) float32 {
	if n == 0 {
		return 1
	}
	return float32(math.Ldexp(1, 2*(layers/n)))
}

func newTimeMix6(c Config6, size sized, l int) *timeMix6 {
	C, N := c.Dim, c.HeadSize
	H := C / N
	r0, r1 := size.layerRatios(l)
	name := fmt.Sprintf("blocks.%d.att.", l)
	m := &timeMix6{
		MuX: restOf(ramp(C, r1, 0)), MuW: restOf(ramp(C, r1, 0)), MuK: restOf(ramp(C, r1, 0)), MuV: restOf(ramp(C, r1, 0.3*r0)),
		MuR: restOf(ramp(C, 0.5*r1, 0)), MuG: restOf(ramp(C, 0.5*r1, 0)),
		Decay:     decay56(C, r0),
		DecayDown: nn.New(c.DecayRank, C), DecayUp: nn.New(C, c.DecayRank),
		Faaaa:      shaped(bonus56(C, r0), H, N),
		Receptance: size.orthogonal(name+"receptance", C, C, 1),
		Key:        size.orthogonal(name+"key", C, C, 0.1),
		Value:      size.orthogonal(name+"value", C, C, 1),
		Gate:       size.orthogonal(name+"gate", C, C, 0.1),
		Output:     nn.New(C, C),
		LNX:        newHeadNorm(size, l, H, c.GroupNormEps),
		heads:      H,
	}
	nn.Uniform(m.DecayUp, nn.Rand(size.seed, name+"time_decay_w2"), 0.01)
	spread(m.Decay, c.DecaySpread)
	without(c.Bonus, &m.Faaaa)
	without(c.OutputGate, &m.Gate, &m.MuG)
	if c.GroupNorm == off {
		m.LNX = nil
	}
	m.ablateDecay(c.TimeDecay)
	m.ablateShift(c, nn.Rand(size.seed, name+"time_maa_w2"))
	return m
}

// ablateDecay resolves a decay that does not depend on the token: it removes
// the weights of the data-dependent decay, and the recurrence becomes that of
// RWKV-5.
func (m *timeMix6) ablateDecay(kind string) {
	m.recall = m.decaying
	if kind == learned {
		return
	}
	m.DecayDown, m.DecayUp, m.MuW = nil, nil, nil
	logDecay := ablateDecay(kind, &m.Decay, m.Output.Dim(0), kernels.ActNegExp)
	m.recall = func(g *nn.Graph, _, r, k, v, s *nn.Tensor) *nn.Tensor {
		return nn.WKV5(g, logDecay(g), m.Faaaa, r, k, v, m.heads, s)
	}
}

// ablateShift resolves the token shift: a data-dependent one gets low-rank
// matrices for the remaining mixes, any other loses MuX.
func (m *timeMix6) ablateShift(c Config6, r *rand.Rand) {
	mus := []**nn.Tensor{&m.MuW, &m.MuK, &m.MuV, &m.MuR, &m.MuG}
	if c.TokenShift != dataDependent {
		m.MuX, m.shift = nil, m.lerp
		ablateShift(c.TokenShift, mus...)
		return
	}
	m.shift = m.ddlerp
	mixes := 0
	for _, mu := range mus {
		if *mu != nil {
			mixes++
		}
	}
	m.MixDown = nn.New(mixes*c.MixRank, c.Dim)
	m.MixUp = nn.Uniform(nn.New(mixes, c.Dim, c.MixRank), r, 0.01)
}

func newChannelMix6(c Config6, size sized, l int) *channelMix6 {
	C, F := c.Dim, c.FFN
	_, r1 := size.layerRatios(l)
	power := math.Pow(r1, 3)
	m := &channelMix6{
		MuK: restOf(ramp(C, power, 0)), MuR: restOf(ramp(C, power, 0)),
		Key: size.orthogonal(fmt.Sprintf("blocks.%d.ffn.key", l), F, C, 1), Receptance: nn.New(C, C), Value: nn.New(C, F),
		f: activations[c.ChannelActivation],
	}
	without(c.ChannelReceptance, &m.Receptance, &m.MuR)
	ablateShift(channelShift(c.ChannelShift, c.TokenShift), &m.MuK, &m.MuR)
	return m
}
