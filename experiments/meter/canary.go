package meter

import (
	"time"

	"workbench/experiments/record"
	"workbench/kernels"
)

func init() { Register("canary", 25, func() Meter { return newCanary() }, canary) }

var canary = record.Define(record.Quantity{Name: "canary", Title: "time of a fixed small kernel around the sample", Unit: "s", Kind: record.Timed, Better: record.Lower})

// A smallKernel times a fixed small matrix product before and after every sample: where
// it is slow, the machine was, and not the model.
type smallKernel struct {
	c, a, b []float32
	before  time.Duration
}

// smallSide is the side of the matrices; three of them lie in a second-level cache.
const smallSide = 96

func newCanary() *smallKernel {
	m := func() []float32 { return make([]float32, smallSide*smallSide) }
	return &smallKernel{c: m(), a: m(), b: m()}
}

// run returns the time of the products, which are warm.
func (s *smallKernel) run() time.Duration {
	const warm, timed = 2, 8
	product := func() { kernels.MatMulNT(s.c, s.a, s.b, smallSide, smallSide, smallSide, false) }
	for range warm {
		product()
	}
	begin := time.Now()
	for range timed {
		product()
	}
	return time.Since(begin)
}

// Begin implements Around.
func (s *smallKernel) Begin() { s.before = s.run() }

// End implements Around.
func (s *smallKernel) End(Work) Reading {
	return Reading{Values: []record.Value{canary.Of((s.before + s.run()).Seconds() / 2)}}
}
