package nn

import (
	"math"
	"slices"
	"testing"

	"workbench/kernels"
)

// opCase is one differentiable operation: inputs by shape, and the operation.
type opCase struct {
	name   string
	shapes [][]int
	op     func(g *Graph, x []*Tensor) *Tensor
}

func linearThen(f kernels.Activation) func(g *Graph, x []*Tensor) *Tensor {
	return func(g *Graph, x []*Tensor) *Tensor {
		return LinearThen(g, x[0], x[1], Then{Bias: x[2], F: f, Residual: x[3]})
	}
}

var opCases = []opCase{
	{"Linear", [][]int{{5, 4}, {2, 3, 4}}, func(g *Graph, x []*Tensor) *Tensor { return Linear(g, x[0], x[1]) }},
	{"Linear one row", [][]int{{5, 4}, {1, 1, 4}}, func(g *Graph, x []*Tensor) *Tensor { return Linear(g, x[0], x[1]) }},
	{"Linear and bias", [][]int{{5, 4}, {2, 3, 4}, {5}}, func(g *Graph, x []*Tensor) *Tensor {
		return LinearThen(g, x[0], x[1], Then{Bias: x[2]})
	}},
	{"Linear, bias, ReLUSq, residual", [][]int{{5, 4}, {2, 3, 4}, {5}, {2, 3, 5}}, linearThen(kernels.ActReLUSq)},
	{"Linear, bias, GELU, residual", [][]int{{5, 4}, {2, 3, 4}, {5}, {2, 3, 5}}, linearThen(kernels.ActGELU)},
	{"Linear, bias, GELUTanh, residual", [][]int{{5, 4}, {1, 1, 4}, {5}, {1, 1, 5}}, linearThen(kernels.ActGELUTanh)},
	{"Linear, gate, residual", [][]int{{5, 4}, {2, 3, 4}, {2, 3, 5}, {2, 3, 5}}, func(g *Graph, x []*Tensor) *Tensor {
		return LinearThen(g, x[0], x[1], Then{Gate: x[2], Residual: x[3]})
	}},
	{"residual chain", [][]int{{4, 4}, {2, 3, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		y := Linear(g, x[0], x[1])
		y = LinearThen(g, x[0], SigmoidMul(g, y, x[1]), Then{Residual: y})
		return LinearThen(g, x[0], y, Then{Gate: y, Residual: y})
	}},
	{"Sum", [][]int{{2, 3, 4}, {2, 3, 4}}, func(g *Graph, x []*Tensor) *Tensor { return Sum(g, x[0], x[1]) }},
	{"Linear, bias made of two, used twice", [][]int{{4, 4}, {2, 3, 4}, {4}, {4}}, func(g *Graph, x []*Tensor) *Tensor {
		b := Sum(g, x[2], x[3])
		y := LinearThen(g, x[0], x[1], Then{Bias: b, F: kernels.ActGELU})
		return LinearThen(g, x[0], y, Then{Bias: b, F: kernels.ActGELU})
	}},
	{"LayerNorm", [][]int{{6}, {6}, {2, 2, 6}}, func(g *Graph, x []*Tensor) *Tensor { return LayerNorm(g, x[0], x[1], x[2]) }},
	{"LayerNorm without bias", [][]int{{6}, {2, 2, 6}}, func(g *Graph, x []*Tensor) *Tensor { return LayerNorm(g, x[0], nil, x[1]) }},
	{"ShiftMix", [][]int{{4}, {4}, {2, 5, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		y := ShiftMix(g, x[2], nil, x[0], nil, x[1])
		return SigmoidMul(g, SigmoidMul(g, y[0], y[1]), y[2])
	}},
	{"ShiftMix from a state, one output unused", [][]int{{4}, {4}, {2, 5, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		return ShiftMix(g, x[2], New(2, 4).Fill(0.5), x[0], x[1])[0]
	}},
	{"SigmoidMul", [][]int{{2, 3, 4}, {2, 3, 4}}, func(g *Graph, x []*Tensor) *Tensor { return SigmoidMul(g, x[0], x[1]) }},
	{"WKV4", [][]int{{4}, {4}, {2, 6, 4}, {2, 6, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		return WKV4(g, Activate(g, kernels.ActNegExp, x[0]), x[1], x[2], x[3], nil)
	}},
	{"WKV4 from a state", [][]int{{4}, {4}, {2, 6, 4}, {2, 6, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		s := NewWKV4State(2, 4)
		s.A.Fill(0.7)
		s.B.Fill(1.3)
		s.P.Fill(0.2)
		return WKV4(g, Activate(g, kernels.ActNegExp, x[0]), x[1], x[2], x[3], s)
	}},
	{"WKV7", wkv7Shapes, func(g *Graph, x []*Tensor) *Tensor {
		return WKV7(g, Activate(g, kernels.ActNegExp, x[0]), x[1], x[2], x[3], x[4], x[5], 2, nil)
	}},
	{"WKV7 from a state", wkv7Shapes, func(g *Graph, x []*Tensor) *Tensor {
		return WKV7(g, Activate(g, kernels.ActNegExp, x[0]), x[1], x[2], x[3], x[4], x[5], 2, New(2, 2, 3, 3).Fill(0.4))
	}},
	{"WKV5", [][]int{{2, 3}, {2, 3}, {2, 6, 6}, {2, 6, 6}, {2, 6, 6}}, func(g *Graph, x []*Tensor) *Tensor {
		return WKV5(g, Activate(g, kernels.ActNegExp, x[0]), x[1], x[2], x[3], x[4], 2, nil)
	}},
	{"WKV5 from a state, without a bonus", [][]int{{4}, {2, 6, 4}, {2, 6, 4}, {2, 6, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		return WKV5(g, Activate(g, kernels.ActNegExp, x[0]), nil, x[1], x[2], x[3], 2, New(2, 2, 2, 2).Fill(0.5))
	}},
	{"WKV6", [][]int{{2, 6, 4}, {4}, {2, 6, 4}, {2, 6, 4}, {2, 6, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		return WKV6(g, Activate(g, kernels.ActNegExp, x[0]), x[1], x[2], x[3], x[4], 2, nil)
	}},
	{"WKV6 from a state", [][]int{{2, 6, 4}, {4}, {2, 6, 4}, {2, 6, 4}, {2, 6, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		return WKV6(g, Activate(g, kernels.ActNegExp, x[0]), x[1], x[2], x[3], x[4], 2, New(2, 2, 2, 2).Fill(-0.5))
	}},
	{"Attention", [][]int{{2, 5, 24}}, func(g *Graph, x []*Tensor) *Tensor { return Attention(g, x[0], Heads{H: 2, KV: 2}, nil) }},
	{"Attention with a cache", [][]int{{2, 5, 24}}, func(g *Graph, x []*Tensor) *Tensor {
		c := NewKVCache(2, 8, 0, kernels.F32)
		past := Uniform(New(2, 3, 24), Rand(3, "past"), 1)
		Attention(Inference(), past, Heads{H: 2, KV: 2}, c)
		return Attention(g, x[0], Heads{H: 2, KV: 2}, c)
	}},
	{"Attention of groups", [][]int{{2, 5, 24}}, func(g *Graph, x []*Tensor) *Tensor { return Attention(g, x[0], Heads{H: 4, KV: 1, Window: 3}, nil) }},
	{"RoPE", [][]int{{2, 5, 24}}, func(g *Graph, x []*Tensor) *Tensor { return RoPE(g, x[0], Heads{H: 2, KV: 2}, 3) }},
	{"Last", [][]int{{2, 5, 3}}, func(g *Graph, x []*Tensor) *Tensor { return Last(g, x[0], 2) }},
	{"RoPE of groups", [][]int{{2, 5, 24}}, func(g *Graph, x []*Tensor) *Tensor { return RoPE(g, x[0], Heads{H: 4, KV: 1}, 3) }},
	{"Elman", [][]int{{4, 4}, {2, 5, 4}}, func(g *Graph, x []*Tensor) *Tensor { return Elman(g, x[0], x[1], nil) }},
	{"Elman from a state", [][]int{{4, 4}, {2, 5, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		return Elman(g, x[0], x[1], New(2, 4).Fill(0.5))
	}},
	{"Embedding", [][]int{{7, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		return Embedding(g, x[0], Tokens{IDs: []int32{1, 6, 1, 0, 3, 3}, B: 2, T: 3})
	}},
	{"Positions", [][]int{{7, 4}, {9, 4}}, func(g *Graph, x []*Tensor) *Tensor {
		return Positions(g, x[1], Embedding(g, x[0], Tokens{IDs: []int32{1, 6, 1, 0, 3, 3}, B: 2, T: 3}), 4)
	}},
}

// TestOpGradients compares the tape of every operation with central
// differences, entry by entry, through a cross-entropy.
func TestOpGradients(t *testing.T) {
	for _, c := range slices.Concat(opCases, linearsCases, llamaCases) {
		t.Run(c.name, func(t *testing.T) {
			var x []*Tensor
			for i, shape := range c.shapes {
				p := Uniform(New(shape...), Rand(uint64(i), c.name), 1)
				p.Grad = make([]float32, p.Len())
				x = append(x, p)
			}
			loss := func(g *Graph) *Tensor {
				g.Poison = true
				y := c.op(g, x)
				targets := make([]int32, rows(y))
				for i := range targets {
					targets[i] = int32(i*7) % int32(y.Dim(-1))
				}
				targets[0] = -1
				return CrossEntropy(g, y, targets)
			}
			g := NewGraph()
			g.Backward(loss(g))
			for i, p := range x {
				for j := range p.Data {
					const eps = 1e-2
					at := p.Data[j]
					p.Data[j] = at + eps
					up := loss(Inference()).Data[0]
					p.Data[j] = at - eps
					down := loss(Inference()).Data[0]
					p.Data[j] = at
					want := float64(up-down) / (2 * eps)
					if got := float64(p.Grad[j]); !(math.Abs(got-want) < 2e-4+2e-2*math.Abs(want)) {
						t.Fatalf("input %d entry %d: gradient %.5f, differences %.5f", i, j, got, want)
					}
				}
			}
		})
	}
}

func TestL2Wrap(t *testing.T) {
	for _, c := range []struct {
		targets []int32
		want    []float32 // extra gradient
	}{
		{[]int32{0, 0, 0}, []float32{0, 4e-4 / 3, 0, -1e-4 / 3, 0, 0, 0, 0, 6e-4 / 3}},
		{[]int32{0, -1, 0}, []float32{0, 4e-4 / 2, 0, 0, 0, 0, 0, 0, 6e-4 / 2}}, // a masked row neither pulls nor counts
		{[]int32{-1, -1, -1}, make([]float32, 9)},
	} {
		grad := func(wrap bool) []float32 {
			logits := &Tensor{Shape: []int{3, 3}, Data: []float32{1, 4, 4, -1, -2, -3, 5, 2, 6}, Grad: make([]float32, 9)}
			g := NewGraph()
			loss := CrossEntropy(g, logits, c.targets)
			if wrap {
				L2Wrap(g, logits, c.targets, 1)
			}
			g.Backward(loss)
			return logits.Grad
		}
		with, plain := grad(true), grad(false)
		for i, want := range c.want {
			if got := with[i] - plain[i]; math.Abs(float64(got-want)) > 1e-7 {
				t.Errorf("targets %v, entry %d: extra gradient %g, want %g", c.targets, i, got, want)
			}
		}
	}
}

func TestShiftMixKeepsLast(t *testing.T) {
	last, mu := New(2, 1), New(1) // mu 0: the previous position alone
	g := Inference()
	x := &Tensor{Shape: []int{2, 3, 1}, Data: []float32{1, 2, 3, 4, 5, 6}}
	ShiftMix(g, x, last, mu)
	y := ShiftMix(g, &Tensor{Shape: []int{2, 1, 1}, Data: []float32{7, 8}}, last, mu)[0]
	if y.Data[0] != 3 || y.Data[1] != 6 || last.Data[0] != 7 || last.Data[1] != 8 {
		t.Errorf("shifted %v, kept %v", y.Data, last.Data)
	}
}

var wkv7Shapes = [][]int{{2, 5, 6}, {2, 5, 6}, {2, 5, 6}, {2, 5, 6}, {2, 5, 6}, {2, 5, 6}}
