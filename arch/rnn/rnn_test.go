package rnn

import (
	"fmt"
	"maps"
	"testing"

	"workbench/arch/archtest"
)

func TestContract(t *testing.T) {
	const H, E, L, V = 16, 12, 3, 19
	for name, gates := range map[string]int{"rnn": 1, "lstm": 4, "gru": 3} {
		weights := func(E int) int { return V*E + gates*(H*E+(L-1)*H*H+L*(H*H+2*H)) + V*H + V }
		for _, s := range []struct {
			config map[string]any
			params int
		}{
			{map[string]any{"emb": E}, weights(E)},
			{map[string]any{"emb": E, "layer_norm": true}, weights(E) + 2*E + 2*L*H},
			{map[string]any{"residual": true}, weights(H)},
			{map[string]any{"residual": true, "layer_norm": true}, weights(H) + 2*(L+1)*H},
		} {
			config := maps.Clone(s.config)
			config["dim"], config["layers"], config["vocab"] = H, L, V
			spec := archtest.Spec{Arch: name, Config: config, Params: s.params}
			t.Run(fmt.Sprint(name, s.config), func(t *testing.T) {
				archtest.Run(spec, func(clause string, err error) {
					t.Run(clause, func(t *testing.T) {
						if err != nil {
							t.Error(err)
						}
					})
				})
			})
		}
	}
}
