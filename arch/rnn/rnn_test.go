package rnn

import (
	"testing"

	"workbench/arch/archtest"
)

func TestContract(t *testing.T) {
	const H, E, L, V = 16, 12, 3, 19
	archtest.Run(archtest.Spec{
		Arch:   "rnn",
		Config: map[string]any{"dim": H, "emb": E, "layers": L, "vocab": V},
		Params: V*E + H*E + (L-1)*H*H + L*(H*H+2*H) + V*H + V,
	}, func(clause string, err error) {
		t.Run(clause, func(t *testing.T) {
			if err != nil {
				t.Error(err)
			}
		})
	})
}
