package kerneltest

import (
	"math"
	"math/rand/v2"

	"workbench/kernels"
)

func wkv6Ops() []*Op {
	return []*Op{wkv6Op("wkv6", true, true), wkv6Op("wkv6_fresh", true, false), wkv6Op("wkv5", false, true)}
}

// Inputs of wkv6Op.
const (
	wkvR, wkvK, wkvV, wkvW, wkvU, wkvS = 0, 1, 2, 3, 4, 5
)

func wkv6Inputs(x [][]float32) kernels.WKV6Inputs {
	return kernels.WKV6Inputs{W: x[wkvW], U: x[wkvU], R: x[wkvR], K: x[wkvK], V: x[wkvV]}
}

// logDecay draws log-decays from almost no decay to forgetting within a step.
func logDecay(r *rand.Rand) float64 { return -math.Exp(-6 + 8*r.Float64()) }

// wkv6Op has dims B, T, H, N. Without state it starts from zeros, and its
// gradient gets a nil state.
func wkv6Op(name string, perStep, state bool) *Op {
	f, grad := kernels.WKV5, kernels.WKV5Grad
	if perStep {
		f, grad = kernels.WKV6, kernels.WKV6Grad
	}
	o := &Op{name: name, tol: 3e-6, gradTol: 2e-5, dims: wkv6Dims(state),
		speed: [][]int{{1, 1, 12, 64}, {4, 128, 12, 64}},
		inputs: func(d []int) []array {
			B, T, H, N := d[0], d[1], d[2], d[3]
			n, w := B*T*H*N, H*N
			if perStep {
				w = n
			}
			a := []array{{n: n}, {n: n}, {n: n}, {n: w, value: logDecay}, {n: H * N}, {n: B * H * N * N}}
			if !state {
				a[wkvS].value = zero
			}
			return a
		},
		outputs: func(d []int) []array {
			return []array{{n: d[0] * d[1] * d[2] * d[3]}, {n: d[0] * d[2] * d[3] * d[3], from: 1 + wkvS}}
		},
		run: func(c *call) {
			f(c.out[0], c.out[1], wkv6Inputs(c.in), c.d[0], c.d[1], c.d[2], c.d[3])
		},
		ref: func(e *exact) { refWKV6(e, perStep) },
		grad: func(c *call) {
			s0 := c.in[wkvS]
			if !state {
				s0 = nil
			}
			grad(wkv6Inputs(c.din), c.dout[0], s0, wkv6Inputs(c.in), c.d[0], c.d[1], c.d[2], c.d[3])
		},
		wrt: []int{wkvR, wkvK, wkvV, wkvW, wkvU},
		operations: func(d []int) (forward, gradient float64) {
			elements := float64(d[0]*d[1]*d[2]) * float64(d[3]*d[3])
			return 5 * elements, 12 * elements // gradient: 3 for each state, 2 for each of dr, dk, dv
		},
	}
	if !perStep { // rounding e^w is off by up to 3e-8, in each of up to 400 steps alike
		o.tol = 1.5e-5
	}
	if state {
		o.long = [][]int{{4, 512, 12, 64}}
	}
	return o
}

func wkv6Dims(state bool) (dims [][]int) {
	for n := 1; state && n <= 34; n++ {
		dims = append(dims, []int{1 + n%2, 1 + n%5, 1 + n%3, n})
	}
	return append(dims, []int{2, 3, 1, 3}, []int{1, 6, 2, 2}, []int{2, 67, 2, 16}, []int{1, 130, 1, 9},
		[]int{1, 66, 2, 64}, []int{1, 7, 2, 72}, []int{1, 5, 1, 128})
}

// refWKV6 is the definition as a weighted sum over the past: the output of a
// step is the product of its r with every earlier key, decayed by the steps in
// between, times the value of that key.
func refWKV6(e *exact, perStep bool) {
	B, T, H, N := e.d[0], e.d[1], e.d[2], e.d[3]
	C := H * N
	fade := make([]float64, (T+1)*N) // sums of the log-decays before step t
	for i := range B * H {
		b, h := i/H, i%H
		at := func(t int) int { return (b*T+t)*C + h*N }
		for t := range T {
			for n := range N {
				w := e.in[wkvW][h*N+n]
				if perStep {
					w = e.in[wkvW][at(t)+n]
				}
				fade[(t+1)*N+n] = fade[t*N+n] + w
			}
		}
		s0, s := e.in[wkvS][i*N*N:(i+1)*N*N], e.out[1][i*N*N:(i+1)*N*N]
		for t := range T {
			refWKV6Step(e, fade, s0, t, h*N, at)
		}
		for n := range N {
			for m := range N {
				s[n*N+m] = math.Exp(fade[T*N+n]) * s0[n*N+m]
			}
			for t := range T {
				x := math.Exp(fade[T*N+n]-fade[(t+1)*N+n]) * e.in[wkvK][at(t)+n]
				for m := range N {
					s[n*N+m] += x * e.in[wkvV][at(t)+m]
				}
			}
		}
	}
}

func refWKV6Step(e *exact, fade, s0 []float64, t, u int, at func(t int) int) {
	N := e.d[3]
	y, r := e.out[0][at(t):at(t)+N], e.in[wkvR][at(t):at(t)+N]
	for n, rn := range r {
		x := rn * math.Exp(fade[t*N+n])
		for m := range y {
			y[m] += x * s0[n*N+m]
		}
	}
	for p := range t + 1 {
		var score float64
		for n, rn := range r {
			if x := rn * e.in[wkvK][at(p)+n]; p == t {
				score += x * e.in[wkvU][u+n]
			} else {
				score += x * math.Exp(fade[t*N+n]-fade[(p+1)*N+n])
			}
		}
		for m := range y {
			y[m] += score * e.in[wkvV][at(p)+m]
		}
	}
}
