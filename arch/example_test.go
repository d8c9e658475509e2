package arch_test

import (
	"fmt"
	"log"
	"slices"

	"workbench/arch"
	"workbench/arch/nn"
	_ "workbench/arch/rwkv" // registers rwkv4 to rwkv7
)

// A model is built from its name, a configuration and a seed. It maps tokens
// [B,T] to hidden vectors, and these to a score for every possible next token.
func ExampleNew() {
	m, config, err := arch.New("rwkv7", map[string]any{"dim": 32, "layers": 2, "vocab": 100}, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("hidden channels of the channel mixing, by default:", config["ffn"])

	g := nn.Inference()
	tokens := nn.Tokens{IDs: []int32{3, 1, 4, 1, 5, 9}, B: 2, T: 3}
	h := m.Forward(g, tokens, nil)
	fmt.Println("hidden vectors:", h.Shape)
	fmt.Println("scores:", m.Logits(g, h).Shape)
	// Output:
	// hidden channels of the channel mixing, by default: 128
	// hidden vectors: [2 3 32]
	// scores: [2 3 100]
}

// A model reads a prompt in one call and then generates token by token from its
// state. The state of an RWKV model does not grow.
func ExampleModel_decode() {
	m, _, err := arch.New("rwkv4", map[string]any{"dim": 32, "layers": 2, "vocab": 100}, 1)
	if err != nil {
		log.Fatal(err)
	}
	g, s := nn.Inference(), m.NewState(1)
	h := m.Forward(g, nn.Tokens{IDs: []int32{3, 1, 4}, B: 1, T: 3}, s)
	last := &nn.Tensor{Shape: []int{1, 1, m.Channels()}, Data: h.Data[2*m.Channels():]}
	for range 5 {
		scores := m.Logits(g, last).Data
		next := slices.Index(scores, slices.Max(scores))
		last = m.Forward(g, nn.Tokens{IDs: []int32{int32(next)}, B: 1, T: 1}, s)
	}
	fmt.Println("bytes of 5 vectors in 2 layers of 32 channels:", arch.StateBytes(s))
	// Output:
	// bytes of 5 vectors in 2 layers of 32 channels: 1280
}

// A copied state returns a model to an earlier position of a text.
func ExampleCopyState() {
	m, _, err := arch.New("rwkv6", map[string]any{"dim": 32, "layers": 2, "vocab": 100}, 1)
	if err != nil {
		log.Fatal(err)
	}
	g := nn.Inference()
	read := func(s arch.State, ids ...int32) []float32 {
		g.Reset() // takes back the memory of the last call's tensors
		return slices.Clone(m.Forward(g, nn.Tokens{IDs: ids, B: 1, T: len(ids)}, s).Data)
	}
	s, saved := m.NewState(1), m.NewState(1)
	read(s, 3, 1, 4)
	arch.CopyState(saved, s)

	first := read(s, 1, 5)
	arch.CopyState(s, saved)
	fmt.Println("the same text gives the same vectors:", slices.Equal(first, read(s, 1, 5)))
	// Output:
	// the same text gives the same vectors: true
}
