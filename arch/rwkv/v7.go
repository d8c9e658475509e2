package rwkv

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// Config7 is the configuration of RWKV-7 "Goose" (x070).
// Source: Peng et al., arXiv 2503.14456; BlinkDL/RWKV-LM
// RWKV-v7/train_temp/src/model.py.
type Config7 struct {
	Dim               int     `json:"dim"`
	Layers            int     `json:"layers"`
	Vocab             int     `json:"vocab"`
	HeadSize          int     `json:"head_size"`
	FFN               int     `json:"ffn"`
	DecayRank         int     `json:"decay_rank" doc:"rank of the decay; 0 means 2.5·√dim to the nearest multiple of 32"`
	ICLRRank          int     `json:"iclr_rank" doc:"rank of the in-context rate; 0 means that of the decay"`
	ValueRank         int     `json:"value_rank" doc:"rank of the value residual; 0 means 1.7·√dim to the nearest multiple of 32"`
	GateRank          int     `json:"gate_rank" doc:"rank of the output gate; 0 means 5·√dim to the nearest multiple of 32"`
	GroupNormEps      float64 `json:"group_norm_eps"`
	TokenShift        string  `json:"token_shift" values:"learned,fixed,none"`
	ChannelShift      string  `json:"channel_shift" values:"same,learned,fixed,none"`
	TimeDecay         string  `json:"time_decay" values:"learned,static,fixed,shared,none"`
	DecaySpread       float64 `json:"decay_spread"`
	ICLR              string  `json:"iclr" values:"learned,static,fixed,off" doc:"how much of what its key holds a token replaces, the rate a: as the token says, trained but the same for all tokens, that left at its initial value, or all of it"`
	Removal           string  `json:"removal" values:"on,off" doc:"whether what a key holds is removed from the memory before its value is added"`
	ValueResidual     string  `json:"value_residual" values:"on,off" doc:"whether layers mix the first layer's values into theirs"`
	Bonus             string  `json:"bonus" values:"on,off" doc:"the weight of its own of the present token"`
	OutputGate        string  `json:"output_gate" values:"on,off"`
	GroupNorm         string  `json:"group_norm" values:"on,off"`
	ChannelActivation string  `json:"channel_activation" values:"relu2,relu,gelu,silu"`
	SmallInit         string  `json:"small_init" values:"on,off"`
	LN0               string  `json:"ln0" values:"on,off"`
}

// Default7 is the default configuration.
var Default7 = Config7{Dim: 256, Layers: 6, Vocab: 256, GroupNormEps: 64e-5, TokenShift: learned, ChannelShift: same, TimeDecay: learned, DecaySpread: 1,
	ICLR: learned, Removal: on, ValueResidual: on, Bonus: on, OutputGate: on, GroupNorm: on, ChannelActivation: "relu2", SmallInit: on, LN0: on}

func init() { arch.Register("rwkv7", Default7, New7, docs67, docs) }

// Resolve replaces the values that stand for a rule.
func (c Config7) Resolve() any {
	c.HeadSize = headSize(c.HeadSize, c.Dim)
	rank := func(factor float64) int {
		return max(32, int(math.RoundToEven(factor*math.Sqrt(float64(c.Dim))/32))*32)
	}
	for _, r := range []struct {
		size *int
		rule int
	}{{&c.FFN, 4 * c.Dim}, {&c.DecayRank, rank(2.5)}, {&c.ICLRRank, rank(2.5)}, {&c.ValueRank, rank(1.7)}, {&c.GateRank, rank(5)}} {
		if *r.size == 0 {
			*r.size = r.rule
		}
	}
	return c
}

// state7 is the state of a block: two vectors and, for each head, a matrix that
// maps a key to its value.
type state7 struct {
	shiftState `s:""`
	WKV        *nn.Tensor `s:"wkv"` // [B,H,N key,N value]
}

// block7 is a block that, behind the first layer, also reads the values of the
// first layer.
type block7 struct {
	LN1 *norm        `w:"ln1"`
	LN2 *norm        `w:"ln2"`
	Att *timeMix7    `w:"att"`
	FFN *channelMix7 `w:"ffn"`

	values valuePath
}

// valuePath says whether a block takes the values of the first layer from the
// layer before and gives them to the next. What layers pass on is then a stack
// [2,B,T,C]: the residual stream x and these values.
type valuePath struct{ takes, gives bool }

func (b *block7) forward(g *nn.Graph, stream *nn.Tensor, s *state7) *nn.Tensor {
	x, first := b.values.take(g, stream)
	x, v := b.Att.forward(g, x, b.LN1.forward(g, x), first, s)
	x = b.FFN.forward(g, x, b.LN2.forward(g, x), s.FFNX)
	return b.values.give(g, x, first, v)
}

// take splits the stream into x and the values of the first layer, which are
// nil in the first layer.
func (p valuePath) take(g *nn.Graph, stream *nn.Tensor) (x, first *nn.Tensor) {
	if p.takes {
		return nn.Unstack(g, stream)
	}
	return stream, nil
}

// give returns the stream for the next layer.
func (p valuePath) give(g *nn.Graph, x, first, v *nn.Tensor) *nn.Tensor {
	switch {
	case !p.gives:
		return x
	case p.takes:
		return nn.Stack(g, x, first)
	}
	return nn.Stack(g, x, v)
}

func (b *block7) newState(B int) *state7 {
	shifts := shiftState{AttX: lastOf(B, b.Att.MuR), FFNX: lastOf(B, b.FFN.MuK)}
	return &state7{shifts, matrices(B, b.Att.Output.Dim(0), b.Att.heads)}
}

// timeMix7 is the time mixing of RWKV-7: a matrix for each head, from which
// every token removes the value stored under its key before it adds its own
// kᵀv.
type timeMix7 struct {
	MuR        *nn.Tensor `w:"x_r"`               // [C]
	MuW        *nn.Tensor `w:"x_w"`               // [C]
	MuK        *nn.Tensor `w:"x_k"`               // [C]
	MuV        *nn.Tensor `w:"x_v"`               // [C]
	MuA        *nn.Tensor `w:"x_a"`               // [C]
	MuG        *nn.Tensor `w:"x_g"`               // [C]
	W0         *nn.Tensor `w:"w0"`                // [C], the decay: w0 + w2·tanh(w1·x)
	W1         *nn.Tensor `w:"w1,inout"`          // [rank,C]
	W2         *nn.Tensor `w:"w2,inout"`          // [C,rank]
	A0         *nn.Tensor `w:"a0"`                // [C], the in-context rate: σ(a0 + a2·a1·x)
	A1         *nn.Tensor `w:"a1,inout"`          // [rank,C]
	A2         *nn.Tensor `w:"a2,inout"`          // [C,rank]
	V0         *nn.Tensor `w:"v0"`                // [C], the value residual: σ(v0 + v2·v1·x)
	V1         *nn.Tensor `w:"v1,inout"`          // [rank,C]
	V2         *nn.Tensor `w:"v2,inout"`          // [C,rank]
	G1         *nn.Tensor `w:"g1,inout"`          // [rank,C], the output gate: g2·σ(g1·x)
	G2         *nn.Tensor `w:"g2,inout"`          // [C,rank]
	KK         *nn.Tensor `w:"k_k"`               // [C], weight of the removal key
	KA         *nn.Tensor `w:"k_a"`               // [C], how far the rate scales the key
	RK         *nn.Tensor `w:"r_k,vector"`        // [H,N], the bonus
	Receptance *nn.Tensor `w:"receptance.weight"` // [C,C]
	Key        *nn.Tensor `w:"key.weight"`        // [C,C]
	Value      *nn.Tensor `w:"value.weight"`      // [C,C]
	Output     *nn.Tensor `w:"output.weight"`     // [C,C]
	LNX        *headNorm  `w:"ln_x"`

	heads int
	// logDecay and rate return the log-decay and the in-context rate [B,T,C]:
	// own, computed by the low-rank weights, or a vector shared by all tokens, in
	// the shape of k.
	logDecay, rate func(g *nn.Graph, own, k *nn.Tensor) *nn.Tensor
	// recall runs the recurrence: nn.WKV7, or one without removal.
	recall func(g *nn.Graph, w, r, k, v, remove, replace *nn.Tensor, heads int, s *nn.Tensor) *nn.Tensor
}

// forward returns residual + the time mixing of x, and the values v of this
// layer. first holds the values of the first layer, nil in that layer itself.
func (m *timeMix7) forward(g *nn.Graph, residual, x, first *nn.Tensor, s *state7) (y, v *nn.Tensor) {
	mixed := nn.ShiftMixPrev(g, x, s.AttX, m.MuR, m.MuW, m.MuK, m.MuV, m.MuA, m.MuG)
	xr, xw, xk, xv, xa, xg := mixed[0], mixed[1], mixed[2], mixed[3], mixed[4], mixed[5]
	p := nn.Linears(g,
		nn.Product{W: m.Receptance, X: xr}, nn.Product{W: m.Key, X: xk}, nn.Product{W: m.Value, X: xv},
		nn.Product{W: m.W1, X: xw, Then: nn.Then{F: kernels.ActTanh}}, nn.Product{W: m.A1, X: xa},
		nn.Product{W: m.V1, X: xv}, nn.Product{W: m.G1, X: xg, Then: nn.Then{F: kernels.ActSigmoid}})
	r, k, v := p[0], p[1], p[2]
	q := nn.Linears(g,
		nn.Product{W: m.W2, X: p[3], Then: nn.Then{Bias: m.W0, F: kernels.ActDecay7}},
		nn.Product{W: m.A2, X: p[4], Then: nn.Then{Bias: m.A0, F: kernels.ActSigmoid}},
		nn.Product{W: m.V2, X: p[5], Then: nn.Then{Bias: m.V0, F: kernels.ActSigmoid}},
		nn.Product{W: m.G2, X: p[6]})
	w, a, gate := m.logDecay(g, q[0], k), m.rate(g, q[1], k), q[3]
	v = nn.Lerp(g, v, first, q[2])

	remove, replace, key := nn.Keys7(g, k, a, m.KK, m.KA, m.heads)
	y = m.recall(g, w, r, key, v, remove, replace, m.heads, s.WKV)
	y = nn.Gate7(g, m.LNX.forward(g, y), r, key, m.RK, v, gate, m.heads)
	return nn.LinearThen(g, m.Output, y, nn.Then{Residual: residual}), v
}

// channelMix7 is the feed-forward layer, without a gate.
type channelMix7 struct {
	MuK   *nn.Tensor `w:"x_k"`          // [C]
	Key   *nn.Tensor `w:"key.weight"`   // [F,C]
	Value *nn.Tensor `w:"value.weight"` // [C,F]

	f kernels.Activation
}

func (m *channelMix7) forward(g *nn.Graph, residual, x, last *nn.Tensor) *nn.Tensor {
	return feedForward(g, residual, nn.ShiftMixPrev(g, x, last, m.MuK), m.Key, nil, m.Value, m.f)
}

// New7 builds an RWKV-7 with the official initial weights.
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/src/model.py, RWKV_Tmix_x070,
// RWKV_CMix_x070 and generate_init_weight.
func New7(c Config7, seed uint64) (arch.Model, error) {
	size := sized{c.Dim, c.Layers, c.Vocab, seed}
	if err := size.check(); err != nil {
		return nil, err
	}
	if err := checkHeads(c.Dim, c.HeadSize); err != nil {
		return nil, err
	}
	m := newStack(size, &state7{}, 1e-4, c.SmallInit, c.LN0)
	for l := range c.Layers {
		b := &block7{LN1: newNorm(c.Dim), LN2: newNorm(c.Dim), Att: newTimeMix7(c, size, l), FFN: newChannelMix7(c, size, l)}
		if c.ValueResidual == on {
			b.values = valuePath{takes: l > 0, gives: l < c.Layers-1}
		}
		m.Blocks = append(m.Blocks, b)
	}
	return m, nil
}

func newTimeMix7(c Config7, size sized, l int) *timeMix7 {
	C, N := c.Dim, c.HeadSize
	r0, r1 := size.layerRatios(l)
	name := fmt.Sprintf("blocks.%d.att.", l)
	mu := func(power float64) *nn.Tensor { return restOf(ramp(C, power*r1, 0)) }
	along := func(i int) float64 { return float64(i) / float64(max(1, C-1)) }
	linear := func(i int) float64 { return along(i) - 0.5 }
	zigzag := func(i int) float64 {
		half := max(0.5, float64(N-1)/2)
		z := (float64(i%N) - float64(N-1)/2) / half
		return z * math.Abs(z)
	}
	m := &timeMix7{
		MuR: mu(0.2), MuW: mu(0.9), MuK: mu(0.7), MuV: mu(0.7), MuA: mu(0.9), MuG: mu(0.2),
		W0: each(C, func(i int) float64 {
			return -6 + 6*math.Pow(along(i), 1+math.Pow(r0, 0.3)) + 0.5 + 2.5*zigzag(i)
		}),
		A0:         each(C, func(i int) float64 { return -0.19 + 0.3*zigzag(i) + 0.4*linear(i) }),
		V0:         each(C, func(i int) float64 { return 0.73 - 0.4*linear(i) }),
		KK:         each(C, func(i int) float64 { return 0.71 - 0.1*linear(i) }),
		KA:         nn.New(C).Fill(1.02),
		RK:         nn.New(C/N, N).Fill(-0.04),
		Receptance: size.orthogonal(name+"receptance", C, C, 1),
		Key:        size.orthogonal(name+"key", C, C, 0.1),
		Value:      size.orthogonal(name+"value", C, C, 1),
		Output:     nn.New(C, C),
		LNX:        newHeadNorm(size, l, C/N, c.GroupNormEps),
		heads:      C / N,
	}
	spread(m.W0, c.DecaySpread)
	lora := func(letter string, rank int) (down, up *nn.Tensor) {
		gain := 0.1 * math.Sqrt(max(1, float64(rank)/float64(C))) // of the file's [rank,C]
		return nn.New(rank, C), size.orthogonal(name+letter+"2", C, rank, gain)
	}
	m.W1, m.W2 = lora("w", c.DecayRank)
	m.A1, m.A2 = lora("a", c.ICLRRank)
	m.V1, m.V2 = lora("v", c.ValueRank)
	m.G1, m.G2 = lora("g", c.GateRank)
	m.ablate(c, l)
	return m
}

func newChannelMix7(c Config7, size sized, l int) *channelMix7 {
	_, r1 := size.layerRatios(l)
	m := &channelMix7{
		MuK: restOf(ramp(c.Dim, math.Pow(r1, 4), 0)),
		Key: size.orthogonal(fmt.Sprintf("blocks.%d.ffn.key", l), c.FFN, c.Dim, 1), Value: nn.New(c.Dim, c.FFN),
		f: activations[c.ChannelActivation],
	}
	ablateShift(channelShift(c.ChannelShift, c.TokenShift), &m.MuK)
	return m
}

// ablate applies the ablations of layer l.
func (m *timeMix7) ablate(c Config7, l int) {
	if c.ValueResidual == off || l == 0 {
		m.V0, m.V1, m.V2 = nil, nil, nil
	}
	without(c.Bonus, &m.RK)
	without(c.OutputGate, &m.MuG, &m.G1, &m.G2)
	m.recall = nn.WKV7
	if without(c.Removal, &m.KK); m.KK == nil {
		m.recall = func(g *nn.Graph, w, r, k, v, _, _ *nn.Tensor, heads int, s *nn.Tensor) *nn.Tensor {
			return nn.WKV7Keep(g, w, r, k, v, heads, s)
		}
	}
	if c.GroupNorm == off {
		m.LNX = nil
	}
	own := func(_ *nn.Graph, own, _ *nn.Tensor) *nn.Tensor { return own }
	m.logDecay, m.rate = own, own
	if c.TimeDecay != learned {
		m.MuW, m.W1, m.W2 = nil, nil, nil
		m.logDecay = rowsOf(ablateDecay(c.TimeDecay, &m.W0, c.Dim, kernels.ActDecay7))
	}
	m.ablateRate(c.ICLR)
	ablateShift(c.TokenShift, &m.MuR, &m.MuW, &m.MuK, &m.MuV, &m.MuA, &m.MuG)
}

// ablateRate applies the setting iclr.
func (m *timeMix7) ablateRate(kind string) {
	if kind == learned {
		return
	}
	m.MuA, m.A1, m.A2 = nil, nil, nil
	if kind == off { // a is 1, so that k·(1 + (a-1)·ka) = k
		m.A0, m.KA = nil, nil
		return
	}
	m.A0.Const = kind == fixed
	m.rate = rowsOf(func(g *nn.Graph) *nn.Tensor { return nn.Activate(g, kernels.ActSigmoid, m.A0) })
}

// rowsOf repeats a vector [C] for every token.
func rowsOf(f func(g *nn.Graph) *nn.Tensor) func(g *nn.Graph, own, k *nn.Tensor) *nn.Tensor {
	return func(g *nn.Graph, _, k *nn.Tensor) *nn.Tensor { return nn.Rows(g, f(g), k) }
}
