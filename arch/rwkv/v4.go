// Package rwkv holds the RWKV family, one file a version.
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
	Dim        int    `json:"dim" doc:"channels C"`
	Layers     int    `json:"layers" doc:"blocks L"`
	Vocab      int    `json:"vocab" doc:"vocabulary V"`
	FFN        int    `json:"ffn" doc:"hidden channels of the channel mixing; 0 means 4·dim"`
	TokenShift string `json:"token_shift" values:"learned,fixed,none" doc:"how much of the previous token each channel sees: trained, left at its initial value, or nothing"`
	TimeDecay  string `json:"time_decay" values:"learned,fixed,none" doc:"how fast each channel forgets: trained, left at its initial value, or never"`
}

// Default4 is the default configuration.
var Default4 = Config4{Dim: 256, Layers: 6, Vocab: 256, TokenShift: "learned", TimeDecay: "learned"}

func init() { arch.Register("rwkv4", Default4, New4) }

// Resolve replaces the values that stand for a rule.
func (c Config4) Resolve() any {
	if c.FFN == 0 {
		c.FFN = 4 * c.Dim
	}
	return c
}

type model4 struct {
	Emb    *nn.Tensor `w:"emb.weight,embed"`  // [V,C]
	LN0    norm       `w:"blocks.0.ln0"`      //
	Blocks []*block4  `w:"blocks"`            //
	LNOut  norm       `w:"ln_out"`            //
	Head   *nn.Tensor `w:"head.weight,embed"` // [V,C]
}

type block4 struct {
	LN1 norm        `w:"ln1"`
	LN2 norm        `w:"ln2"`
	Att timeMix4    `w:"att"`
	FFN channelMix4 `w:"ffn"`
}

type norm struct {
	Weight *nn.Tensor `w:"weight"` // [C]
	Bias   *nn.Tensor `w:"bias"`   // [C]
}

func (n norm) forward(g *nn.Graph, x *nn.Tensor) *nn.Tensor {
	return nn.LayerNorm(g, n.Weight, n.Bias, x)
}

// timeMix4 is the long-term memory: a decaying, key-weighted mean of values.
type timeMix4 struct {
	MuK        *nn.Tensor `w:"time_mix_k"`        // [C]
	MuV        *nn.Tensor `w:"time_mix_v"`        // [C]
	MuR        *nn.Tensor `w:"time_mix_r"`        // [C]
	Decay      *nn.Tensor `w:"time_decay"`        // [C], the log-decay a step is -exp of it
	First      *nn.Tensor `w:"time_first"`        // [C]
	Key        *nn.Tensor `w:"key.weight"`        // [C,C]
	Value      *nn.Tensor `w:"value.weight"`      // [C,C]
	Receptance *nn.Tensor `w:"receptance.weight"` // [C,C]
	Output     *nn.Tensor `w:"output.weight"`     // [C,C]

	logDecay func(g *nn.Graph) *nn.Tensor // [C] ≤ 0
}

// channelMix4 is the feed-forward part.
type channelMix4 struct {
	MuK        *nn.Tensor `w:"time_mix_k"`        // [C]
	MuR        *nn.Tensor `w:"time_mix_r"`        // [C]
	Key        *nn.Tensor `w:"key.weight"`        // [F,C]
	Receptance *nn.Tensor `w:"receptance.weight"` // [C,C]
	Value      *nn.Tensor `w:"value.weight"`      // [C,F]
}

type state4 struct {
	Layers []*layerState4 `s:""`
}

// layerState4 holds the LayerNorm outputs of the last position and the WKV
// memory; without token shift the former are absent.
type layerState4 struct {
	AttX *nn.Tensor    `s:"att_x_prev"` // [B,C]
	FFNX *nn.Tensor    `s:"ffn_x_prev"` // [B,C]
	WKV  *nn.WKV4State `s:""`
}

// NewState implements arch.Model.
func (m *model4) NewState(B int) arch.State {
	C := m.Emb.Dim(1)
	s := &state4{}
	for _, b := range m.Blocks {
		l := &layerState4{WKV: nn.NewWKV4State(B, C)}
		if b.Att.MuK != nil {
			l.AttX, l.FFNX = nn.New(B, C), nn.New(B, C)
		}
		s.Layers = append(s.Layers, l)
	}
	return s
}

// Forward implements arch.Model.
func (m *model4) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	return arch.InOrder(g, m, tok, s)
}

// Layers implements arch.Layered.
func (m *model4) Layers() int { return len(m.Blocks) }

// Embed implements arch.Layered.
func (m *model4) Embed(g *nn.Graph, tok nn.Tokens, _ arch.State) *nn.Tensor {
	return m.LN0.forward(g, nn.Embedding(g, m.Emb, tok))
}

// Layer implements arch.Layered.
func (m *model4) Layer(g *nn.Graph, i int, x *nn.Tensor, s arch.State) *nn.Tensor {
	l, b := &layerState4{}, m.Blocks[i]
	if s, ok := s.(*state4); ok {
		l = s.Layers[i]
	}
	x = b.Att.forward(g, x, b.LN1.forward(g, x), l)
	return b.FFN.forward(g, x, b.LN2.forward(g, x), l)
}

// Finish implements arch.Layered.
func (m *model4) Finish(g *nn.Graph, x *nn.Tensor) *nn.Tensor { return m.LNOut.forward(g, x) }

// Logits implements arch.Model.
func (m *model4) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor { return nn.Linear(g, m.Head, h) }

// forward is residual + what the time mixing makes of x.
func (m *timeMix4) forward(g *nn.Graph, residual, x *nn.Tensor, s *layerState4) *nn.Tensor {
	mixed := nn.ShiftMix(g, x, s.AttX, m.MuK, m.MuV, m.MuR)
	k := nn.Linear(g, m.Key, mixed[0])
	v := nn.Linear(g, m.Value, mixed[1])
	r := nn.Linear(g, m.Receptance, mixed[2])
	y := nn.WKV4(g, m.logDecay(g), m.First, k, v, s.WKV)
	return nn.LinearThen(g, m.Output, nn.SigmoidMul(g, r, y), nn.Then{Residual: residual})
}

// forward is residual + what the channel mixing makes of x.
func (m *channelMix4) forward(g *nn.Graph, residual, x *nn.Tensor, s *layerState4) *nn.Tensor {
	mixed := nn.ShiftMix(g, x, s.FFNX, m.MuK, m.MuR)
	k := nn.LinearThen(g, m.Key, mixed[0], nn.Then{F: kernels.ActReLUSq})
	r := nn.Linear(g, m.Receptance, mixed[1])
	return nn.LinearThen(g, m.Value, k, nn.Then{Gate: r, Residual: residual})
}

// New4 builds an RWKV-4 with the official initial weights.
// Source: BlinkDL/RWKV-LM RWKV-v4neo/src/model.py, RWKV_TimeMix,
// RWKV_ChannelMix and generate_init_weight.
func New4(c Config4, seed uint64) (arch.Model, error) {
	if c.Dim < 1 || c.Layers < 1 || c.Vocab < 1 {
		return nil, fmt.Errorf("dim %d, layers %d and vocab %d must be at least 1", c.Dim, c.Layers, c.Vocab)
	}
	const embRange = 6e-4 // the official trainer's initial learning rate
	m := &model4{
		Emb:   nn.New(c.Vocab, c.Dim),
		LN0:   newNorm(c.Dim),
		LNOut: newNorm(c.Dim),
		Head:  nn.New(c.Vocab, c.Dim),
	}
	nn.Uniform(m.Emb, nn.Rand(seed, "emb"), embRange)
	nn.Orthogonal(m.Head, nn.Rand(seed, "head"), 0.5*expansion(m.Head))
	for l := range c.Layers {
		m.Blocks = append(m.Blocks, newBlock4(c, l, seed))
	}
	return m, nil
}

func newNorm(C int) norm { return norm{nn.New(C).Fill(1), nn.New(C)} }

// expansion is the official gain of an orthogonal matrix [out,in].
func expansion(w *nn.Tensor) float64 {
	return math.Sqrt(max(1, float64(w.Dim(0))/float64(w.Dim(1))))
}

func newBlock4(c Config4, l int, seed uint64) *block4 {
	C, F := c.Dim, c.FFN
	name := fmt.Sprintf("blocks.%d.", l)
	b := &block4{LN1: newNorm(C), LN2: newNorm(C)}

	r0 := float64(l) / float64(max(1, c.Layers-1)) // 0 … 1
	r1 := 1 - float64(l)/float64(c.Layers)         // 1 … ~0
	ramp := func(power, plus float64) *nn.Tensor {
		return each(C, func(i int) float64 { return math.Pow(float64(i)/float64(C), power) + plus })
	}
	b.Att = timeMix4{
		MuK: ramp(r1, 0), MuV: ramp(r1, 0.3*r0), MuR: ramp(0.5*r1, 0),
		Decay: each(C, func(i int) float64 {
			return -5 + 8*math.Pow(float64(i)/float64(max(1, C-1)), 0.7+1.3*r0)
		}),
		First: each(C, func(i int) float64 { return math.Log(0.3) + 0.5*float64((i+1)%3-1) }),
		Key:   nn.New(C, C), Value: nn.New(C, C), Receptance: nn.New(C, C), Output: nn.New(C, C),
	}
	b.FFN = channelMix4{
		MuK: ramp(r1, 0), MuR: ramp(r1, 0),
		Key: nn.New(F, C), Receptance: nn.New(C, C), Value: nn.New(C, F),
	}
	nn.Orthogonal(b.Att.Value, nn.Rand(seed, name+"att.value"), 1)
	nn.Orthogonal(b.FFN.Key, nn.Rand(seed, name+"ffn.key"), expansion(b.FFN.Key))
	b.ablate(c)
	return b
}

// ablate resolves the two ablations; Forward does not know of them.
func (b *block4) ablate(c Config4) {
	mus := []**nn.Tensor{&b.Att.MuK, &b.Att.MuV, &b.Att.MuR, &b.FFN.MuK, &b.FFN.MuR}
	for _, mu := range mus {
		switch c.TokenShift {
		case "fixed":
			(*mu).Const = true
		case "none":
			*mu = nil // ShiftMix then sees the present token alone
		}
	}

	decay := b.Att.Decay
	b.Att.logDecay = func(g *nn.Graph) *nn.Tensor { return nn.NegExp(g, decay) }
	switch c.TimeDecay {
	case "fixed":
		decay.Const = true
	case "none":
		b.Att.Decay = nil
		forever := nn.New(c.Dim) // log-decay 0
		forever.Const = true
		b.Att.logDecay = func(*nn.Graph) *nn.Tensor { return forever }
	}
}

// each returns the vector [C] of f(i).
func each(C int, f func(i int) float64) *nn.Tensor {
	t := nn.New(C)
	for i := range t.Data {
		t.Data[i] = float32(f(i))
	}
	return t
}
