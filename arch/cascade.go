package arch

import (
	"fmt"

	"workbench/arch/nn"
	"workbench/kernels"
)

// Layered is a model that is a stack of layers: its Forward is InOrder.
type Layered interface {
	Model
	// Layers is the number of layers.
	Layers() int
	// Embed maps tokens [B,T] to what the first layer reads, [B,T,C].
	Embed(g *nn.Graph, tok nn.Tokens, s State) *nn.Tensor
	// Layer is layer i over x [B,T,C], continuing from its own part of s and
	// updating it.
	Layer(g *nn.Graph, i int, x *nn.Tensor, s State) *nn.Tensor
	// Finish is what follows the last layer.
	Finish(g *nn.Graph, x *nn.Tensor) *nn.Tensor
}

// InOrder is the Forward of a stack: one layer after the other over all tokens.
// With g.Recompute and no state, only the inputs of layers are kept for the
// gradient.
func InOrder(g *nn.Graph, m Layered, tok nn.Tokens, s State) *nn.Tensor {
	mark := g.Mark()
	x := m.Embed(g, tok, s)
	for i := range m.Layers() {
		if g.Recompute && s == nil {
			x = nn.Recompute(g, x, func(x *nn.Tensor) *nn.Tensor { return m.Layer(g, i, x, nil) })
			continue
		}
		x = g.Release(mark, m.Layer(g, i, x, s))
	}
	return m.Finish(g, x)
}

// Cascade reads a text in chunks with several layers running at once: layer l
// reads chunk t when layer l-1 has read chunk t and layer l chunk t-1; each
// layer runs on one thread. The numbers are those of InOrder with the same
// chunks.
//
// A cascade is faster where the products of a layer are too small to share
// among threads. Time of InOrder over time of the cascade, on two threads of a
// Zen 4 guest:
//
//	tokens a chunk                    1      4      8     16     32     64
//	rwkv4, 6 layers of 256         1.22   1.23   1.15   1.05   1.05   0.95
//	rwkv4, 12 layers of 768        1.09   0.96   0.96   0.96   0.96   0.96
//	transformer, 6 layers of 256   1.20          1.12   1.03   0.97   0.97
//	rnn, 6 layers of 656           1.28   1.15   1.30                 0.93
//
// Known text is best read by InOrder in chunks of hundreds of tokens.
// Source: Peng et al., arXiv 2305.13048, the cascade of figure 2.
type Cascade struct {
	model  Layered
	graphs []*nn.Graph
	// out holds the output of each layer in this wave and in the one before.
	out [2][]*nn.Tensor
	ids []int32
}

// NewCascade returns a cascade for m.
func NewCascade(m Layered) *Cascade {
	c := &Cascade{model: m}
	for range m.Layers() {
		c.graphs = append(c.graphs, nn.Inference())
	}
	for i := range c.out {
		c.out[i] = make([]*nn.Tensor, m.Layers())
		for l := range c.out[i] {
			c.out[i][l] = &nn.Tensor{}
		}
	}
	return c
}

// Run maps tokens [B,T] to hidden vectors [B,T,C] in chunks of that many
// tokens, continuing from s and updating it.
func (c *Cascade) Run(tok nn.Tokens, s State, chunk int) *nn.Tensor {
	if chunk < 1 || s == nil {
		panic(fmt.Sprintf("arch: Cascade: chunks of %d tokens, state %v", chunk, s))
	}
	for _, g := range c.graphs {
		g.Work = nn.Work{}
	}
	layers, chunks := c.model.Layers(), (tok.T+chunk-1)/chunk
	var h *nn.Tensor
	for wave := range layers + chunks - 1 {
		first := max(0, wave-chunks+1) // the layer that reads the last chunk
		last := min(layers-1, wave)
		// Note: kernels called from within For run on the thread they are on.
		kernels.For(last-first+1, func(i int) {
			l := first + i
			c.step(tok, s, l, (wave-l)*chunk, min((wave-l+1)*chunk, tok.T), wave)
		})
		if last == layers-1 {
			h = c.collect(h, tok, (wave-last)*chunk, wave)
		}
	}
	return h
}

// Work counts the matrix products of the last run.
func (c *Cascade) Work() (w nn.Work) {
	for _, g := range c.graphs {
		w = w.Plus(g.Work)
	}
	return w
}

// HighWater is the most bytes that activations took.
func (c *Cascade) HighWater() (bytes int64) {
	for _, g := range c.graphs {
		bytes += g.HighWater()
	}
	return bytes
}

// step runs layer l over positions from … to-1.
func (c *Cascade) step(tok nn.Tokens, s State, l, from, to, wave int) {
	g := c.graphs[l]
	g.Reset()
	var x *nn.Tensor
	if l == 0 {
		piece := nn.Tokens{IDs: c.ids[:0], B: tok.B, T: to - from}
		for b := range tok.B {
			piece.IDs = append(piece.IDs, tok.IDs[b*tok.T+from:b*tok.T+to]...)
		}
		c.ids = piece.IDs
		x = c.model.Embed(g, piece, s)
	} else {
		x = c.out[(wave+1)%2][l-1]
	}
	x = c.model.Layer(g, l, x, s)
	if l == c.model.Layers()-1 {
		x = c.model.Finish(g, x)
	}
	y := c.out[wave%2][l]
	y.Data, y.Shape = append(y.Data[:0], x.Data...), append(y.Shape[:0], x.Shape...)
}

// collect copies the output of the last layer to its chunk of h [B,T,C].
func (c *Cascade) collect(h *nn.Tensor, tok nn.Tokens, from, wave int) *nn.Tensor {
	x := c.out[wave%2][c.model.Layers()-1]
	T, C := x.Dim(1), x.Dim(2)
	if h == nil {
		h = nn.New(tok.B, tok.T, C)
	}
	for b := range tok.B {
		copy(h.Data[(b*tok.T+from)*C:], x.Data[b*T*C:(b+1)*T*C])
	}
	return h
}
