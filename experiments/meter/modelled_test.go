package meter

import (
	"math"
	"strings"
	"testing"

	"workbench/experiments/record"
)

// TestModelled checks the floor against numbers worked out by hand, and that it
// is the sum of its parts.
func TestModelled(t *testing.T) {
	const mega = 1 << 20
	for name, c := range map[string]struct {
		cache, weights     int64
		arithmetic, memory float64 // J/token
	}{
		"all in the cache":       {32 * mega, 8 * mega, 0.845e-12 * 1000, 1.75e-12 * 400},
		"a quarter in the cache": {32 * mega, 128 * mega, 0.845e-12 * 1000, (0.25*1.75e-12 + 0.75*162.5e-12) * 400},
		"an unknown cache":       {0, 128 * mega, 0.845e-12 * 1000, 1.75e-12 * 400},
	} {
		r := &record.Record{}
		modelled{c.cache}.End(Work{Tokens: 5, Operations: 5000, Bytes: 2000, Weights: c.weights}).add(r)
		for of, want := range map[string]float64{"": c.arithmetic + c.memory, ":arithmetic": c.arithmetic, ":memory": c.memory} {
			v := r.Find("joules_per_token_modelled" + of)
			if v == nil || v.Value == nil || math.Abs(*v.Value/want-1) > 1e-12 {
				t.Fatalf("%s: %s is %+v, want %g", name, of, v, want)
			}
			if v.Kind != record.Estimated || !strings.Contains(v.Reason, "a floor") || !strings.Contains(v.Source, "Jouppi") || strings.Contains(v.Reason, "unknown") != (c.cache == 0) {
				t.Errorf("%s: %+v", name, v)
			}
		}
	}
	for _, w := range []Work{{Tokens: 5}, {Operations: 5}} {
		if got := (modelled{}).End(w); len(got.Values) != 0 {
			t.Errorf("%+v: %+v", w, got)
		}
	}
}
