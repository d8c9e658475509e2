package workload

import (
	"math"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
)

func TestChecks(t *testing.T) {
	for name, deviation := range map[string]func(*Env) (float64, error){"linear": linearDeviation, "scan": scanDeviation} {
		if got, err := deviation(&Env{Seed: 3}); err != nil || !(got > 0 && got < 1e-5) {
			t.Errorf("%s deviates by %g, %v", name, got, err)
		}
	}
	for _, name := range arch.Names() {
		m, _, err := arch.New(name, tiny, 1)
		if name == "transformer" {
			m, _, err = arch.New(name, map[string]any{"dim": 8, "layers": 1, "heads": 2}, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := modesDeviation(&Env{Model: m, Tokens: someText})
		if err != nil || !(got < 1e-4) {
			t.Errorf("%s: modes deviate by %g, %v", name, got, err)
		}
	}
}

// forgetful is a model whose state is not what it says.
type forgetful struct{ arch.Model }

func (f forgetful) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	return f.Model.Forward(g, tok, nil)
}

func TestModesSeesFault(t *testing.T) {
	m, _, err := arch.New("rnn", tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := modesDeviation(&Env{Model: forgetful{m}, Tokens: someText}); err != nil || got < 1e-3 {
		t.Errorf("a model without memory deviates by %g, %v", got, err)
	}
}

func TestDeviation(t *testing.T) {
	nan := float32(math.NaN())
	if got := deviation([]float32{1, 2}, []float32{1, 4}); got != 0.5 {
		t.Errorf("deviation is %g", got)
	}
	if got := deviation([]float32{nan, 2}, []float32{1, 2}); !math.IsInf(got, 1) {
		t.Errorf("a NaN deviates by %g", got)
	}
}

func TestPrefixes(t *testing.T) {
	var spans []span
	for i := range 7 {
		spans = append(spans, span{-0.1 * float64(i), math.Sin(float64(i)), 1, math.Cos(float64(3 * i))})
	}
	sum := spans[0]
	want := []span{sum}
	for _, s := range spans[1:] {
		sum = sum.then(s)
		want = append(want, sum)
	}
	prefixes(spans)
	for i := range spans {
		if math.Abs(spans[i].a/spans[i].b-want[i].a/want[i].b) > 1e-12 || math.Abs(spans[i].p+math.Log(spans[i].b)-want[i].p-math.Log(want[i].b)) > 1e-12 {
			t.Errorf("prefix %d is %+v, want %+v", i, spans[i], want[i])
		}
	}
}
