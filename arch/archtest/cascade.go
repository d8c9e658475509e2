package archtest

import (
	"fmt"
	"slices"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// cascade: a cascade gives the bytes of InOrder with the same chunks, and
// leaves the same state.
func cascade(s Spec) error {
	m, err := s.build()
	if err != nil {
		return err
	}
	l, ok := m.(arch.Layered)
	if !ok {
		return nil
	}
	defer kernels.SetThreads(kernels.Threads())
	kernels.SetThreads(2)
	tok, c := text(m, batch, length, 10), arch.NewCascade(l)
	for _, chunk := range []int{1, 3, length} {
		inOrder, inWaves := m.NewState(batch), m.NewState(batch)
		want := hidden(m, tok, inOrder, chunk)
		if got := c.Run(tok, inWaves, chunk).Data; !slices.Equal(got, want) {
			return fmt.Errorf("chunks of %d: hidden vectors differ by %.2g from those of InOrder", chunk, deviation(got, want))
		}
		if d := deviation(contents(inWaves), contents(inOrder)); d != 0 {
			return fmt.Errorf("chunks of %d: the state differs by %.2g", chunk, d)
		}
	}
	return nil
}

// hidden is Forward over tok in chunks, [B,T,C].
func hidden(m arch.Model, tok nn.Tokens, s arch.State, chunk int) []float32 {
	var out []float32
	g := nn.Inference()
	for at := 0; at < tok.T; at += chunk {
		g.Reset()
		n := min(chunk, tok.T-at)
		h := m.Forward(g, piece(tok, at, at+n), s)
		C := h.Dim(-1)
		if out == nil {
			out = make([]float32, tok.B*tok.T*C)
		}
		for b := range tok.B {
			copy(out[(b*tok.T+at)*C:], h.Data[b*n*C:(b+1)*n*C])
		}
	}
	return out
}

// contents returns every element of a state.
func contents(s arch.State) (all []float32) {
	nn.WalkState(s, func(_ string, t *nn.Tensor) { all = append(all, t.Floats()...) })
	return all
}
