package transformer

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

func TestParts(t *testing.T) {
	kv, ffn := 12, 2240
	d := kernels.Q4_0
	if s := os.Getenv("DT"); s != "" {
		d, _ = kernels.ParseDType(s)
	}
	mm, _, err := arch.New("llama", map[string]any{"dim": 768, "layers": 12, "heads": 12, "kv_heads": kv, "vocab": 256, "ffn": ffn}, 1)
	if err != nil {
		t.Fatal(err)
	}
	nn.Store(mm, d)
	m := mm.(*llama)
	names := []string{"norm", "qkv", "rotate", "attention", "out", "norm2", "gateup", "swiglu", "down"}
	best := make([]float64, len(names))
	for i := range best {
		best[i] = math.Inf(1)
	}
	sums := make([][]float64, 12)
	for i := range sums {
		sums[i] = append([]float64(nil), best...)
	}
	var bytes [9]int64
	buf := make([]float32, 8<<20)
	for i := range buf {
		buf[i] = 1
	}
	bw := 0.0
	g := nn.Inference()
	s := m.NewState(1).(*state)
	arch.Reserve(s, 64)
	empty := m.NewState(1)
	tok := nn.Tokens{IDs: []int32{5}, B: 1, T: 1}
	end := time.Now().Add(12 * time.Second)
	for k := 0; time.Now().Before(end); k++ {
		if k%8 == 0 {
			arch.CopyState(s, empty)
			n := len(buf) / 8
			j := k / 8 % 8
			bw = max(bw, kernels.ReadBandwidth(buf[j*n:(j+1)*n], 1))
		}
		g.Reset()
		x := m.Embed(g, tok, s)
		for i, b := range m.Model.Blocks {
			at := 0
			step := func(f func()) {
				g.Work = nn.Work{}
				t0 := time.Now()
				f()
				sums[i][at] = min(sums[i][at], float64(time.Since(t0)))
				bytes[at] = g.Work.WeightBytes
				at++
			}
			a := &b.Attn
			var h, q, kk, y, o *nn.Tensor
			var p [nn.MaxLinears]*nn.Tensor
			pos := s.Layers[i].Positions()
			step(func() { h = nn.RMSNorm(g, b.Norm1, x, m.eps) })
			step(func() { p = nn.Linears(g, nn.Product{W: a.Q, X: h}, nn.Product{W: a.K, X: h}, nn.Product{W: a.V, X: h}) })
			step(func() { q = nn.Rotate(g, p[0], a.heads.H, pos, a.rotary); kk = nn.Rotate(g, p[1], a.heads.KV, pos, a.rotary) })
			step(func() { y = nn.GroupedAttention(g, q, kk, p[2], a.heads, s.Layers[i]) })
			step(func() { o = nn.LinearThen(g, a.Out, y, nn.Then{Residual: x}) })
			x = o
			step(func() { h = nn.RMSNorm(g, b.Norm2, x, m.eps) })
			step(func() { p = nn.Linears(g, nn.Product{W: b.MLP.Gate, X: h}, nn.Product{W: b.MLP.Up, X: h}) })
			step(func() { y = nn.SwiGLU(g, p[0], p[1]) })
			step(func() { x = nn.LinearThen(g, b.MLP.Down, y, nn.Then{Residual: x}) })
		}
	}
	fmt.Printf("bw %.1f\n", bw)
	for i, n := range names {
		mean := 0.0
		for _, s := range sums {
			mean += s[i] / 12e3
		}
		fl := float64(bytes[i]) / bw / 1e3
		fmt.Printf("%-10s %.2f us floor %.2f excess %.2f\n", n, mean, fl, mean-fl)
	}
}
