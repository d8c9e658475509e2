package nn

import (
	"math"
	"slices"
	"testing"
)

func TestDropout(t *testing.T) {
	x := Uniform(New(1, 500, 100), Rand(1, "x"), 1)
	x.Grad = make([]float32, x.Len())
	drop := func(seed uint64) []float32 {
		g := NewGraph()
		g.Drop = Drop{Rate: 0.25, Seed: seed}
		y := Dropout(g, x)
		clear(x.Grad)
		dy := New(x.Len()).Fill(1)
		g.BackwardFrom(y, dy.Data)
		zeros := 0
		for i, v := range y.Data {
			if want := x.Data[i] * x.Grad[i]; v != want {
				t.Fatalf("element %d: %v, gradient %v of %v", i, v, x.Grad[i], x.Data[i])
			}
			if x.Grad[i] == 0 {
				zeros++
			} else if x.Grad[i] != float32(1/0.75) {
				t.Fatalf("gradient %v", x.Grad[i])
			}
		}
		if share := float64(zeros) / float64(x.Len()); math.Abs(share-0.25) > 0.01 {
			t.Errorf("%.3f of the elements dropped", share)
		}
		return slices.Clone(y.Data)
	}
	if a := drop(1); !slices.Equal(a, drop(1)) || slices.Equal(a, drop(2)) {
		t.Error("what is dropped does not follow from the seed")
	}
	g := Inference()
	g.Drop = Drop{Rate: 0.25}
	if Dropout(g, x) != x {
		t.Error("inference drops")
	}
}

// TestLinearDropout checks that LinearThen drops what Dropout of the layer
// would, forward and backward.
func TestLinearDropout(t *testing.T) {
	shapes := [][]int{{6, 4}, {2, 3, 4}, {6}, {2, 3, 6}, {2, 3, 6}}
	run := func(fused bool) (y []float32, grads [][]float32) {
		var x []*Tensor
		for i, s := range shapes {
			p := Uniform(New(s...), Rand(uint64(i), "p"), 1)
			p.Grad = make([]float32, p.Len())
			x = append(x, p)
		}
		g := NewGraph()
		g.Drop = Drop{Rate: 0.5, Seed: 3}
		var out *Tensor
		if fused {
			out = LinearThen(g, x[0], x[1], Then{Bias: x[2], Gate: x[3], Residual: x[4]})
		} else {
			out = Sum(g, Dropout(g, LinearThen(g, x[0], x[1], Then{Bias: x[2], Gate: x[3]})), x[4])
		}
		g.Backward(CrossEntropy(g, out, []int32{0, 1, 2, 3, 4, 5}))
		for _, p := range x {
			grads = append(grads, p.Grad)
		}
		return out.Data, grads
	}
	a, da := run(true)
	b, db := run(false)
	if !slices.Equal(a, b) {
		t.Error("outputs differ")
	}
	for i := range da {
		if !slices.Equal(da[i], db[i]) {
			t.Errorf("gradients of input %d differ: %v, %v", i, da[i], db[i])
		}
	}
}
