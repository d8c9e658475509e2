package nn

import (
	"math"
	"slices"
	"testing"
)

func TestArenaReuse(t *testing.T) {
	g := NewGraph()
	a := g.Tensor(3, 5)
	big := g.Tensor(chunkFloats + 7)
	high := g.HighWater()
	if want := int64(4 * (16 + chunkFloats + 16)); high != want {
		t.Errorf("high water %d, want %d", high, want)
	}
	g.Reset()
	if b := g.Tensor(3, 5); &a.Data[0] != &b.Data[0] {
		t.Error("the memory after Reset is not the memory before")
	}
	if b := g.Tensor(chunkFloats + 7); &big.Data[0] != &b.Data[0] {
		t.Error("the second chunk is not used again")
	}
	if g.HighWater() != high {
		t.Errorf("high water grew to %d", g.HighWater())
	}
}

func TestArenaHeaders(t *testing.T) {
	g := NewGraph()
	var all []*Tensor
	for i := range 3 * chunkHeaders {
		all = append(all, g.Tensor(1, i, 2))
	}
	for i, x := range all {
		if !slices.Equal(x.Shape, []int{1, i, 2}) {
			t.Fatalf("tensor %d has shape %v", i, x.Shape)
		}
	}
}

func TestRelease(t *testing.T) {
	g := Inference()
	m := g.Mark()
	x := g.Tensor(4)
	x.Fill(1)
	for range 3 {
		y := g.Tensor(4)
		copy(y.Data, x.Data)
		g.Tensor(1000)
		y.Data[2]++
		x = g.Release(m, y)
	}
	if !slices.Equal(x.Data, []float32{1, 1, 4, 1}) || !slices.Equal(x.Shape, []int{4}) {
		t.Errorf("released tensor is %v %v", x.Shape, x.Data)
	}
	if got := g.HighWater(); got > 4*(16+16+1008) {
		t.Errorf("high water %d: blocks are not released", got)
	}
	r := NewGraph()
	y := r.Tensor(2)
	if r.Release(r.Mark(), y) != y {
		t.Error("a recording graph released")
	}
}

type leaf struct {
	W *Tensor `w:"weight" s:"slot"`
	N *Tensor `w:"absent"`
}

type tree struct {
	E    *Tensor `w:"emb,embed"`
	L    []*leaf `w:"blocks" s:""`
	Hide *Tensor
	One  leaf      `w:"one"`
	Cell []*Tensor `w:"weight_l"`
}

func TestWalk(t *testing.T) {
	m := &tree{E: New(1), L: []*leaf{{W: New(2)}, {W: New(3)}}, Hide: New(9), One: leaf{W: New(4)}, Cell: []*Tensor{New(5)}}
	var names []string
	embeds := 0
	Walk(m, func(p Param) {
		names = append(names, p.Name)
		if p.Embed {
			embeds++
		}
	})
	if want := []string{"emb", "blocks.0.weight", "blocks.1.weight", "one.weight", "weight_l0"}; !slices.Equal(names, want) || embeds != 1 {
		t.Errorf("Walk visits %v (%d embeddings), want %v", names, embeds, want)
	}
	names = nil
	WalkState(m, func(name string, _ *Tensor) { names = append(names, name) })
	if want := []string{"0.slot", "1.slot"}; !slices.Equal(names, want) {
		t.Errorf("WalkState visits %v, want %v", names, want)
	}
}

func TestZeroGradSkipsConst(t *testing.T) {
	m := &tree{E: New(2), Cell: []*Tensor{{Shape: []int{1}, Data: make([]float32, 1), Const: true}}}
	ZeroGrad(m)
	m.E.Grad[1] = 3
	ZeroGrad(m)
	if m.E.Grad[1] != 0 || m.Cell[0].Grad != nil {
		t.Error("ZeroGrad leaves a gradient or gives a frozen weight one")
	}
}

func TestOrthogonal(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {3, 8}, {8, 3}, {40, 40}} {
		x := Orthogonal(New(shape[0], shape[1]), Rand(1, "x"), 2)
		n, m := min(shape[0], shape[1]), max(shape[0], shape[1])
		at := func(i, j int) float64 {
			if shape[0] > shape[1] {
				i, j = j, i
			}
			return float64(x.Data[i*shape[1]+j])
		}
		for i := range n {
			for k := range n {
				sum, want := 0.0, 0.0
				for j := range m {
					sum += at(i, j) * at(k, j)
				}
				if i == k {
					want = 4
				}
				if math.Abs(sum-want) > 1e-5 {
					t.Errorf("%v: vectors %d and %d have product %g, want %g", shape, i, k, sum, want)
				}
			}
		}
	}
}

func TestBackwardFromWantsEveryGradient(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a gradient of another length than its tensor was taken")
		}
	}()
	g := NewGraph()
	g.BackwardFrom(g.Tensor(2, 3), make([]float32, 3))
}
