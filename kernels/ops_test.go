package kernels

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// op is one operation. The table of them drives correctness against a float64
// loop, gradients against finite differences of that loop, thread
// independence, allocations and speed.
type op struct {
	name  string
	dims  [][]int // shapes under test
	speed [][]int // shapes timed, and tested for thread independence

	inputs  func(d []int) []array // what goes in
	outputs func(d []int) []array // what comes out; from: it starts as that input
	ints    func(d []int, r *rand.Rand) []int32

	run  func(c *call)  // the kernel: in → out
	ref  func(c *exact) // the same in float64
	grad func(c *call)  // the kernel's gradient: in, out, dout[0] → din; nil: has none
	wrt  []int          // the inputs that get a gradient

	tol, gradTol float64 // error allowed, relative to the value and to the mean of all
	allocates    bool    // run needs scratch of its own
}

// array is an argument: n floats, drawn by value (nil: standard normal).
type array struct {
	n     int
	from  int // outputs: 1 + the input it starts as; 0: poisoned
	value func(r *rand.Rand) float64
}

type call struct {
	d                  []int
	in, out, dout, din [][]float32
	ints               []int32
}

type exact struct {
	d       []int
	in, out [][]float64
	ints    []int32
}

const guard = float32(-7.25e33)

// guarded returns n floats that start misalign floats past a cache line's
// start plus eight, between guards.
type guarded struct{ whole, x []float32 }

func newGuarded(n, misalign int) guarded {
	whole := make([]float32, n+32)
	for i := range whole {
		whole[i] = guard
	}
	return guarded{whole, whole[8+misalign : 8+misalign+n : 8+misalign+n]}
}

func (g guarded) check(t *testing.T, what string) {
	t.Helper()
	from := int((uintptr(unsafe.Pointer(unsafe.SliceData(g.x))) - uintptr(unsafe.Pointer(&g.whole[0]))) / 4)
	for i, v := range g.whole {
		if (i < from || i >= from+len(g.x)) && v != guard {
			t.Fatalf("%s: wrote %v at %d of %d floats", what, v, i-from, len(g.x))
		}
	}
}

// build draws the arguments of a call; every buffer is guarded.
func (o *op) build(d []int, seed uint64, misalign int) (*call, []guarded) {
	r := rand.New(rand.NewPCG(seed, 7))
	c := &call{d: d}
	var all []guarded
	alloc := func(n int) []float32 {
		g := newGuarded(n, misalign)
		all = append(all, g)
		return g.x
	}
	draw := func(a array) []float32 {
		x := alloc(a.n)
		for i := range x {
			if a.value == nil {
				x[i] = float32(r.NormFloat64())
			} else {
				x[i] = float32(a.value(r))
			}
		}
		return x
	}
	for _, a := range o.inputs(d) {
		c.in = append(c.in, draw(a))
	}
	if o.ints != nil {
		c.ints = o.ints(d, r)
	}
	for _, a := range o.outputs(d) {
		x := alloc(a.n)
		for i := range x {
			x[i] = float32(math.NaN())
		}
		if a.from > 0 {
			copy(x, c.in[a.from-1])
		}
		c.out = append(c.out, x)
	}
	if o.grad != nil {
		c.dout = [][]float32{draw(array{n: len(c.out[0])})}
		c.din = make([][]float32, len(c.in))
		for _, i := range o.wrt {
			c.din[i] = draw(array{n: len(c.in[i])})
		}
	}
	return c, all
}

// exactOf is c's inputs in float64.
func (o *op) exactOf(c *call) *exact {
	e := &exact{d: c.d, ints: c.ints}
	for _, x := range c.in {
		e.in = append(e.in, widen(x))
	}
	for range c.out {
		e.out = append(e.out, nil)
	}
	o.evaluate(e)
	return e
}

// evaluate runs the reference into fresh outputs.
func (o *op) evaluate(e *exact) {
	for i, a := range o.outputs(e.d) {
		e.out[i] = make([]float64, a.n)
		if a.from > 0 {
			copy(e.out[i], e.in[a.from-1])
		}
	}
	o.ref(e)
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// near fails unless got is want within tol·(|want| + mean |want|).
func near(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	var mean float64
	for _, w := range want {
		if !math.IsInf(w, 0) && !math.IsNaN(w) {
			mean += math.Abs(w) / float64(len(want))
		}
	}
	const tiny = 1.2e-38 // below the smallest normal float32 kernels may give 0
	for i, w := range want {
		g := float64(got[i])
		switch {
		case math.IsNaN(w) && math.IsNaN(g), math.IsInf(float64(float32(w)), 1) && math.IsInf(g, 1), math.IsInf(float64(float32(w)), -1) && math.IsInf(g, -1):
		case math.Abs(g-w) <= tol*(math.Abs(w)+mean)+tiny:
		default:
			t.Fatalf("%s: [%d of %d] = %v, want %v (off by %.2g of %.2g)", what, i, len(want), g, w, math.Abs(g-w), tol*(math.Abs(w)+mean))
		}
	}
}

// underEachImpl runs f under every implementation.
func underEachImpl(t *testing.T, f func(t *testing.T)) {
	before := Impl()
	t.Cleanup(func() { _ = Use(before) })
	for _, impl := range Impls() {
		t.Run("impl="+impl, func(t *testing.T) {
			if err := Use(impl); err != nil {
				t.Fatal(err)
			}
			f(t)
		})
	}
}

func TestOps(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, o := range table() {
			t.Run(o.name, func(t *testing.T) {
				for i, d := range o.dims {
					o.testForward(t, d, i%4)
					if o.grad != nil {
						o.testGrad(t, d, i%4)
					}
				}
			})
		}
	})
}

func (o *op) testForward(t *testing.T, d []int, misalign int) {
	c, guards := o.build(d, uint64(len(d)), misalign)
	e := o.exactOf(c)
	o.run(c)
	for i := range c.out {
		near(t, fmt.Sprintf("%v out %d", d, i), c.out[i], e.out[i], o.tol)
	}
	for i, x := range e.in {
		near(t, fmt.Sprintf("%v input %d after the call", d, i), c.in[i], x, 0)
	}
	for _, g := range guards {
		g.check(t, fmt.Sprint(d))
	}
}

// testGrad compares with central differences of the reference: each element
// where there are few, else along random directions.
func (o *op) testGrad(t *testing.T, d []int, misalign int) {
	c, guards := o.build(d, 3+uint64(len(d)), misalign)
	e := o.exactOf(c)
	for i := range c.out {
		for k, v := range e.out[i] {
			c.out[i][k] = float32(v)
		}
	}
	before := make([][]float64, len(c.in))
	for _, i := range o.wrt {
		before[i] = widen(c.din[i])
	}
	o.grad(c)
	for _, i := range o.wrt {
		o.compareGrad(t, c, e, i, before[i])
	}
	for _, g := range guards {
		g.check(t, fmt.Sprint(d, " gradient"))
	}
}

func (o *op) compareGrad(t *testing.T, c *call, e *exact, i int, before []float64) {
	t.Helper()
	what := fmt.Sprintf("%v gradient of input %d", c.d, i)
	x := e.in[i]
	if len(x) <= 80 {
		want := make([]float64, len(x))
		for k := range x {
			want[k] = before[k] + o.slope(c, e, i, func(at int) float64 {
				if at == k {
					return 1
				}
				return 0
			})
		}
		near(t, what, c.din[i], want, o.gradTol)
		return
	}
	r := rand.New(rand.NewPCG(11, 13))
	for range 2 {
		dir := make([]float64, len(x))
		var got, size float64
		for k := range dir {
			dir[k] = r.NormFloat64()
			g := (float64(c.din[i][k]) - before[k]) * dir[k]
			got, size = got+g, size+g*g
		}
		want := o.slope(c, e, i, func(at int) float64 { return dir[at] })
		if math.Abs(got-want) > 10*o.gradTol*(math.Abs(want)+math.Sqrt(size)+1) || math.IsNaN(got) {
			t.Fatalf("%s along a direction: %v, want %v", what, got, want)
		}
	}
}

// slope is the derivative of Σ dout·out along a direction of input i.
func (o *op) slope(c *call, e *exact, i int, dir func(k int) float64) float64 {
	const h = 1e-5
	x := e.in[i]
	var loss [2]float64
	for side, step := range []float64{-h, h} {
		moved := append([]float64(nil), x...)
		for k := range moved {
			moved[k] += step * dir(k)
		}
		e.in[i] = moved
		o.evaluate(e)
		for k, v := range e.out[0] {
			loss[side] += float64(c.dout[0][k]) * v
		}
	}
	e.in[i] = x
	return (loss[1] - loss[0]) / (2 * h)
}

// TestOpsThreads wants the same bytes from 1, 2 and 3 threads.
func TestOpsThreads(t *testing.T) {
	before := Threads()
	t.Cleanup(func() { SetThreads(before) })
	underEachImpl(t, func(t *testing.T) {
		for _, o := range table() {
			t.Run(o.name, func(t *testing.T) {
				d := o.speed[len(o.speed)-1]
				var want []byte
				for threads := 1; threads <= 3; threads++ {
					SetThreads(threads)
					c, _ := o.build(d, 5, 1)
					o.run(c)
					if o.grad != nil {
						o.grad(c)
					}
					var got []byte
					for _, list := range [][][]float32{c.out, c.din} {
						for _, x := range list {
							got = append(got, bytesOf(x)...)
						}
					}
					if want == nil {
						want = got
					} else if !bytes.Equal(got, want) {
						t.Fatalf("%v: %d threads give other bytes than one", d, threads)
					}
				}
			})
		}
	})
}

func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// skipIfPoolsLeak skips where pools lose what they are given.
func skipIfPoolsLeak(t *testing.T) {
	pool := sync.Pool{New: func() any { return new(int) }}
	cycle := func() {
		for range 100 {
			pool.Put(pool.Get())
		}
	}
	if testing.AllocsPerRun(10, cycle) > 1 {
		t.Skip("the race detector empties pools")
	}
}

func TestOpsAllocateNothing(t *testing.T) {
	skipIfPoolsLeak(t)
	underEachImpl(t, func(t *testing.T) {
		for _, o := range table() {
			if o.allocates {
				continue
			}
			c, _ := o.build(o.speed[0], 5, 0)
			// a garbage collection in between empties the pools of scratch
			n := math.Inf(1)
			for range 3 {
				n = min(n, testing.AllocsPerRun(10, func() { o.run(c) }))
			}
			if n >= 1 {
				t.Errorf("%s %v: %v allocations", o.name, o.speed[0], n)
			}
		}
	})
}

// BenchmarkOps times every operation of the table, forwards and backwards.
func BenchmarkOps(b *testing.B) {
	before := Impl()
	b.Cleanup(func() { _ = Use(before) })
	for _, o := range table() {
		for _, impl := range Impls() {
			for _, d := range o.speed {
				name := fmt.Sprintf("%s/impl=%s/dims=%s", o.name, impl, strings.ReplaceAll(strings.Trim(fmt.Sprint(d), "[]"), " ", "x"))
				b.Run(name, func(b *testing.B) { o.bench(b, impl, d, o.run) })
				if o.grad != nil {
					b.Run("Grad"+name, func(b *testing.B) { o.bench(b, impl, d, o.grad) })
				}
			}
		}
	}
}

func (o *op) bench(b *testing.B, impl string, d []int, f func(c *call)) {
	if err := Use(impl); err != nil {
		b.Fatal(err)
	}
	c, _ := o.build(d, 5, 0)
	o.run(c)
	var floats int
	for _, x := range c.out {
		floats += len(x)
	}
	for b.Loop() {
		f(c)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(floats), "ns/float")
}
