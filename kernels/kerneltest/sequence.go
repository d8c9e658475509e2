package kerneltest

import (
	"workbench/kernels"

	"math"
	"math/rand/v2"
)

func sequenceOps() []*Op {
	return []*Op{
		wkv4Op("wkv4", true), wkv4Op("wkv4_fresh", false),
		wkv7Op("wkv7", true), wkv7Op("wkv7_fresh", false),
		attentionOp("attention", false), attentionOp("attention_decode", true),
		halfAttentionOp(kernels.BF16, false), halfAttentionOp(kernels.BF16, true), halfAttentionOp(kernels.F16, false), halfAttentionOp(kernels.F16, true),
		ropeOp(),
	}
}

// wkv4Op has dims B, T, C; its inputs are k, v, w, u and the state a, b, p.
func wkv4Op(name string, state bool) *Op {
	var dims [][]int
	for c := 1; state && c <= 34; c++ {
		dims = append(dims, []int{1 + c%2, 1 + c%4, c})
	}
	return &Op{name: name, tol: 3e-6, gradTol: 2e-5,
		dims:  append(dims, []int{2, 3, 3}, []int{1, 6, 9}, []int{3, 40, 23}, []int{2, 65, 32}),
		speed: [][]int{{1, 1, 768}, {4, 128, 768}},
		inputs: func(d []int) []array {
			n, m := d[0]*d[1]*d[2], d[0]*d[2]
			a := []array{{n: n}, {n: n}, {n: d[2], value: uniform(-2, 0)}, {n: d[2]}, {n: m}, {n: m, value: uniform(0.5, 2)}, {n: m}}
			if !state {
				a[4].value, a[5].value = zero, zero
				a[6].value = func(*rand.Rand) float64 { return kernels.WKV4Start }
			}
			return a
		},
		outputs: func(d []int) []array {
			return []array{{n: d[0] * d[1] * d[2]}, {n: d[0] * d[2], from: 5}, {n: d[0] * d[2], from: 6}, {n: d[0] * d[2], from: 7}}
		},
		run: func(c *call) {
			kernels.WKV4(c.out[0], wkv4State(c.out[1:]), wkv4Inputs(c.in), c.d[0], c.d[1], c.d[2])
		},
		ref: refWKV4,
		grad: func(c *call) {
			var s0 kernels.WKV4State
			if state {
				s0 = wkv4State(c.in[4:])
			}
			kernels.WKV4Grad(wkv4Inputs(c.din), c.dout[0], s0, wkv4Inputs(c.in), c.d[0], c.d[1], c.d[2])
		},
		wrt: []int{0, 1, 2, 3},
	}
}

func wkv4Inputs(x [][]float32) kernels.WKV4Inputs {
	return kernels.WKV4Inputs{K: x[0], V: x[1], W: x[2], U: x[3]}
}

func wkv4State(x [][]float32) kernels.WKV4State { return kernels.WKV4State{A: x[0], B: x[1], P: x[2]} }

func zero(*rand.Rand) float64 { return 0 }

// refWKV4 is the definition: every output is a weighted mean over the past,
// with exponents shifted by their maximum.
func refWKV4(e *exact) {
	B, T, C := e.d[0], e.d[1], e.d[2]
	k, v, w, u := e.in[0], e.in[1], e.in[2], e.in[3]
	for b := range B {
		for c := range C {
			s := b*C + c
			at := func(t int) int { return (b*T+t)*C + c }
			for t := range T {
				top := math.Max(u[c]+k[at(t)], e.in[6][s]+float64(t)*w[c])
				for i := range t {
					top = math.Max(top, float64(t-1-i)*w[c]+k[at(i)])
				}
				now := math.Exp(u[c] + k[at(t)] - top)
				old := math.Exp(e.in[6][s] + float64(t)*w[c] - top)
				num, den := now*v[at(t)]+old*e.in[4][s], now+old*e.in[5][s]
				for i := range t {
					x := math.Exp(float64(t-1-i)*w[c] + k[at(i)] - top)
					num, den = num+x*v[at(i)], den+x
				}
				e.out[0][at(t)] = num / den
			}
			for t := range T {
				p := math.Max(w[c]+e.out[3][s], k[at(t)])
				old, now := math.Exp(w[c]+e.out[3][s]-p), math.Exp(k[at(t)]-p)
				e.out[1][s] = old*e.out[1][s] + now*v[at(t)]
				e.out[2][s] = old*e.out[2][s] + now
				e.out[3][s] = p
			}
		}
	}
}

// attentionShape lays keys and values out as a cache [S,B,H·D], and queries as
// the first third of rows of 3·H·D. Dims are B, T, S, H, D and, optionally, the
// heads of keys and values and the window.
func attentionShape(d []int) kernels.AttentionShape {
	B, T, H, D := d[0], d[1], d[3], d[4]
	s := kernels.AttentionShape{B: B, T: T, S: d[2], H: H, D: D, QB: 3 * T * H * D, QT: 3 * H * D, KB: H * D, KS: B * H * D}
	if len(d) > 5 {
		s.HKV, s.W, s.KB, s.KS = d[5], d[6], d[5]*D, B*d[5]*D
	}
	return s
}

func qkv(x [][]float32) kernels.QKV { return kernels.QKV{Q: x[0], K: x[1], V: x[2]} }

func attentionOp(name string, decode bool) *Op {
	dims := [][]int{{1, 2, 2, 1, 1}, {2, 3, 5, 2, 3}, {1, 4, 4, 2, 8}, {2, 2, 9, 1, 5}, {1, 70, 70, 2, 16}, {1, 66, 131, 1, 7}, {2, 65, 65, 3, 4}}
	speed := [][]int{{2, 128, 128, 4, 64}}
	if decode {
		dims = [][]int{{1, 1, 1, 1, 1}, {2, 1, 5, 2, 3}, {1, 1, 9, 2, 8}, {3, 1, 17, 1, 16}, {1, 1, 2100, 2, 32}, {2, 1, 1030, 3, 24}}
		speed = [][]int{{1, 1, 1024, 12, 64}}
	}
	o := &Op{name: name, dims: dims, speed: speed, tol: 2e-6, gradTol: 1e-5,
		inputs: func(d []int) []array {
			s := attentionShape(d)
			return []array{{n: s.B * s.QB}, {n: s.S * s.KS}, {n: s.S * s.KS}}
		},
		outputs: func(d []int) []array {
			return []array{{n: d[0] * d[1] * d[3] * d[4]}, {n: d[0] * d[3] * d[1]}}
		},
		run: func(c *call) { kernels.Attention(c.out[0], c.out[1], qkv(c.in), attentionShape(c.d)) },
		ref: refAttention,
		grad: func(c *call) {
			kernels.AttentionGrad(qkv(c.din), c.dout[0], c.out[0], c.out[1], qkv(c.in), attentionShape(c.d))
		},
		wrt: []int{0, 1, 2},
	}
	if !decode {
		o.operations = causalOperations
		o.long = [][]int{{4, 256, 256, 4, 64}, {1, 512, 512, 4, 64}, {1, 1024, 1024, 4, 64}, {1, 2048, 2048, 4, 64}}
	} else {
		o.long = [][]int{{1, 1, 16384, 12, 64}}
	}
	return o
}

// halfAttentionOp is attention over keys and values of a 16-bit type, on shapes
// of all three attentions of float32.
func halfAttentionOp(t kernels.DType, decode bool) *Op {
	name, from := "attention_"+t.String(), []*Op{attentionOp("", decode), windowOp(), groupedOp()}
	if decode {
		name, from = "attention_decode_"+t.String(), []*Op{attentionOp("", decode), groupedDecodeOp()}
	}
	o := attentionOp(name, decode)
	o.dims = nil
	for _, f := range from {
		o.dims = append(o.dims, f.dims...)
	}
	o.dims = append(o.dims, []int{1, min(3, o.dims[0][1]), 7, 2, 72}, []int{1, min(3, o.dims[0][1]), 7, 1, 131})
	if decode {
		o.speed = [][]int{{1, 1, 1024, 12, 64}, {1, 1, 1024, 12, 64, 4, 0}}
	}
	inputs := o.inputs
	o.inputs = func(d []int) []array {
		a := inputs(d)
		a[1].half, a[2].half = t, t
		return a
	}
	o.run = func(c *call) {
		kernels.Attention(c.out[0], c.out[1], kernels.QKV{Q: c.in[0], KHalf: c.half[1], VHalf: c.half[2]}, attentionShape(c.d))
	}
	o.grad, o.wrt = nil, nil
	return o
}

func refAttention(e *exact) {
	s := attentionShape(e.d)
	q, k, v := e.in[0], e.in[1], e.in[2]
	for i := range s.B * s.H * s.T {
		b, h, t := i/s.T/s.H, i/s.T%s.H, i%s.T
		row, from := b*s.KB+h*s.D, firstKey(s, s.S-s.T+t)
		if s.HKV > 0 {
			row = b*s.KB + h/(s.H/s.HKV)*s.D
		}
		scores := make([]float64, s.S-s.T+t+1-from)
		for n := range scores {
			for c := range s.D {
				scores[n] += q[b*s.QB+t*s.QT+h*s.D+c] * k[row+(from+n)*s.KS+c] / math.Sqrt(float64(s.D))
			}
		}
		lse := refLSE(scores)
		e.out[1][i] = lse
		for n, x := range scores {
			for c := range s.D {
				e.out[0][((b*s.T+t)*s.H+h)*s.D+c] += math.Exp(x-lse) * v[row+(from+n)*s.KS+c]
			}
		}
	}
}

func ropeShape(d []int, gap int, theta float64) kernels.RoPEShape {
	return kernels.RoPEShape{B: d[0], T: d[1], H: d[2], D: d[3], Stride: d[2]*d[3] + gap, Pos: d[4], Theta: theta}
}

// ropeOp has dims B, T, H, D, pos0; rows lie five floats apart.
func ropeOp() *Op {
	const theta, gap = 10000, 5
	size := func(d []int) int { return d[0] * d[1] * (d[2]*d[3] + gap) }
	var dims [][]int
	for half := 1; half <= 35; half++ {
		dims = append(dims, []int{1 + half%2, 1 + half%3, 1 + half%2, 2 * half, half % 4})
	}
	return &Op{name: "rope", dims: append(dims, []int{2, 100, 3, 64, 1000}), speed: [][]int{{4, 128, 12, 64, 0}}, tol: 3e-7, gradTol: 1e-6,
		inputs:  func(d []int) []array { return []array{{n: size(d)}} },
		outputs: func(d []int) []array { return []array{{n: size(d), from: 1}} },
		run: func(c *call) {
			kernels.RoPE(c.out[0], c.in[0], ropeShape(c.d, gap, theta))
		},
		ref: func(e *exact) {
			B, T, H, D := e.d[0], e.d[1], e.d[2], e.d[3]
			for i := range B * T * H * (D / 2) {
				pair, h, row := i%(D/2), i/(D/2)%H, i/(D/2)/H
				at := row*(H*D+gap) + h*D + pair
				sin, cos := math.Sincos(float64(e.d[4]+row%T) * math.Pow(theta, -2*float64(pair)/float64(D)))
				x, y := e.in[0][at], e.in[0][at+D/2]
				e.out[0][at], e.out[0][at+D/2] = x*cos-y*sin, y*cos+x*sin
			}
		},
		grad: func(c *call) {
			H, D := c.d[2], c.d[3]
			kernels.RoPEGrad(c.din[0], c.dout[0], ropeShape(c.d, gap, theta))
			for end := H*D + gap; end <= len(c.din[0]); end += H*D + gap { // the gap between rows is copied, and so is its gradient
				for i := end - gap; i < end; i++ {
					c.din[0][i] += c.dout[0][i]
				}
			}
		},
		wrt: []int{0},
	}
}
