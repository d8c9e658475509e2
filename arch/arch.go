// Package arch defines what a sequence model is: one Forward for training,
// prefill and decode, a state that is data, and a registry of architectures.
package arch

import (
	"fmt"

	"workbench/arch/nn"
)

// A Model is one architecture with its weights: the tensors nn.Walk finds in it.
type Model interface {
	// NewState returns the state of B fresh sequences.
	NewState(B int) State
	// Forward maps tokens [B,T] to hidden vectors [B,T,C], continuing from s and
	// updating it. A nil s starts from zeros and is not updated. When g records,
	// operations copy what they read from s, and no gradient flows into s.
	Forward(g *nn.Graph, tok nn.Tokens, s State) *nn.Tensor
	// Logits maps hidden vectors [...,C] to vocabulary scores [...,V].
	Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor
	// Vocab is the vocabulary size V; tokens are 0 … V-1.
	Vocab() int
	// Channels is the length C of a hidden vector.
	Channels() int
}

// State is the memory of a batch of sequences: a pointer to a struct of tensors
// that nn.WalkState finds, or nil. Forward panics on the state of another kind
// of model.
type State any

// StateBytes is the size of the live state s in bytes.
func StateBytes(s State) int64 {
	var n int64
	nn.WalkState(s, func(_ string, t *nn.Tensor) { n += int64(t.Bytes()) })
	return n
}

// CopyState makes dst, a state of the same model and batch, equal to src.
func CopyState(dst, src State) {
	var from []*nn.Tensor
	nn.WalkState(src, func(_ string, t *nn.Tensor) { from = append(from, t) })
	i := 0
	nn.WalkState(dst, func(name string, t *nn.Tensor) {
		if i >= len(from) || len(t.Shape) != len(from[i].Shape) || t.Type() != from[i].Type() {
			panic(fmt.Sprintf("arch: CopyState: states differ at slot %s", name))
		}
		t.Copy(from[i])
		i++
	})
	if i != len(from) {
		panic("arch: CopyState: states have different slots")
	}
}

// Reserve makes room for that many positions in a state that grows, so that it
// need not be moved. Other states ignore it.
func Reserve(s State, positions int) {
	if r, ok := s.(interface{ Reserve(positions int) }); ok {
		r.Reserve(positions)
	}
}

// Context is the most positions a sequence of m may have, 0 without a limit.
func Context(m Model) int {
	if c, ok := m.(interface{ Context() int }); ok {
		return c.Context()
	}
	return 0
}

// Params counts the weights of m, in all and without embeddings and head.
func Params(m Model) (total, nonEmbedding int) {
	nn.Walk(m, func(p nn.Param) {
		total += p.Tensor.Len()
		if !p.Embed {
			nonEmbedding += p.Tensor.Len()
		}
	})
	return total, nonEmbedding
}

// WeightBytes is the memory of the weights of m.
func WeightBytes(m Model) (n int64) {
	nn.Walk(m, func(p nn.Param) { n += int64(p.Tensor.Bytes()) })
	return n
}
