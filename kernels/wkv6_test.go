package kernels

import (
	"math"
	"slices"
	"testing"
)

// TestWKV6Scratch checks that scratch full of NaN changes nothing, and that
// warm calls allocate nothing.
func TestWKV6Scratch(t *testing.T) {
	skipIfPoolsLeak(t)
	before := Threads()
	t.Cleanup(func() { SetThreads(before) })
	SetThreads(1)
	const B, T, H, N = 2, 131, 8, 64
	x := make([]float32, 13*B*T*H*N)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
	}
	take := func() (y []float32) {
		y, x = x[:B*T*H*N], x[B*T*H*N:]
		return y
	}
	w, r, k, v, dy, y := take(), take(), take(), take(), take(), take()
	grads := [][]float32{take(), take(), take(), take()}
	u, du, s := x[:H*N], x[H*N:2*H*N], x[2*H*N:][:B*H*N*N]
	for i := range w {
		w[i] = -w[i] * w[i]
	}
	run := func() {
		clear(s)
		clear(du)
		for _, g := range grads {
			clear(g)
		}
		in := WKV6Inputs{W: w, U: u, R: r, K: k, V: v}
		WKV6(y, s, in, B, T, H, N)
		WKV6Grad(WKV6Inputs{W: grads[0], U: du, R: grads[1], K: grads[2], V: grads[3]}, dy, nil, in, B, T, H, N)
	}
	results := func() [][]float32 { return append(slices.Clone(grads), y, s, du) }
	run()
	var want [][]float32
	for _, g := range results() {
		want = append(want, slices.Clone(g))
	}
	owner, scratch := borrow(1 << 20)
	fill(scratch, float32(math.NaN()))
	floatBuffers.Put(owner)
	run()
	for i, g := range results() {
		if !slices.Equal(g, want[i]) {
			t.Errorf("result %d depends on what scratch held", i)
		}
	}
	if n := testing.AllocsPerRun(5, run); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
