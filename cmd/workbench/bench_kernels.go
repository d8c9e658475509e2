package main

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"workbench/kernels"
	"workbench/kernels/kerneltest"
)

const (
	// sampleTime is how long a sample of a kernel takes at least.
	sampleTime = 2 * time.Millisecond
	// slowest is the most operations of a call that the generic
	// implementation is timed with.
	slowest = 3e8
)

// kernelRow is a row under measurement.
type kernelRow struct {
	row
	c     kerneltest.Case
	run   func()
	times int // calls a sample
}

// kernels times every kernel whose name and shape match, in every
// implementation that agrees with the reference.
func (b *bench) kernels(match string, cases []kerneltest.Case) error {
	re, err := regexp.Compile(match)
	if err != nil {
		return usageError{fmt.Errorf("%q is not a regular expression: %w", match, err)}
	}
	counts := b.threadCounts(true)
	rows, left := b.kernelRows(cases, re, counts)
	if len(rows) == 0 {
		return fmt.Errorf("no kernel matches %q: `workbench list` names them", strings.TrimSpace(match+" "+b.dtype))
	}
	c := newCeilings(counts)
	b.sampleKernels(rows, c)
	c.measure(steadily)
	var out []*row
	for _, r := range rows {
		if r.c.Compute {
			r.finish(c.FMA[r.Threads], "fma_peak")
		} else {
			level := c.Level(r.c.Footprint, r.Threads)
			r.finish(c.Read[level][r.Threads], ceilingName(level))
		}
		out = append(out, &r.row)
	}
	notes := geometricMeans(out)
	if left > 0 {
		notes = append(notes, fmt.Sprintf("%d shapes of more than %.0e operations were not timed with the generic implementation", left, slowest))
	}
	return b.print(out, notes...)
}

// ceilingName is read_bandwidth for the memory, else with the cache's name.
func ceilingName(level string) string {
	if level == "memory" {
		return "read_bandwidth"
	}
	return "read_bandwidth_" + strings.ToLower(level)
}

// asBefore returns what brings back the implementation and the threads in use.
func asBefore() func() {
	impl, threads := kernels.Impl(), kernels.Threads()
	return func() {
		_ = kernels.Use(impl) // it was in use
		kernels.SetThreads(threads)
	}
}

// kernelRows are the rows to measure, correct ones ready to run.
func (b *bench) kernelRows(cases []kerneltest.Case, re *regexp.Regexp, counts []int) (rows []*kernelRow, left int) {
	defer asBefore()()
	for _, c := range cases {
		if b.dtype != "" && b.dtype != c.DType || !re.MatchString(c.Kernel+" "+c.Shape+" "+c.DType) {
			continue
		}
		run := c.Make()
		for _, impl := range kernels.Impls() {
			if impl == "generic" && c.Operations > slowest {
				left++
				continue
			}
			_ = kernels.Use(impl) // it is listed
			err := c.Check()
			for _, n := range counts {
				r := &kernelRow{c: c, run: run}
				r.row = row{Bench: kindKernels, Kernel: c.Kernel, Impl: impl, Shape: c.Shape, DType: c.DType, Threads: n, Unit: "GB/s"}
				if c.Compute {
					r.Unit = "GFLOP/s"
				}
				if err != nil {
					r.Error = "disagrees with the reference: " + err.Error()
				}
				rows = append(rows, r)
			}
		}
	}
	return rows, left
}

// sampleKernels takes the samples, a round over all rows after the other.
func (b *bench) sampleKernels(rows []*kernelRow, c *benchCeilings) {
	back := asBefore()
	count, end := b.progress(b.repeat * len(rows))
	defer end()
	for range b.repeat {
		for _, r := range rows {
			if r.Error == "" {
				r.sample()
			}
			count()
		}
		back()
		c.measure(briefly)
	}
}

func (r *kernelRow) sample() {
	_ = kernels.Use(r.Impl) // it is listed
	kernels.SetThreads(r.Threads)
	once := timed(r.run, 1) // warm
	if r.times == 0 {
		once = min(once, timed(r.run, 1))
		r.times = max(1, int(math.Ceil(float64(sampleTime)/float64(once))))
	}
	amount := r.c.Bytes
	if r.c.Compute {
		amount = r.c.Operations
	}
	r.Samples = append(r.Samples, amount*float64(r.times)/float64(timed(r.run, r.times)))
}

func timed(f func(), times int) time.Duration {
	start := time.Now()
	for range times {
		f()
	}
	return max(time.Since(start), 1)
}

// geometricMeans sums up the matrix products with M, N, K of at least 256.
func geometricMeans(rows []*row) (notes []string) {
	type key struct {
		impl    string
		threads int
	}
	logs, n := map[key]float64{}, map[key]int{}
	var order []key
	for _, r := range rows {
		var M, N, K int
		if _, err := fmt.Sscanf(r.Shape, "M=%d N=%d K=%d", &M, &N, &K); err != nil || min(M, N, K) < 256 || r.Error != "" {
			continue
		}
		k := key{r.Impl, r.Threads}
		if n[k] == 0 {
			order = append(order, k)
		}
		logs[k] += math.Log(r.Percent)
		n[k]++
	}
	for _, k := range order {
		notes = append(notes, fmt.Sprintf("matrix products with M, N, K >= 256, %s, %d threads: geometric mean of %d shapes %.1f %% of the FMA peak",
			k.impl, k.threads, n[k], math.Exp(logs[k]/float64(n[k]))))
	}
	return notes
}
