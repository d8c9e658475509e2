// Package rwkv holds RWKV-4 to RWKV-7, one file a version; shared parts are in
// common.go, ablate.go and docs.go.
package rwkv

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// stack is a whole model: all versions share these parts, each with blocks of
// its own and a state S of each block.
type stack[S layerState] struct {
	Emb    *nn.Tensor `w:"emb.weight,embed"` // [V,C]
	LN0    *norm      `w:"blocks.0.ln0"`
	Blocks []layer[S] `w:"blocks"`
	LNOut  *norm      `w:"ln_out"`
	Head   *nn.Tensor `w:"head.weight,embed"` // [V,C]

	stateless S // state without slots: a block starts from zeros and stores nothing
}

// layer is one block.
type layer[S layerState] interface {
	// forward maps the output x of the layer before, [B,T,C] or the stream of
	// block7, to its own output, continuing from s and updating it.
	forward(g *nn.Graph, x *nn.Tensor, s S) *nn.Tensor
	// newState returns the state of B fresh sequences.
	newState(B int) S
}

// layerState is the state of a block: state4 to state7, each of which embeds
// shiftState.
type layerState interface{ shifts() *shiftState }

// shiftState is the state of the token shifts of a block: the last position
// that each has read, nil without token shift.
type shiftState struct {
	AttX *nn.Tensor `s:"att_x_prev"` // [B,C], read by the time mixing
	FFNX *nn.Tensor `s:"ffn_x_prev"` // [B,C], read by the channel mixing
}

func (s *shiftState) shifts() *shiftState { return s }

// state is the state of a whole model.
type state[S layerState] struct {
	Layers []S `s:""`
}

// NewState implements arch.Model.
func (m *stack[S]) NewState(B int) arch.State {
	s := &state[S]{}
	for _, b := range m.Blocks {
		s.Layers = append(s.Layers, b.newState(B))
	}
	return s
}

// Forward implements arch.Model.
func (m *stack[S]) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	return arch.InOrder(g, m, tok, s)
}

// Layers implements arch.Layered.
func (m *stack[S]) Layers() int { return len(m.Blocks) }

// Embed implements arch.Layered.
func (m *stack[S]) Embed(g *nn.Graph, tok nn.Tokens, _ arch.State) *nn.Tensor {
	return m.LN0.forward(g, nn.Embedding(g, m.Emb, tok))
}

// Layer implements arch.Layered.
func (m *stack[S]) Layer(g *nn.Graph, i int, x *nn.Tensor, s arch.State) *nn.Tensor {
	l := m.stateless
	if s != nil {
		l = s.(*state[S]).Layers[i]
	}
	return m.Blocks[i].forward(g, x, l)
}

// Finish implements arch.Layered.
func (m *stack[S]) Finish(g *nn.Graph, x *nn.Tensor) *nn.Tensor { return m.LNOut.forward(g, x) }

// Logits implements arch.Model.
func (m *stack[S]) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor { return nn.Linear(g, m.Head, h) }

// Vocab implements arch.Model.
func (m *stack[S]) Vocab() int { return m.Head.Dim(0) }

// Channels implements arch.Model.
func (m *stack[S]) Channels() int { return m.Head.Dim(1) }

// block is a time mixing and a channel mixing, each behind a norm and with a
// residual connection.
type block[S layerState] struct {
	LN1 *norm      `w:"ln1"`
	LN2 *norm      `w:"ln2"`
	Att timeMix[S] `w:"att"`
	FFN channelMix `w:"ffn"`
}

// timeMix is the half of a block that mixes positions.
type timeMix[S layerState] interface {
	// forward is residual + the time mixing of x [B,T,C], continuing from s and
	// updating it.
	forward(g *nn.Graph, residual, x *nn.Tensor, s S) *nn.Tensor
	// newState returns the state of the time mixing for B sequences.
	newState(B int) S
}

// channelMix is the half of a block that mixes channels.
type channelMix interface {
	// forward is residual + the channel mixing of x [B,T,C]. last [B,C] is the
	// position before the first and receives the last position of x; a nil last
	// stands for zeros.
	forward(g *nn.Graph, residual, x, last *nn.Tensor) *nn.Tensor
	// newLast returns last for B fresh sequences, nil without token shift.
	newLast(B int) *nn.Tensor
}

func (b *block[S]) forward(g *nn.Graph, x *nn.Tensor, s S) *nn.Tensor {
	x = b.Att.forward(g, x, b.LN1.forward(g, x), s)
	return b.FFN.forward(g, x, b.LN2.forward(g, x), s.shifts().FFNX)
}

func (b *block[S]) newState(B int) S {
	s := b.Att.newState(B)
	s.shifts().FFNX = b.FFN.newLast(B)
	return s
}

// norm is a LayerNorm; a nil one returns its input.
type norm struct {
	Weight *nn.Tensor `w:"weight"` // [C]
	Bias   *nn.Tensor `w:"bias"`   // [C]

	eps float32
}

func newNorm(C int) *norm { return &norm{nn.New(C).Fill(1), nn.New(C), 1e-5} }

func (n *norm) forward(g *nn.Graph, x *nn.Tensor) *nn.Tensor {
	if n == nil {
		return x
	}
	return nn.LayerNormEps(g, n.Weight, n.Bias, x, n.eps)
}

// headNorm is a GroupNorm of the heads; a nil one returns its input.
type headNorm struct {
	Weight *nn.Tensor `w:"weight"` // [C]
	Bias   *nn.Tensor `w:"bias"`   // [C]

	heads int
	eps   float32
}

func (n *headNorm) forward(g *nn.Graph, x *nn.Tensor) *nn.Tensor {
	if n == nil {
		return x
	}
	return nn.GroupNorm(g, n.Weight, n.Bias, x, n.heads, n.eps)
}

// channelMix4 is the feed-forward layer of versions 4 and 5. Without Receptance
// it has no gate.
type channelMix4 struct {
	MuK        *nn.Tensor `w:"time_mix_k"`        // [C]
	MuR        *nn.Tensor `w:"time_mix_r"`        // [C]
	Key        *nn.Tensor `w:"key.weight"`        // [F,C]
	Receptance *nn.Tensor `w:"receptance.weight"` // [C,C]
	Value      *nn.Tensor `w:"value.weight"`      // [C,F]

	f kernels.Activation
}

func (m *channelMix4) forward(g *nn.Graph, residual, x, last *nn.Tensor) *nn.Tensor {
	mixed := nn.ShiftMix(g, x, last, m.MuK, m.MuR)
	return feedForward(g, residual, mixed, m.Key, m.Receptance, m.Value, m.f)
}

func (m *channelMix4) newLast(B int) *nn.Tensor { return lastOf(B, m.MuK) }

// feedForward is residual + σ(R·x1)⊙V·f(K·x0).
func feedForward(g *nn.Graph, residual *nn.Tensor, x [nn.MaxMixes]*nn.Tensor, key, receptance, value *nn.Tensor, f kernels.Activation) *nn.Tensor {
	p := nn.Linears(g, nn.Product{W: key, X: x[0], Then: nn.Then{F: f}}, nn.Product{W: receptance, X: x[1]})
	return nn.LinearThen(g, value, p[0], nn.Then{Gate: p[1], Residual: residual})
}

// lastOf returns the state slot [B,C] of the last position, nil without token
// shift, where the mix weight mu is nil.
func lastOf(B int, mu *nn.Tensor) *nn.Tensor {
	if mu == nil {
		return nil
	}
	return nn.New(B, mu.Len())
}

// matrices returns the state of a time mixing of C channels with a matrix for
// each head: [B,heads,N key,N value].
func matrices(B, C, heads int) *nn.Tensor {
	N := C / heads
	return nn.New(B, heads, N, N)
}

// sized holds the settings that every version has.
type sized struct {
	dim, layers, vocab int
	seed               uint64
}

func (c sized) check() error {
	if c.dim < 1 || c.layers < 1 || c.vocab < 1 {
		return fmt.Errorf("dim %d, layers %d and vocab %d must be at least 1", c.dim, c.layers, c.vocab)
	}
	return nil
}

// newStack builds the parts around the blocks. The embedding is drawn from
// U(-r, r) or, without small init, from N(0, 0.02²) as in GPT-2. stateless is
// the state of a block without slots.
func newStack[S layerState](c sized, stateless S, r float64, smallInit, ln0 string) *stack[S] {
	m := &stack[S]{Emb: nn.New(c.vocab, c.dim), LN0: newNorm(c.dim), LNOut: newNorm(c.dim), Head: nn.New(c.vocab, c.dim), stateless: stateless}
	if smallInit == on {
		nn.Uniform(m.Emb, nn.Rand(c.seed, "emb"), r)
	} else {
		nn.Normal(m.Emb, nn.Rand(c.seed, "emb"), 0.02)
	}
	if ln0 == off {
		m.LN0 = nil
	}
	nn.Orthogonal(m.Head, nn.Rand(c.seed, "head"), 0.5*expansion(m.Head))
	return m
}

// layerRatios returns r0, which rises from 0 at the first layer to 1, and r1,
// which falls from 1 to nearly 0.
func (c sized) layerRatios(l int) (r0, r1 float64) {
	return float64(l) / float64(max(1, c.layers-1)), 1 - float64(l)/float64(c.layers)
}

// orthogonal returns an orthogonal matrix [rows,cols] of that gain.
func (c sized) orthogonal(name string, rows, cols int, gain float64) *nn.Tensor {
	return nn.Orthogonal(nn.New(rows, cols), nn.Rand(c.seed, name), gain)
}

// expansion is the official gain of an orthogonal matrix [out,in].
func expansion(w *nn.Tensor) float64 {
	return math.Sqrt(max(1, float64(w.Dim(0))/float64(w.Dim(1))))
}

// each returns the vector [C] of f(i).
func each(C int, f func(i int) float64) *nn.Tensor {
	t := nn.New(C)
	for i := range t.Data {
		t.Data[i] = float32(f(i))
	}
	return t
}

// ramp is (i/C)^power + plus.
func ramp(C int, power, plus float64) *nn.Tensor {
	return each(C, func(i int) float64 { return math.Pow(float64(i)/float64(C), power) + plus })
}

// restOf returns 1 - x, the weight of the previous token.
func restOf(x *nn.Tensor) *nn.Tensor {
	return each(x.Len(), func(i int) float64 { return 1 - float64(x.Data[i]) })
}

// shaped returns x under another shape.
func shaped(x *nn.Tensor, shape ...int) *nn.Tensor {
	x.Shape = shape
	return x
}

// headSize resolves a size of 0: the largest of 64, 32, … that divides the
// channels.
func headSize(size, dim int) int {
	if size > 0 {
		return size
	}
	for size = 64; dim%size != 0; size /= 2 {
	}
	return size
}

func checkHeads(dim, size int) error {
	if dim%size != 0 {
		return fmt.Errorf("dim %d is not whole heads of head_size %d", dim, size)
	}
	return nil
}
