package workload

import (
	"fmt"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/record"
)

const (
	// ReadChunk is how many tokens a call reads of a context.
	ReadChunk  = 256
	warmTokens = 32 // steps after a restored state, untimed: the first twenty find the caches full of another process
)

// reader feeds a text to a model and keeps count of the position. A text that
// ends starts again.
type reader struct {
	model arch.Model
	graph *nn.Graph
	text  []int32
	batch int
	state arch.State
	pos   int // tokens in the state

	ids []int32
}

// tokens are the next n of every sequence of the batch.
func (r *reader) tokens(n int) nn.Tokens {
	if need := n * r.batch; cap(r.ids) < need {
		r.ids = make([]int32, need)
	}
	ids := r.ids[:n*r.batch]
	for b := range r.batch {
		for t := range n {
			// Note: rows read different places of the text.
			ids[b*n+t] = r.text[(r.pos+t+b*977)%len(r.text)]
		}
	}
	return nn.Tokens{IDs: ids, B: r.batch, T: n}
}

// read feeds n tokens to every sequence of the batch and returns their hidden
// vectors.
func (r *reader) read(n int) *nn.Tensor {
	tok := r.tokens(n)
	r.graph.Reset()
	h := r.model.Forward(r.graph, tok, r.state)
	r.pos += n
	return h
}

// readTo feeds tokens until the state holds that many.
func (r *reader) readTo(pos int) {
	for r.pos < pos {
		r.read(min(ReadChunk, pos-r.pos))
	}
}

// Fits tells whether a model can hold that many positions.
func Fits(m arch.Model, positions int) error {
	if limit := arch.Context(m); limit > 0 && positions > limit {
		return fmt.Errorf("%d tokens exceed the model's limit of %d positions: set context or rotary positions", positions, limit)
	}
	return nil
}

// lastRows are the vectors [B,1,C] of the last position of h [B,T,C].
func lastRows(h *nn.Tensor) *nn.Tensor {
	B, T, C := h.Dim(0), h.Dim(1), h.Dim(2)
	last := nn.New(B, 1, C)
	for b := range B {
		copy(last.Data[b*C:(b+1)*C], h.Data[(b*T+T-1)*C:])
	}
	return last
}

var (
	stateBytes = record.Define(record.Quantity{Name: "state_bytes", Title: "state", Unit: "B", Kind: record.Exact, Better: record.Lower, Main: true})
	arenaBytes = record.Define(record.Quantity{Name: "arena_bytes", Title: "activation arena", Unit: "B", Kind: record.Exact, Better: record.Lower})
)
