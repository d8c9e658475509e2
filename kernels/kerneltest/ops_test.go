package kerneltest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"workbench/kernels"
)

// longOps are operations of the table at more lengths, which are not timed.
func longOps() []*Op {
	long := attentionOp("attention_long", false)
	long.dims = [][]int{{1, 100, 100, 1, 5}, {1, 230, 230, 1, 20}, {1, 97, 290, 1, 8}, {1, 200, 393, 2, 9}}
	for n := 2; n <= 130; n += 3 {
		long.dims = append(long.dims, []int{1, n, n + n%5*7, 1, 1 + n%18})
	}
	one := attentionOp("attention_one_long", true)
	one.dims = nil
	for n := 1; n <= 130; n++ {
		one.dims = append(one.dims, []int{1 + n%2, 1, n, 1 + n%3, 8})
	}
	long.tol, one.tol = 4e-6, 4e-6 // means of up to 393 values cancel
	return []*Op{long, one}
}

// rwkvVariants are operations with absent parts, which are not timed.
func rwkvVariants() []*Op {
	return []*Op{
		keys7Op("keys7_no_rate", false, true), keys7Op("keys7_no_removal", true, false),
		gate7Op("gate7_no_bonus", false, true), gate7Op("gate7_no_gate", true, false), gate7Op("gate7_neither", false, false),
		activationOp("act_silu", kernels.ActSiLU, func(x float64) float64 { return x * refSigmoid(x) }),
		activationOp("act_tanh", kernels.ActTanh, math.Tanh),
		activationOp("act_neg_exp", kernels.ActNegExp, func(x float64) float64 { return -math.Exp(x) }),
	}
}

func TestOps(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, o := range slices.Concat(table(), longOps(), rwkvVariants()) {
			t.Run(o.name, func(t *testing.T) {
				for i, d := range o.dims {
					if testing.Short() && i%3 != 0 { // the remainders matter to assembly alone
						continue
					}
					o.testForward(t, d, i%4)
					if o.grad != nil {
						o.testGrad(t, d, i%4)
					}
				}
			})
		}
	})
}

// TestOpsThreads checks that 1, 2 and 3 threads give the same bytes.
func TestOpsThreads(t *testing.T) {
	skipInShort(t)
	before := kernels.Threads()
	t.Cleanup(func() { kernels.SetThreads(before) })
	long := attentionOp("attention_long", false)
	long.speed = [][]int{{1, 230, 290, 1, 16}}
	underEachImpl(t, func(t *testing.T) {
		for _, o := range append(table(), long) {
			t.Run(o.name, func(t *testing.T) {
				d := o.speed[len(o.speed)-1]
				var want []byte
				for threads := 1; threads <= 3; threads++ {
					kernels.SetThreads(threads)
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

// skipInShort skips what does not depend on the processor, in a run that
// emulates another.
func skipInShort(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
}

// skipIfPoolsLeak skips where sync.Pool drops what it is given.
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
	skipInShort(t)
	skipIfPoolsLeak(t)
	underEachImpl(t, func(t *testing.T) {
		for _, o := range table() {
			if o.allocates {
				continue
			}
			c, _ := o.build(o.speed[0], 5, 0)
			// a garbage collection in between would empty the pools of scratch
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

// BenchmarkOps times every operation of the table, forward and gradient.
func BenchmarkOps(b *testing.B) {
	before := kernels.Impl()
	b.Cleanup(func() { _ = kernels.Use(before) })
	for _, o := range table() {
		for _, impl := range kernels.Impls() {
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

func (o *Op) bench(b *testing.B, impl string, d []int, f func(c *call)) {
	if err := kernels.Use(impl); err != nil {
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

// underEachImpl runs f under every implementation.
func underEachImpl(t *testing.T, f func(t *testing.T)) {
	before := kernels.Impl()
	t.Cleanup(func() { _ = kernels.Use(before) })
	for _, impl := range kernels.Impls() {
		t.Run("impl="+impl, func(t *testing.T) {
			if err := kernels.Use(impl); err != nil {
				t.Fatal(err)
			}
			f(t)
		})
	}
}

// eachImpl is underEachImpl without subtests.
func eachImpl(t *testing.T, f func(impl string)) {
	before := kernels.Impl()
	defer func() { _ = kernels.Use(before) }()
	for _, impl := range kernels.Impls() {
		if err := kernels.Use(impl); err != nil {
			t.Fatal(err)
		}
		f(impl)
	}
}

// TestCases checks that every case passes its check, and that the check sees a
// fault.
func TestCases(t *testing.T) {
	skipInShort(t)
	for _, c := range Cases() {
		if c.Operations > 1e8 || c.Bytes > 1e8 {
			continue // checked by the program alone
		}
		if err := c.Check(); err != nil {
			t.Errorf("%s %s: %v", c.Kernel, c.Shape, err)
		}
	}
	wrong := unaryOp("Wrong", func(y, x []float32) { copy(y, x) }, math.Exp, nil)
	if err := checkOnce(wrong)(); err == nil {
		t.Error("a wrong kernel passes its gate")
	}
}
