package archtest

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
)

// cacheEpsilon are the largest relative errors of rounding to the types of the
// setting "cache".
var cacheEpsilon = map[any]float64{"f16": math.Ldexp(1, -11), "bf16": math.Ldexp(1, -8)}

// CacheBound is the tolerance of the logits of a model with that many layers
// whose keys and values are rounded to what the setting "cache" says, relative
// to the size of the logits, or 0 where they are not.
//
// A rounding error is ε/√3 of its number, root mean square, at most. Channels
// of q, k and v are of size 1, behind a norm and matrices of size 1/√fan-in. A
// score Σ q·k/√D is then off by ε/√3, which changes an output of attention by
// that share of |v|, as do, independently, the errors of v: √2·ε/√3 < ε. The
// residual stream is no smaller than what a layer adds to it, so L layers leave
// √L·ε, and as much again for what passes through the layers that follow.
func CacheBound(layers float64, cache any) float64 {
	return 2 * math.Sqrt(layers) * cacheEpsilon[cache]
}

func (s Spec) cacheBound(m arch.Model) float64 {
	layers := 1.0
	if l, ok := m.(arch.Layered); ok {
		layers = float64(l.Layers())
	}
	return CacheBound(layers, s.Config["cache"])
}

// streamingRounded is streaming with rounded keys and values: against whole,
// logits that know no rounding, a text in pieces is within bound and not nearer
// than rounding allows.
func streamingRounded(m arch.Model, tok nn.Tokens, whole []float32, bound float64) error {
	var first []float32
	for _, pieces := range [][]int{{}, {1}, {3, 1, 5, 2}, {length - 1, 1}} {
		got := Logits(m, tok, m.NewState(batch), pieces...)
		if d := distance(got, whole); !(d < bound) || d < bound/20 {
			return fmt.Errorf("pieces %v differ from the whole by %.2g of the logits' size, more than %.2g or hardly", pieces, d, bound)
		}
		if first == nil {
			first = got
		}
		// Note: a last bit of float32 decides now and then which way a number is
		// rounded, so that pieces are not as near to each other as float32 is.
		if d := distance(got, first); d > bound/20 {
			return fmt.Errorf("pieces %v differ from one piece by %.2g of the logits' size, %.2g from the whole", pieces, d, distance(first, whole))
		}
	}
	return nil
}
