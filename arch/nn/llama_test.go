package nn

import (
	"slices"
	"testing"

	"workbench/kernels"
)

// packed projects x [2,5,40] by three matrices to q with 4 heads of 6, and to k
// and v with 2 heads.
func packed(g *Graph, x []*Tensor) (q, k, v *Tensor) {
	y := Linears(g, Product{W: x[0], X: x[3]}, Product{W: x[1], X: x[3]}, Product{W: x[2], X: x[3]})
	return y[0], y[1], y[2]
}

func grouped(window int, cached bool, r Rotation) opCase {
	return opCase{"GroupedAttention", [][]int{{24, 3}, {12, 3}, {12, 3}, {2, 5, 3}}, func(g *Graph, x []*Tensor) *Tensor {
		h := Heads{H: 4, KV: 2, Window: window}
		var c *KVCache
		pos := 0
		if cached {
			c, pos = NewKVCache(2, 12, window, kernels.F32), 7
			past := func(name string, C int) *Tensor { return Uniform(New(2, pos, C), Rand(3, name), 1) }
			GroupedAttention(Inference(), past("q", 24), past("k", 12), past("v", 12), h, c)
		}
		q, k, v := packed(g, x)
		return GroupedAttention(g, Rotate(g, q, 4, pos, r), Rotate(g, k, 2, pos, r), v, h, c)
	}}
}

var llamaCases = []opCase{
	grouped(0, false, Rotation{Theta: 100}), grouped(0, true, Rotation{Theta: 100, Pairs: true}),
	grouped(2, false, Rotation{Theta: 100, Pairs: true}), grouped(3, true, Rotation{Theta: 100}),
	{"RMSNorm", [][]int{{6}, {2, 2, 6}}, func(g *Graph, x []*Tensor) *Tensor { return RMSNorm(g, x[0], x[1], 1e-3) }},
	{"SwiGLU", [][]int{{2, 3, 4}, {2, 3, 4}}, func(g *Graph, x []*Tensor) *Tensor { return SwiGLU(g, x[0], x[1]) }},
}

// TestWindowCache checks that a cache with a window holds no more positions
// than that, keeps counting, and attends as over the whole text, in any pieces.
func TestWindowCache(t *testing.T) {
	const B, T, C, W = 2, 200, 4, 5
	h := Heads{H: 2, KV: 1, Window: W}
	tensor := func(name string, C int) *Tensor { return Uniform(New(B, T, C), Rand(1, name), 1) }
	q, k, v := tensor("q", 2*C), tensor("k", C), tensor("v", C)
	whole := GroupedAttention(Inference(), q, k, v, h, nil)
	cut := func(x *Tensor, from, n int) *Tensor {
		C := x.Dim(2)
		y := New(B, n, C)
		for b := range B {
			copy(y.Data[b*n*C:(b+1)*n*C], x.Data[(b*T+from)*C:])
		}
		return y
	}
	for _, pieces := range [][]int{{1}, {3, 1, 1, 7, 1, 1, 1, 1, 40}, {60, 1}, {2}} {
		c := NewKVCache(B, C, W, kernels.F32)
		for at, i := 0, 0; at < T; i++ {
			n := min(pieces[i%len(pieces)], T-at)
			y := GroupedAttention(Inference(), cut(q, at, n), cut(k, at, n), cut(v, at, n), h, c)
			for j, want := range cut(whole, at, n).Data {
				if d := y.Data[j] - want; d > 1e-5 || d < -1e-5 {
					t.Fatalf("pieces %v from %d: %v, want %v", pieces, at, y.Data[j], want)
				}
			}
			at += n
			if c.Positions() != at || c.K.Dim(0) != min(at, W) || c.K.Len() != min(at, W)*B*C || c.V.Len() != c.K.Len() {
				t.Fatalf("after %d positions: %d seen, keys %v", at, c.Positions(), c.K.Shape)
			}
		}
		if !slices.Equal(c.K.Data[(W-1)*B*C:][:C], k.Data[(T-1)*C:][:C]) {
			t.Errorf("pieces %v: the last key is %v", pieces, c.K.Data[(W-1)*B*C:])
		}
	}
	c := NewKVCache(1, 1, W, kernels.F32)
	c.Seen.Data[0], c.Seen.Data[1] = seenUnit-1, 77
	one := New(1, 2, 1)
	GroupedAttention(Inference(), one, one, one, Heads{H: 1, KV: 1, Window: W}, c)
	if c.Positions() != 78*seenUnit+1 {
		t.Errorf("counted to %d", c.Positions())
	}
}

func TestPairsSeen(t *testing.T) {
	for T := 1; T < 6; T++ {
		for S := T; S < 12; S++ {
			for W := range 14 {
				want := int64(0)
				for p := S - T; p < S; p++ {
					if n := p + 1; W == 0 || n < W {
						want += int64(n)
					} else {
						want += int64(W)
					}
				}
				if got := pairsSeen(kernels.AttentionShape{T: T, S: S, W: W}); got != want {
					t.Errorf("T=%d S=%d W=%d: %d, want %d", T, S, W, got, want)
				}
			}
		}
	}
}

// TestHalfCache checks that queries read keys and values as a cache of 16 bits
// stores them, in any pieces, with a window and without, and that their
// gradient is that of the rounded ones.
func TestHalfCache(t *testing.T) {
	const B, T, C = 2, 40, 8
	h := Heads{H: 4, KV: 2}
	for _, as := range []kernels.DType{kernels.F16, kernels.BF16} {
		tensor := func(name string, C, from, n int, round bool) *Tensor {
			all := Uniform(New(B, T, C), Rand(1, name), 1)
			if round {
				kernels.RoundHalf(as, all.Data)
			}
			x := New(B, n, C)
			for b := range B {
				copy(x.Data[b*n*C:(b+1)*n*C], all.Data[(b*T+from)*C:])
			}
			x.Grad = make([]float32, len(x.Data))
			return x
		}
		// run returns outputs and gradients of q, k and v from position 25 on, after
		// pieces of those before.
		run := func(g *Graph, as kernels.DType, round bool, pieces ...int) (all []float32, c *KVCache) {
			c = NewKVCache(B, C, h.Window, as)
			part := func(g *Graph, from, n int) {
				q, k, v := tensor("q", 2*C, from, n, false), tensor("k", C, from, n, round), tensor("v", C, from, n, round)
				y := GroupedAttention(g, q, k, v, h, c)
				if all = append(all, y.Data...); g.Recording() {
					dy := Uniform(New(B, n, 2*C), Rand(1, "dy"), 1)
					g.BackwardFrom(y, dy.Data)
					all = append(append(append(all, q.Grad...), k.Grad...), v.Grad...)
				}
			}
			at := 0
			for i := 0; at < 25; i++ {
				n := min(pieces[i%len(pieces)], 25-at)
				part(Inference(), at, n)
				at += n
			}
			all = nil
			part(g, at, T-at)
			return all, c
		}
		for _, window := range []int{0, 6} {
			h.Window = window
			want, _ := run(NewGraph(), kernels.F32, true, 25)
			for _, pieces := range [][]int{{25}, {1}, {2, 1, 1, 9, 1}} {
				got, c := run(NewGraph(), as, false, pieces...)
				if !slices.Equal(got, want) {
					t.Errorf("%s, window %d, pieces %v: outputs or gradients are not those of rounded keys and values", as, window, pieces)
				}
				y, _ := run(Inference(), as, false, pieces...)
				for i := range y {
					if d := y[i] - want[i]; d > 1e-5 || d < -1e-5 {
						t.Fatalf("%s, window %d, pieces %v: %v, want %v", as, window, pieces, y[i], want[i])
					}
				}
				if n := c.K.Len(); c.K.Bytes() != 2*n || len(c.K.Half.Bits) != n || c.K.Data != nil || n != c.K.Dim(0)*B*C {
					t.Errorf("%s, window %d: keys %v take %d bytes", as, window, c.K.Shape, c.K.Bytes())
				}
			}
		}
	}
}

// TestPacked checks that queries, keys and values side by side give the bits of
// the same ones apart.
func TestPacked(t *testing.T) {
	const B, T, D = 2, 7, 6
	h := Heads{H: 4, KV: 2, Window: 5}
	row := (h.H + 2*h.KV) * D
	qkv := Uniform(New(B, T, row), Rand(1, "qkv"), 1)
	part := func(from, heads int) *Tensor {
		x := New(B, T, heads*D)
		for i := range B * T {
			copy(x.Data[i*heads*D:(i+1)*heads*D], qkv.Data[i*row+from*D:])
		}
		return x
	}
	q, k, v := part(0, h.H), part(h.H, h.KV), part(h.H+h.KV, h.KV)
	g := Inference()
	r := Rotation{Theta: theta}
	want := GroupedAttention(g, Rotate(g, q, h.H, 3, r), Rotate(g, k, h.KV, 3, r), v, h, nil)
	if got := Attention(g, RoPE(g, qkv, h, 3), h, nil); !slices.Equal(got.Data, want.Data) {
		t.Error("packed and apart differ")
	}
}
