package transformer

import (
	"slices"

	"workbench/arch"
	"workbench/arch/nn"
)

// uncached is a model whose state is the text: every call reads all of it
// again, from its first token. Published times of generation without a cache
// are of such models.
type uncached struct {
	Model arch.Model `w:""`
}

// text is the state of an uncached model.
type text struct {
	Tokens *nn.Tensor `s:"tokens"` // [S,B]; a token's number is below 2^24, exact in float32
	ids    []int32
}

// Reserve implements the interface of arch.Reserve.
func (s *text) Reserve(positions int) {
	nn.Reserve(s.Tokens, positions)
	s.ids = slices.Grow(s.ids[:0], positions*s.Tokens.Dim(1))
}

// read appends tok and returns all tokens, which the next call overwrites.
func (s *text) read(tok nn.Tokens) nn.Tokens {
	x := s.Tokens
	for t := range tok.T {
		for b := range tok.B {
			x.Data = append(x.Data, float32(tok.IDs[b*tok.T+t]))
		}
	}
	x.Shape[0] += tok.T
	S := x.Dim(0)
	s.ids = slices.Grow(s.ids[:0], tok.B*S)[:tok.B*S]
	for i, id := range x.Data {
		s.ids[i%tok.B*S+i/tok.B] = int32(id)
	}
	return nn.Tokens{IDs: s.ids, B: tok.B, T: S}
}

// NewState implements arch.Model.
func (m *uncached) NewState(B int) arch.State { return &text{Tokens: nn.New(0, B)} }

// Forward implements arch.Model.
func (m *uncached) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	if s == nil {
		return m.Model.Forward(g, tok, nil)
	}
	all := s.(*text).read(tok)
	if g.Recording() {
		all.IDs = slices.Clone(all.IDs)
	}
	return nn.Last(g, m.Model.Forward(g, all, nil), tok.T)
}

// Logits implements arch.Model.
func (m *uncached) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor { return m.Model.Logits(g, h) }

// Vocab implements arch.Model.
func (m *uncached) Vocab() int { return m.Model.Vocab() }

// Channels implements arch.Model.
func (m *uncached) Channels() int { return m.Model.Channels() }

// Context implements the interface of arch.Context.
func (m *uncached) Context() int { return arch.Context(m.Model) }
