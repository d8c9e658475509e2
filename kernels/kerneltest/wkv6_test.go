package kerneltest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"workbench/kernels"
)

// TestWKV6Cuts checks that cutting the sequence, into pieces of every length
// and uneven ones, changes no byte.
func TestWKV6Cuts(t *testing.T) {
	const B, T, H = 1, 67, 2
	underEachImpl(t, func(t *testing.T) {
		for _, N := range []int{64, 21, 8} {
			for _, o := range []*Op{wkv6Op("wkv6", true, true), wkv6Op("wkv5", false, true)} {
				d := []int{B, T, H, N}
				whole, _ := o.build(d, 1, 0)
				o.run(whole)
				for n := 1; n <= T; n++ {
					c, _ := o.build(d, 1, 0)
					for from := 0; from < T; from += n {
						piece(o, c, from, min(n, T-from))
					}
					for i := range c.out {
						if !bytes.Equal(bytesOf(c.out[i]), bytesOf(whole.out[i])) {
							t.Fatalf("%s, N = %d: output %d in pieces of %d differs", o.name, N, i, n)
						}
					}
				}
			}
		}
	})
}

// piece runs steps from … from+n-1 of a call of one sequence.
func piece(o *Op, c *call, from, n int) {
	C := c.d[2] * c.d[3]
	part := &call{d: []int{1, n, c.d[2], c.d[3]}, in: slices.Clone(c.in), out: slices.Clone(c.out)}
	for _, i := range []int{wkvR, wkvK, wkvV, wkvW} {
		if x := c.in[i]; len(x) > C {
			part.in[i] = x[from*C : (from+n)*C]
		}
	}
	part.out[0] = c.out[0][from*C : (from+n)*C]
	o.run(part)
}

// TestWKV6Range compares outputs and gradients over long sequences with the
// recurrence in float64: any mixture of decays, from none to forgetting within
// a step, and keys and values of any magnitude.
func TestWKV6Range(t *testing.T) {
	one := func(w float64) func(*rand.Rand) float64 { return func(*rand.Rand) float64 { return w } }
	draws := []struct {
		name  string
		decay func(r *rand.Rand) float64
		size  float64
	}{
		{"never", one(0), 1}, {"hardly", one(-1e-6), 1}, {"slow", one(-1e-3), 1}, {"usual", logDecay, 1},
		{"at once", one(-30), 1}, {"to nothing", one(-60), 1}, {"beyond denormals", one(-200), 1},
		{"mixed", func(r *rand.Rand) float64 { return -math.Exp(r.Float64()*18 - 14) }, 1},
		{"all or nothing", func(r *rand.Rand) float64 { return -60 * float64(r.IntN(2)) }, 1},
		{"large", logDecay, 1e8}, {"small", logDecay, 1e-8},
	}
	underEachImpl(t, func(t *testing.T) {
		for _, perStep := range []bool{true, false} {
			for _, draw := range draws {
				t.Run(fmt.Sprintf("%s/steps=%t", draw.name, perStep), func(t *testing.T) {
					o := wkv6Op("", perStep, true)
					inputs := o.inputs
					o.inputs = func(d []int) []array {
						a := inputs(d)
						a[wkvW].value = draw.decay
						for _, i := range []int{wkvK, wkvV} {
							a[i].value = func(r *rand.Rand) float64 { return draw.size * r.NormFloat64() }
						}
						a[wkvS].value = func(r *rand.Rand) float64 { return draw.size * draw.size * r.NormFloat64() }
						return a
					}
					for _, d := range [][]int{{1, 2048, 1, 24}, {2, 150, 2, 13}} {
						checkWKV6(t, o, d, perStep)
					}
				})
			}
		}
	})
}

// checkWKV6 compares a call with the recurrence in float64, which gets the e^w
// rounded to float32, as that rounding is no fault of the recurrence. Without
// decay a state is a sum of 2048 terms, each addition rounded.
func checkWKV6(t *testing.T, o *Op, d []int, perStep bool) {
	t.Helper()
	c, guards := o.build(d, 7, 1)
	for _, i := range o.wrt {
		clear(c.din[i])
	}
	o.run(c)
	o.grad(c)
	want := exactWKV6(c, perStep)
	near(t, "y", c.out[0], want.y, 3e-5)
	near(t, "s", c.out[1], want.s, 3e-5)
	for _, g := range []struct {
		what string
		i    int
		want []float64
		size []float64
	}{{"dr", wkvR, want.dr, want.dr}, {"dk", wkvK, want.dk, want.dk}, {"dv", wkvV, want.dv, want.dv},
		{"du", wkvU, want.du, want.du}, {"dw", wkvW, want.dw, want.q}} {
		var size float64
		for _, x := range g.size {
			size = max(size, math.Abs(x))
		}
		for k, x := range g.want {
			if diff := math.Abs(float64(c.din[g.i][k]) - x); !(diff <= 1e-5*size) {
				t.Fatalf("%v %s[%d] = %v, want %v (largest %.3g)", d, g.what, k, c.din[g.i][k], x, size)
			}
		}
	}
	for _, g := range guards {
		g.check(t, fmt.Sprint(d))
	}
}

// exactGrads are outputs and gradients in float64; q is the magnitude of the
// terms whose difference is dw.
type exactGrads struct{ y, s, dr, dk, dv, dw, du, q []float64 }

// exactWKV6 runs the recurrence and the sums of WKV6Grad's doc comment
// literally, keeping every state.
func exactWKV6(c *call, perStep bool) *exactGrads {
	B, T, H, N := c.d[0], c.d[1], c.d[2], c.d[3]
	n, C := B*T*H*N, H*N
	e := &exactGrads{y: make([]float64, n), s: widen(c.in[wkvS]), dr: make([]float64, n), dk: make([]float64, n), dv: make([]float64, n),
		dw: make([]float64, len(c.in[wkvW])), du: make([]float64, C), q: make([]float64, len(c.in[wkvW]))}
	met := make([]float64, n)
	decay := make([]float32, len(c.in[wkvW]))
	kernels.Exp(decay, c.in[wkvW])
	r, k, v, u, dy := widen(c.in[wkvR]), widen(c.in[wkvK]), widen(c.in[wkvV]), widen(c.in[wkvU]), widen(c.dout[0])
	for b := range B {
		for x := range C * N { // element i, j of head h
			h, i, j := x/N/N, x/N%N, x%N
			key, val := func(t int) int { return (b*T+t)*C + h*N + i }, func(t int) int { return (b*T+t)*C + h*N + j }
			w := func(t int) int {
				if perStep {
					return key(t)
				}
				return h*N + i
			}
			past := make([]float64, T+1)
			past[0] = e.s[b*C*N+x]
			for t := range T {
				kv := k[key(t)] * v[val(t)]
				e.y[val(t)] += r[key(t)] * (past[t] + u[h*N+i]*kv)
				past[t+1] = float64(decay[w(t)])*past[t] + kv
			}
			e.s[b*C*N+x] = past[T]
			var G float64
			for t := T - 1; t >= 0; t-- {
				d, at := float64(decay[w(t)]), dy[val(t)]
				e.dr[key(t)] += at * (past[t] + u[h*N+i]*k[key(t)]*v[val(t)])
				e.dk[key(t)] += v[val(t)] * (G + u[h*N+i]*r[key(t)]*at)
				e.dv[val(t)] += k[key(t)] * (G + u[h*N+i]*r[key(t)]*at)
				e.du[h*N+i] += r[key(t)] * k[key(t)] * v[val(t)] * at
				e.dw[w(t)] += d * G * past[t]
				met[key(t)] += G * past[t+1]
				G = d*G + r[key(t)]*at
			}
		}
	}
	for i, x := range met {
		e.q[i%len(e.q)] += math.Abs(x)
	}
	return e
}

// TestWKV6NoBonus checks that a nil u stands for ones, and a nil state in the
// gradient for zeros.
func TestWKV6NoBonus(t *testing.T) {
	const B, T, H, N = 2, 7, 3, 19
	underEachImpl(t, func(t *testing.T) {
		o := wkv6Op("wkv6", true, false)
		a, _ := o.build([]int{B, T, H, N}, 1, 0)
		b, _ := o.build([]int{B, T, H, N}, 1, 0)
		for i := range a.in[wkvU] {
			a.in[wkvU][i] = 1
		}
		for _, c := range []*call{a, b} {
			in, s0 := wkv6Inputs(c.in), a.in[wkvS]
			if c == b {
				in.U, s0 = nil, nil
			}
			kernels.WKV6(c.out[0], c.out[1], in, B, T, H, N)
			kernels.WKV6Grad(wkv6Inputs(c.din), c.dout[0], s0, in, B, T, H, N)
		}
		for i, x := range slices.Concat(a.out, a.din) {
			if !bytes.Equal(bytesOf(x), bytesOf(slices.Concat(b.out, b.din)[i])) {
				t.Errorf("result %d differs", i)
			}
		}
	})
}

// TestWKV6GradNil checks that each gradient is the same when the others are
// nil.
func TestWKV6GradNil(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, perStep := range []bool{true, false} {
			o := wkv6Op("", perStep, true)
			d := []int{2, 70, 2, 11}
			whole, _ := o.build(d, 1, 0)
			o.grad(whole)
			for _, i := range o.wrt {
				alone, _ := o.build(d, 1, 0)
				for k := range alone.din {
					if k != i {
						alone.din[k] = nil
					}
				}
				o.grad(alone)
				if !slices.Equal(alone.din[i], whole.din[i]) {
					t.Errorf("steps=%t: gradient of input %d differs alone", perStep, i)
				}
			}
		}
	})
}

// TestWKV6Forgets checks that a decay that forgets everything has gradient 0,
// not the rounding of a difference, and that the gradients of its neighbours
// are right.
func TestWKV6Forgets(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, perStep := range []bool{true, false} {
			o := wkv6Op("", perStep, true)
			c, _ := o.build([]int{2, 70, 1, 17}, 1, 0)
			for i := 0; i < len(c.in[wkvW]); i += 17 {
				c.in[wkvW][i] = -30
			}
			clear(c.din[wkvW])
			o.grad(c)
			for i, g := range c.din[wkvW] {
				if last := perStep && i%(70*17) >= 69*17; !last && (g == 0) != (i%17 == 0) {
					t.Fatalf("steps=%t: dw[%d] = %v at w = %v", perStep, i, g, c.in[wkvW][i])
				}
			}
		}
	})
}

// TestWKV6Pages checks that rows whole pages apart, which are copied, give the
// bytes of rows close together.
func TestWKV6Pages(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		o := wkv6Op("", true, true)
		const T, N = 37, 64
		apart, _ := o.build([]int{1, T, 8, N}, 1, 0)
		tight, _ := o.build([]int{1, T, 1, N}, 1, 0)
		const h = 3
		cut := func(to, from []float32) {
			for t := range T {
				copy(to[t*N:(t+1)*N], from[t*8*N+h*N:])
			}
		}
		for _, i := range []int{wkvR, wkvK, wkvV, wkvW} {
			cut(tight.in[i], apart.in[i])
			cut(tight.din[i], apart.din[i])
		}
		cut(tight.dout[0], apart.dout[0])
		copy(tight.in[wkvU], apart.in[wkvU][h*N:])
		copy(tight.in[wkvS], apart.in[wkvS][h*N*N:])
		copy(tight.out[1], tight.in[wkvS])
		for _, c := range []*call{apart, tight} {
			o.run(c)
			o.grad(c)
		}
		got := make([]float32, T*N)
		for i, x := range [][2][]float32{{apart.out[0], tight.out[0]}, {apart.din[wkvR], tight.din[wkvR]}, {apart.din[wkvK], tight.din[wkvK]},
			{apart.din[wkvV], tight.din[wkvV]}, {apart.din[wkvW], tight.din[wkvW]}} {
			if cut(got, x[0]); !bytes.Equal(bytesOf(got), bytesOf(x[1])) {
				t.Errorf("result %d differs", i)
			}
		}
	})
}

// TestWKV6Panics checks that wrong shapes panic with the package's prefix.
func TestWKV6Panics(t *testing.T) {
	x := func(n int) []float32 { return make([]float32, n) }
	in := func(w, u int) kernels.WKV6Inputs {
		return kernels.WKV6Inputs{W: x(w), U: x(u), R: x(12), K: x(12), V: x(12)}
	}
	for name, f := range map[string]func(){
		"state": func() { kernels.WKV6(x(12), x(8), in(12, 6), 1, 2, 2, 3) },
		"w":     func() { kernels.WKV6(x(12), x(18), in(6, 6), 1, 2, 2, 3) },
		"w5":    func() { kernels.WKV5(x(12), x(18), in(12, 6), 1, 2, 2, 3) },
		"dw5":   func() { kernels.WKV5Grad(kernels.WKV6Inputs{W: x(12)}, x(12), nil, in(6, 6), 1, 2, 2, 3) },
		"u":     func() { kernels.WKV6(x(12), x(18), in(12, 3), 1, 2, 2, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, ok := recover().(string); !ok || len(s) < 9 || s[:9] != "kernels: " {
					t.Errorf("panic %q", s)
				}
			}()
			f()
		})
	}
}

// BenchmarkWKV6Share times the recurrences of RWKV-5 and RWKV-6 at C = 768 and
// T = 512, forward and gradient. It reports their share of the FMA peak, and
// their share of a layer's training step: 13·C² multiply-adds a token forward,
// twice that backward, at .85 of the peak. Times are the shortest of all calls,
// the peak is the highest measured between them.
func BenchmarkWKV6Share(b *testing.B) {
	const B, T, H, N = 1, 512, 12, 64
	for _, o := range []*Op{wkv6Op("wkv6", true, false), wkv6Op("wkv5", false, false)} {
		b.Run(o.name, func(b *testing.B) {
			d := []int{B, T, H, N}
			c, _ := o.build(d, 5, 0)
			var peak float64
			forward, gradient := time.Hour, time.Hour
			for b.Loop() {
				peak = max(peak, kernels.FMAPeak(2*time.Millisecond))
				clear(c.out[1])
				start := time.Now()
				o.run(c)
				mid := time.Now()
				o.grad(c)
				forward, gradient = min(forward, mid.Sub(start)), min(gradient, time.Since(mid))
			}
			f, g := o.operations(d)
			products := 2 * 39 * float64(H*N) * float64(H*N) * B * T / (0.85 * peak)
			b.ReportMetric(f/float64(forward)/peak, "forward-of-peak")
			b.ReportMetric(g/float64(gradient)/peak, "gradient-of-peak")
			b.ReportMetric(float64(forward)/(B*T*H), "ns-forward")
			b.ReportMetric(float64(gradient)/(B*T*H), "ns-gradient")
			b.ReportMetric(peak, "peak-GFLOP/s")
			b.ReportMetric(float64(forward+gradient)/(float64(forward+gradient)+products), "share")
			b.ReportMetric(0, "ns/op")
		})
	}
}
