package kerneltest

import (
	"workbench/kernels"

	"math"
)

func llamaOps() []*Op {
	return []*Op{rmsNormOp(), swiGLUOp(), ropePairsOp(), groupedOp(), windowOp(), groupedDecodeOp()}
}

func swiGLUOp() *Op {
	return Op{name: "swiglu", inputs: vectors(2, wide), outputs: over(0),
		run:  func(c *call) { kernels.SwiGLU(c.out[0], c.in[0], c.in[1]) },
		ref:  each(func(_ float64, x ...float64) float64 { return x[0] * refSigmoid(x[0]) * x[1] }),
		grad: func(c *call) { kernels.SwiGLUGrad(c.din[0], c.din[1], c.dout[0], c.in[0], c.in[1]) },
		wrt:  []int{0, 1}}.vector()
}

func rmsNormOp() *Op {
	const eps = 0.01
	return Op{name: "rms_norm", inputs: shaped("mc"), outputs: shaped("mr"), tol: 1e-6, gradTol: 1e-5,
		run: func(c *call) {
			kernels.RMSNorm(c.out[0], c.out[1], c.in[0], c.in[1], c.d[0], c.d[1], eps)
		},
		ref: func(e *exact) {
			refRows(e.d, func(i, k int) {
				var mean float64
				for _, v := range e.in[0][i:k] {
					mean += v * v / float64(e.d[1])
				}
				r := 1 / math.Sqrt(mean+eps)
				e.out[1][i/e.d[1]] = r
				for c := range e.d[1] {
					e.out[0][i+c] = e.in[0][i+c] * r * e.in[1][c]
				}
			})
		},
		grad: func(c *call) {
			kernels.RMSNormGrad(c.din[0], c.din[1], c.dout[0], c.in[0], c.in[1], c.out[1], c.d[0], c.d[1])
		}, wrt: []int{0, 1}}.matrix()
}

// ropePairsOp is ropeOp over pairs of neighbours, with another base.
func ropePairsOp() *Op {
	const theta, gap = 500000, 5
	o := ropeOp()
	o.name = "rope_pairs"
	o.dims = append(o.dims, []int{1, 3, 2, 10, 1<<16 - 1}) // beyond the cached angles
	o.run = func(c *call) {
		kernels.RoPEPairs(c.out[0], c.in[0], ropeShape(c.d, gap, theta))
	}
	o.ref = func(e *exact) {
		B, T, H, D := e.d[0], e.d[1], e.d[2], e.d[3]
		for i := range B * T * H * (D / 2) {
			pair, h, row := i%(D/2), i/(D/2)%H, i/(D/2)/H
			at := row*(H*D+gap) + h*D + 2*pair
			sin, cos := math.Sincos(float64(e.d[4]+row%T) * math.Pow(theta, -2*float64(pair)/float64(D)))
			x, y := e.in[0][at], e.in[0][at+1]
			e.out[0][at], e.out[0][at+1] = x*cos-y*sin, y*cos+x*sin
		}
	}
	o.grad = func(c *call) {
		H, D := c.d[2], c.d[3]
		kernels.RoPEPairsGrad(c.din[0], c.dout[0], ropeShape(c.d, gap, theta))
		for end := H*D + gap; end <= len(c.din[0]); end += H*D + gap { // the gap between rows is copied, and so is its gradient
			for i := end - gap; i < end; i++ {
				c.din[0][i] += c.dout[0][i]
			}
		}
	}
	return o
}

// Grouped and windowed attention have two more dims: heads of keys and values,
// and the window.

func groupedOp() *Op {
	o := attentionOp("attention_grouped", false)
	o.dims = [][]int{{1, 2, 2, 2, 1, 1, 0}, {2, 3, 5, 4, 3, 2, 0}, {1, 70, 70, 6, 16, 2, 0}, {2, 65, 131, 4, 8, 1, 0}, {1, 110, 110, 3, 12, 3, 0}}
	o.speed, o.long = [][]int{{2, 128, 128, 4, 64, 2, 0}}, [][]int{{1, 512, 512, 12, 64, 4, 0}}
	return o
}

func windowOp() *Op {
	o := attentionOp("attention_window", false)
	o.dims = [][]int{{1, 2, 2, 1, 1, 1, 1}, {2, 9, 12, 4, 3, 2, 4}, {1, 100, 100, 1, 5, 1, 1}, {1, 200, 420, 2, 8, 1, 7},
		{1, 230, 230, 1, 20, 1, 96}, {1, 97, 290, 2, 8, 2, 150}, {1, 70, 70, 2, 8, 1, 100}}
	for w := 1; w <= 40; w++ {
		o.dims = append(o.dims, []int{1, 3 * w, 3*w + 5*(w%3), 2, 1 + w%9, 1 + w%2, w})
	}
	o.speed, o.long = [][]int{{2, 256, 256, 4, 64, 2, 64}}, [][]int{{1, 2048, 2048, 4, 64, 2, 256}}
	return o
}

func groupedDecodeOp() *Op {
	o := attentionOp("attention_decode_grouped", true)
	o.dims = [][]int{{1, 1, 1, 2, 1, 1, 0}, {2, 1, 5, 4, 3, 2, 3}, {1, 1, 9, 6, 8, 2, 0}, {3, 1, 17, 8, 16, 2, 0}, {1, 1, 2100, 4, 32, 2, 0},
		{1, 1, 2100, 4, 32, 2, 1777}, {2, 1, 1030, 12, 24, 3, 0}, {1, 1, 300, 12, 64, 1, 0}}
	for n := 1; n <= 40; n++ {
		o.dims = append(o.dims, []int{1 + n%2, 1, n, 6, 8, 1 + n%3, n % 11})
	}
	o.speed, o.long = [][]int{{1, 1, 1024, 12, 64, 4, 0}}, [][]int{{1, 1, 16384, 12, 64, 4, 0}, {1, 1, 16384, 12, 64, 1, 0}}
	return o
}

// firstKey is the first key that a query at a position sees.
func firstKey(s kernels.AttentionShape, position int) int {
	if s.W == 0 {
		return 0
	}
	return max(0, position-s.W+1)
}
