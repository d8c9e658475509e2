package kerneltest

import (
	"workbench/kernels"

	"math"
)

func recurrentOps() []*Op { return []*Op{elmanOp(), lstmOp(), gruOp()} }

// recurrent fills in the shapes and arguments of a network of that many gates:
// dims are B, T, H; in are x [B,T,gates·H], w [gates·H,H], h0 [B,H] and more.
func (o Op) recurrent(gates int, more func(d []int) []array) *Op {
	o.tol, o.gradTol = 3e-6, 2e-5
	o.dims = [][]int{{1, 1, 1}, {1, 4, 5}, {2, 3, 4}, {3, 2, 8}, {1, 9, 33}, {5, 7, 17}, {4, 5, 1}, {8, 3, 64}, {9, 2, 61}, {4, 6, 35}, {13, 5, 16}, {4, 2, 370}}
	o.speed = [][]int{{1, 1, 256}, {8, 32, 256}, {4, 32, 512}}
	o.operations = func(d []int) (float64, float64) {
		product := 2 * float64(d[0]*d[1]) * float64(gates*d[2]*d[2])
		return product, 2 * product
	}
	o.inputs = func(d []int) []array {
		scale := 1 / math.Sqrt(float64(d[2]))
		return append([]array{{n: d[0] * d[1] * gates * d[2]}, {n: gates * d[2] * d[2], value: uniform(-scale, scale)}, {n: d[0] * d[2], value: uniform(-1, 1)}}, more(d)...)
	}
	o.sets = []int{0}
	return &o
}

func elmanOp() *Op {
	return Op{name: "elman",
		outputs: func(d []int) []array { return []array{{n: d[0] * d[1] * d[2]}, {n: d[0] * d[2], from: 3}} },
		run:     func(c *call) { kernels.Elman(c.out[0], c.in[0], c.in[1], c.out[1], c.d[0], c.d[1], c.d[2]) },
		ref: func(e *exact) {
			eachStep(e, 1, func(_, at, unit int, y []float64) {
				e.out[0][at] = math.Tanh(e.in[0][at] + y[0])
			})
		},
		grad: func(c *call) {
			kernels.ElmanGrad(c.din[0], c.din[1], c.dout[0], c.out[0], c.in[1], c.in[2], c.d[0], c.d[1], c.d[2])
		},
		wrt: []int{0, 1},
	}.recurrent(1, func([]int) []array { return nil })
}

// lstmOp has c0 as in[3]; its outputs are h, c, the gates, and the last h and
// c.
func lstmOp() *Op {
	return Op{name: "lstm",
		outputs: func(d []int) []array {
			n, m := d[0]*d[1]*d[2], d[0]*d[2]
			return []array{{n: n}, {n: n}, {n: 4 * n, from: 1}, {n: m, from: 3}, {n: m, from: 4}}
		},
		run: func(c *call) {
			kernels.LSTM(lstmCells(c.out, c.out[3], c.out[4]), c.in[1], c.d[0], c.d[1], c.d[2])
		},
		ref: func(e *exact) {
			H := e.d[2]
			eachStep(e, 4, func(b, at, unit int, y []float64) {
				z := e.out[2][(at-unit)*4:]
				for g, v := range y {
					z[g*H+unit] += v
				}
				i, f, g, o := refSigmoid(z[unit]), refSigmoid(z[H+unit]), math.Tanh(z[2*H+unit]), refSigmoid(z[3*H+unit])
				z[unit], z[H+unit], z[2*H+unit], z[3*H+unit] = i, f, g, o
				c := f*e.out[4][b*H+unit] + i*g
				e.out[1][at], e.out[4][b*H+unit] = c, c
				e.out[0][at] = o * math.Tanh(c)
			})
		},
		grad: func(c *call) {
			kernels.LSTMGrad(c.din[0], c.din[1], c.dout[0], lstmCells(c.out, c.in[2], c.in[3]), c.in[1], c.d[0], c.d[1], c.d[2])
		},
		wrt: []int{0, 1},
	}.recurrent(4, func(d []int) []array { return []array{{n: d[0] * d[2]}} })
}

// gruOp has b as in[3]; its outputs are h, q, the gates and the last h.
func gruOp() *Op {
	return Op{name: "gru",
		outputs: func(d []int) []array {
			n := d[0] * d[1] * d[2]
			return []array{{n: n}, {n: n}, {n: 3 * n, from: 1}, {n: d[0] * d[2], from: 3}}
		},
		run: func(c *call) {
			kernels.GRU(gruCells(c.out, c.in[3], c.out[3]), c.in[1], c.d[0], c.d[1], c.d[2])
		},
		ref: func(e *exact) {
			H, bias := e.d[2], e.in[3]
			eachStep(e, 3, func(b, at, unit int, y []float64) {
				x := e.out[2][(at-unit)*3:]
				q := y[2] + bias[2*H+unit]
				r, z := refSigmoid(x[unit]+y[0]+bias[unit]), refSigmoid(x[H+unit]+y[1]+bias[H+unit])
				n := math.Tanh(x[2*H+unit] + r*q)
				e.out[1][at], x[unit], x[H+unit], x[2*H+unit] = q, r, z, n
				e.out[0][at] = (1-z)*n + z*e.out[3][b*H+unit]
			})
		},
		grad: func(c *call) {
			kernels.GRUGrad(c.din[0], c.din[1], c.din[3], c.dout[0], gruCells(c.out, c.in[3], c.in[2]), c.in[1], c.d[0], c.d[1], c.d[2])
		},
		wrt: []int{0, 1, 3},
	}.recurrent(3, func(d []int) []array { return []array{{n: 3 * d[2]}} })
}

func lstmCells(y [][]float32, h0, c0 []float32) kernels.LSTMCells {
	return kernels.LSTMCells{H: y[0], C: y[1], Z: y[2], H0: h0, C0: c0}
}

func gruCells(y [][]float32, bias, h0 []float32) kernels.GRUCells {
	return kernels.GRUCells{H: y[0], Q: y[1], G: y[2], Bias: bias, H0: h0}
}

// eachStep calls f for every unit of every step of every row, in the order of
// time: at is the index of the unit's h in [B,T,H], y its parts of W·h[t-1].
// The output that starts as h0 receives the last h.
func eachStep(e *exact, parts int, f func(b, at, unit int, y []float64)) {
	B, T, H := e.d[0], e.d[1], e.d[2]
	last := e.out[map[int]int{1: 1, 4: 3, 3: 3}[parts]]
	y := make([]float64, parts)
	for b := range B {
		h := last[b*H : (b+1)*H]
		for t := range T {
			at := (b*T + t) * H
			for unit := range H {
				for g := range y {
					y[g] = 0
					for k, w := range e.in[1][(g*H+unit)*H : (g*H+unit+1)*H] {
						y[g] += w * h[k]
					}
				}
				f(b, at+unit, unit, y)
			}
			copy(h, e.out[0][at:at+H])
		}
	}
}
