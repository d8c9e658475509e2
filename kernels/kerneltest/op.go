package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"

	"workbench/kernels"
)

// T is the part of *testing.T that the checks use; programs have their own.
// Fatalf does not return.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// blockFloats is the work of one chunk of a memory-bound operation.
const blockFloats = 8192

// Op is one operation. The table of operations drives the tests of values
// (against a float64 loop), gradients (against finite differences of that
// loop), thread independence and allocations, and the measurement of speed.
type Op struct {
	name  string
	dims  [][]int // shapes under test
	speed [][]int // shapes timed, and tested for thread independence

	inputs  func(d []int) []array // the inputs
	outputs func(d []int) []array // the outputs; with from, an output starts as a copy of that input
	ints    func(d []int, r *rand.Rand) []int32

	run  func(c *call)  // the kernel: in → out
	ref  func(c *exact) // the same in float64
	grad func(c *call)  // the kernel's gradient: in, out, dout[0] → din; nil: none
	wrt  []int          // the inputs that get a gradient
	sets []int          // the inputs whose gradient is overwritten, not added to

	// operations counts the operations of the kernel and of its gradient where
	// arithmetic binds; nil where memory does. long are more shapes to be timed.
	operations func(d []int) (forward, gradient float64)
	long       [][]int

	tol, gradTol float64 // tolerance, relative to |value| + mean |value|
	allocates    bool    // run needs scratch of its own
}

// array is an argument of n floats, drawn by value (nil: standard normal).
type array struct {
	n     int
	from  int // outputs: 1 + the input it starts as; 0: poisoned
	value func(r *rand.Rand) float64
	half  kernels.DType // inputs: a 16-bit type to which the values are rounded; 0: none
}

// bytes is the memory of the array.
func (a array) bytes() float64 {
	if a.half != kernels.F32 {
		return float64(2 * a.n)
	}
	return float64(4 * a.n)
}

type call struct {
	d                  []int
	in, out, dout, din [][]float32
	half               []kernels.Half // the inputs that are 16-bit, the zero Half for others
	ints               []int32
}

type exact struct {
	d       []int
	in, out [][]float64
	ints    []int32
}

const guard = float32(-7.25e33)

// guarded is a slice x between guard values, which starts misalign + 8 floats
// past the start of a cache line.
type guarded struct{ whole, x []float32 }

func newGuarded(n, misalign int) guarded {
	whole := make([]float32, n+32)
	for i := range whole {
		whole[i] = guard
	}
	return guarded{whole, whole[8+misalign : 8+misalign+n : 8+misalign+n]}
}

func (g guarded) check(t T, what string) {
	t.Helper()
	from := int((uintptr(unsafe.Pointer(unsafe.SliceData(g.x))) - uintptr(unsafe.Pointer(&g.whole[0]))) / 4)
	for i, v := range g.whole {
		if (i < from || i >= from+len(g.x)) && v != guard {
			t.Fatalf("%s: wrote %v at %d of %d floats", what, v, i-from, len(g.x))
		}
	}
}

// build draws the arguments of a call, each in a guarded buffer.
func (o *Op) build(d []int, seed uint64, misalign int) (*call, []guarded) {
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
		x, h := draw(a), kernels.Half{Type: a.half}
		if a.half != kernels.F32 {
			h.Append(x)
			h.Expand(x)
		}
		c.in, c.half = append(c.in, x), append(c.half, h)
	}
	if o.ints != nil {
		c.ints = o.ints(d, r)
	}
	for _, a := range o.outputs(d) {
		x := alloc(a.n)
		fill(x, float32(math.NaN()))
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
		for _, i := range o.sets {
			fill(c.din[i], float32(math.NaN()))
		}
	}
	return c, all
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

// exactOf returns the inputs of c in float64.
func (o *Op) exactOf(c *call) *exact {
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
func (o *Op) evaluate(e *exact) {
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

// near fails unless |got - want| ≤ tol·(|want| + mean |want|).
func near(t T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	var mean float64
	for _, w := range want {
		if !math.IsInf(w, 0) && !math.IsNaN(w) {
			mean += math.Abs(w) / float64(len(want))
		}
	}
	const tiny = 1.2e-38 // smallest normal float32: kernels may flush smaller values to 0
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

func (o *Op) testForward(t T, d []int, misalign int) {
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

// testGrad compares the gradient with central differences of the reference:
// element by element for small inputs, else along random directions.
func (o *Op) testGrad(t T, d []int, misalign int) {
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
	for _, i := range o.sets {
		clear(before[i])
	}
	o.grad(c)
	for _, i := range o.wrt {
		o.compareGrad(t, c, e, i, before[i])
	}
	for _, g := range guards {
		g.check(t, fmt.Sprint(d, " gradient"))
	}
}

func (o *Op) compareGrad(t T, c *call, e *exact, i int, before []float64) {
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
func (o *Op) slope(c *call, e *exact, i int, dir func(k int) float64) float64 {
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
