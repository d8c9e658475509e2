package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"workbench/kernels"
)

// Case is one kernel at one shape, to be timed.
type Case struct {
	Kernel, Shape string
	DType         string // of the weights, or of the keys and values
	// Operations and Bytes are the least that a call takes: a multiply-add counts
	// two, every operand is read once and every result written once.
	Operations, Bytes float64
	// Compute marks a kernel that is bound by arithmetic and not by memory.
	Compute bool
	// Footprint is the memory in bytes that the calls cycle through.
	Footprint float64
	// Check compares the implementation in use with the reference.
	Check func() error
	// Make returns the timed call. Its arguments are built once for a Case.
	Make func() (run func())
}

// Cases lists all kernels and shapes that are timed.
func Cases() []Case {
	cases := products()
	cases = append(cases, storedProducts()...)
	cases = append(cases, productBatches()...)
	for _, o := range table() {
		check := checkOnce(o)
		for _, d := range append(o.speed, o.long...) {
			cases = append(cases, o.caseOf(d, false, check))
			if o.grad != nil {
				cases = append(cases, o.caseOf(d, true, check))
			}
		}
	}
	return cases
}

// gate is a T whose Fatalf panics with a disagreement.
type gate struct{}

type disagreement string

// Error implements error.
func (d disagreement) Error() string { return string(d) }

// Helper implements T.
func (gate) Helper() {}

// Fatalf implements T.
func (gate) Fatalf(format string, args ...any) { panic(disagreement(fmt.Sprintf(format, args...))) }

// caught runs f and returns the disagreement that it panicked with.
func caught(f func()) (err error) {
	defer func() {
		if d, ok := recover().(disagreement); ok {
			err = d
		}
	}()
	f()
	return nil
}

// checkOnce checks o against its reference on a part of the tested shapes, once
// for each implementation.
func checkOnce(o *Op) func() error {
	done := map[string]error{}
	return func() error {
		impl := kernels.Impl()
		err, ok := done[impl]
		if !ok {
			err = caught(func() {
				for i := 0; i < len(o.dims); i += 5 {
					o.testForward(gate{}, o.dims[i], i%4)
					if o.grad != nil {
						o.testGrad(gate{}, o.dims[i], i%4)
					}
				}
			})
			done[impl] = err
		}
		return err
	}
}

func (o *Op) caseOf(d []int, grad bool, check func() error) Case {
	c := Case{Kernel: o.name, Shape: strings.Trim(fmt.Sprint(d), "[]"), DType: "f32", Check: check}
	for _, a := range o.inputs(d) {
		if a.half != kernels.F32 {
			c.DType = a.half.String()
		}
	}
	in, out := size(o.inputs(d)), size(o.outputs(d))
	for _, a := range o.outputs(d) {
		if a.from > 0 { // an input that is overwritten
			in -= float64(4 * o.inputs(d)[a.from-1].n)
			out += float64(4 * a.n)
		}
	}
	c.Bytes, c.Footprint = in+out, in+out
	if o.operations != nil {
		c.Compute = true
		forward, gradient := o.operations(d)
		if c.Operations = forward; grad {
			c.Operations = gradient
		}
	}
	if grad {
		c.Kernel += "_grad"
		first := float64(4 * o.outputs(d)[0].n)
		var din float64
		for _, i := range o.wrt {
			din += float64(4 * o.inputs(d)[i].n)
		}
		c.Bytes = in + first + 2*din // reads dy, adds to gradients
		c.Footprint = in + out + first + din
	}
	c.Make = func() func() {
		args, _ := o.build(d, 5, 0)
		o.run(args)
		if grad {
			return func() { o.grad(args) }
		}
		return func() { o.run(args) }
	}
	return c
}

func size(arrays []array) (n float64) {
	for _, a := range arrays {
		n += a.bytes()
	}
	return n
}

// causalOperations are the operations of attention over visible pairs of a
// query and a key: two products of D multiply-adds, five in the gradient.
func causalOperations(d []int) (forward, gradient float64) {
	s := attentionShape(d)
	pairs := 0
	for t := range s.T {
		position := s.S - s.T + t
		pairs += position + 1 - firstKey(s, position)
	}
	product := 2 * float64(s.B*s.H*s.D) * float64(pairs)
	return 2 * product, 5 * product
}

// randoms returns n floats of [-1, 1).
func randoms(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()*2 - 1
	}
	return x
}

// sampled compares some elements of y[M,N] with dot(m, n), which returns the
// sum of the products and the sum of their magnitudes; tol is relative to the
// latter.
func sampled(what string, y []float32, M, N int, tol float64, dot func(m, n int) (sum, size float64)) error {
	r := rand.New(rand.NewPCG(uint64(M), uint64(N)))
	for range 48 {
		m, n := r.IntN(M), r.IntN(N)
		sum, size := dot(m, n)
		if got := float64(y[m*N+n]); !(math.Abs(got-sum) <= tol*size+1e-30) {
			return disagreement(fmt.Sprintf("%s: [%d,%d] = %v, want %v", what, m, n, got, sum))
		}
	}
	return nil
}
