package rnn

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/nn"
)

// TestForm checks that a layer with residual and LayerNorm is x + f(LN(x)) with
// a last LN, where f is the layer of a plain stack, and that a part that is off
// is left out.
func TestForm(t *testing.T) {
	const H = 8
	tok := nn.Tokens{IDs: []int32{3, 1, 4, 1, 5, 9}, B: 2, T: 3}
	config := map[string]any{"dim": H, "layers": 1, "vocab": 11}
	for _, name := range []string{"rnn", "lstm", "gru"} {
		for _, sum := range []bool{false, true} {
			for _, norm := range []bool{false, true} {
				full := maps.Clone(config)
				full["residual"], full["layer_norm"] = sum, norm
				m, plain := build1(t, name, full), build1(t, name, config)
				x := nn.Embedding(nn.Inference(), m.Emb, tok).Data
				if norm {
					for r := range plain.Emb.Dim(0) {
						m.Cells.Norm[0].by(plain.Emb.Data[r*H : (r+1)*H])
					}
				}
				want := slices.Clone(plain.Forward(nn.Inference(), tok, nil).Data)
				for i := range want {
					if sum {
						want[i] += x[i]
					}
				}
				for r := 0; norm && r < len(want); r += H {
					m.LnOut.by(want[r : r+H])
				}
				for i, v := range m.Forward(nn.Inference(), tok, nil).Data {
					if math.Abs(float64(v-want[i])) > 2e-6 {
						t.Fatalf("%s residual=%v layer_norm=%v: [%d] = %v, want %v", name, sum, norm, i, v, want[i])
					}
				}
			}
		}
	}
}

// opened is a model and its weights by name.
type opened struct {
	arch.Model
	*weights
}

// build1 returns a model whose weights are determined by their names.
func build1(t *testing.T, name string, config map[string]any) opened {
	m, _, err := arch.New(name, config, 1)
	if err != nil {
		t.Fatal(err)
	}
	archtest.Jitter(m, 2)
	if m, ok := m.(*model[hiddenCell]); ok {
		return opened{m, &m.weights}
	}
	return opened{m, &m.(*model[hidden]).weights}
}

// by computes LN of one row in place, in float64.
func (n *norm) by(row []float32) {
	var mean, variance float64
	C := float64(len(row))
	for _, v := range row {
		mean += float64(v) / C
	}
	for _, v := range row {
		variance += (float64(v) - mean) * (float64(v) - mean) / C
	}
	for i, v := range row {
		row[i] = float32((float64(v)-mean)/math.Sqrt(variance+1e-5))*n.Weight.Data[i] + n.Bias.Data[i]
	}
}

// TestDropout checks that dropout applies, as in torch.nn.RNN, to what a layer
// passes to the next and not to the last output, and with a residual to all
// that is added.
func TestDropout(t *testing.T) {
	tok := nn.Tokens{IDs: []int32{3, 1, 4, 1}, B: 1, T: 4}
	for _, name := range []string{"rnn", "lstm", "gru"} {
		for _, c := range []struct {
			layers        int
			residual, hit bool
		}{{1, false, false}, {2, false, true}, {1, true, true}} {
			config := map[string]any{"dim": 8, "layers": c.layers, "vocab": 11, "residual": c.residual}
			m := build1(t, name, config)
			g := nn.NewGraph()
			kept := slices.Clone(m.Forward(g, tok, nil).Data)
			g = nn.NewGraph()
			g.Drop.Rate = 0.5
			if hit := !slices.Equal(kept, m.Forward(g, tok, nil).Data); hit != c.hit {
				t.Errorf("%s: dropout changes something: %v", fmt.Sprint(name, config), hit)
			}
		}
	}
}
