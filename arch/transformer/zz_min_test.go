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

func TestMin(t *testing.T) {
	kv, ffn := 12, 2240
	if os.Getenv("KV") == "4" {
		kv, ffn = 4, 2592
	}
	for _, d := range []kernels.DType{kernels.F32, kernels.BF16, kernels.Q8_0, kernels.Q4_0} {
		if s := os.Getenv("DT"); s != "" && s != d.String() {
			continue
		}
		L := 12
		if d == kernels.F32 {
			L = 4
		}
		m, _, err := arch.New("llama", map[string]any{"dim": 768, "layers": L, "heads": 12, "kv_heads": kv, "vocab": 65536, "ffn": ffn}, 1)
		if err != nil {
			t.Fatal(err)
		}
		nn.Store(m, d)
		var buf []float32
		buf = make([]float32, 32<<20)
		for i := range buf {
			buf[i] = 1
		}
		l := m.(arch.Layered)
		best := make([]float64, L+3)
		for i := range best {
			best[i] = math.Inf(1)
		}
		bytes := make([]int64, L+3)
		bw := 0.0
		g := nn.Inference()
		s := m.NewState(1)
		arch.Reserve(s, 64)
		empty := m.NewState(1)
		tok := nn.Tokens{IDs: []int32{5}, B: 1, T: 1}
		end := time.Now().Add(12 * time.Second)
		for k := 0; time.Now().Before(end); k++ {
			if k%8 == 0 {
				arch.CopyState(s, empty)
				for j := range 16 {
					n := len(buf) / 16
					bw = max(bw, kernels.ReadBandwidth(buf[j*n:(j+1)*n], 1))
				}
			}
			g.Reset()
			at := 0
			step := func(f func()) {
				g.Work = nn.Work{}
				t0 := time.Now()
				f()
				best[at] = min(best[at], float64(time.Since(t0)))
				bytes[at] = g.Work.WeightBytes
				at++
			}
			var x *nn.Tensor
			step(func() { x = l.Embed(g, tok, s) })
			for i := range L {
				step(func() { x = l.Layer(g, i, x, s) })
			}
			step(func() { x = l.Finish(g, x) })
			step(func() { m.Logits(g, x) })
		}
		var layer float64
		lo := math.Inf(1)
		for i := 1; i <= L; i++ {
			layer += best[i]
			lo = min(lo, best[i])
		}
		lb := float64(bytes[1])
		hb := float64(bytes[L+2])
		total := layer/float64(L)*12 + best[0] + best[L+1] + best[L+2]
		all := 12*lb + hb
		fmt.Printf("%s bw %.1f GB/s: layer mean-min %.1f us, least %.1f, floor %.1f share %.3f (best %.3f); head %.1f floor %.1f share %.3f; embed+finish %.1f us; token %.2f ms share %.3f\n", d, bw, layer/float64(L)/1e3, lo/1e3, lb/bw/1e3,
			lb/bw/(layer/float64(L)), lb/bw/lo, best[L+2]/1e3, hb/bw/1e3, hb/bw/best[L+2], (best[0]+best[L+1])/1e3, total/1e6, all/bw/total)
	}
}
