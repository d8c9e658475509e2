package kernels

import "sync"

// Accumulate is y[i] += x[i].
func Accumulate(y, x []float32) {
	need("Accumulate", "x", x, len(y))
	mapJobs.run(len(y), blockFloats, mapJob{f2: accumulate, y: y, a: x})
}

// Axpy is y[i] += a·x[i].
func Axpy(y []float32, a float32, x []float32) {
	need("Axpy", "x", x, len(y))
	axpyJobs.run(len(y), blockFloats, axpyJob{y, x, a})
}

// Scale is x[i] *= a.
func Scale(x []float32, a float32) {
	axpyJobs.run(len(x), blockFloats, axpyJob{x, nil, a})
}

// BiasGrad is db[c] += Σ_r dy[r,c]; dy is [R,C], db is [C].
func BiasGrad(db, dy []float32, R, C int) {
	needDims("BiasGrad", R, C)
	need("BiasGrad", "db", db, C)
	need("BiasGrad", "dy", dy, R*C)
	if R*C == 0 {
		return
	}
	rows := partRows(R, C)
	n := (R + rows - 1) / rows
	owner, parts := borrow(n * C)
	biasGradJobs.run(R, rows, biasGradJob{parts, dy, C, rows})
	addParts(db, parts, n, C)
	floatBuffers.Put(owner)
}

// mostParts is the most blocks of rows that have partial sums of their own in
// the gradient of a parameter shared by all rows.
const mostParts = 32

// partRows returns the number of rows of C floats in such a block.
func partRows(R, C int) int { return max(16, rowGrain(C), (R+mostParts-1)/mostParts) }

// addParts is sum += Σ parts over n partial sums, which lie stride floats
// apart; sum may be nil.
func addParts(sum, parts []float32, n, stride int) {
	if sum != nil {
		partJobs.run(len(sum), columnBlock, partJob{sum, parts, n, stride})
	}
}

type partJob struct {
	sum, parts []float32
	n, stride  int
}

var partJobs jobs[partJob, *partJob]

func (j *partJob) span(lo, hi int) { columnSums(j.sum[lo:hi], j.parts[lo:], j.n, j.stride) }

// sumBlock is the number of elements that SumSquares adds up in one block.
const sumBlock = 4096

// SumSquares returns Σ x[i]². Blocks of 4096 are summed in float64 and joined
// in order, so the value depends on x alone.
func SumSquares(x []float32) float64 {
	n := (len(x) + sumBlock - 1) / sumBlock
	owner := sumBuffers.Get().(*[]float64)
	if cap(*owner) < n {
		*owner = make([]float64, n)
	}
	parts := (*owner)[:n]
	sumJobs.run(n, 4, sumJob{parts, x})
	var sum float64
	for _, p := range parts {
		sum += p
	}
	sumBuffers.Put(owner)
	return sum
}

var sumBuffers = sync.Pool{New: func() any { return new([]float64) }}

// sumJob stores the sum of each block in parts.
type sumJob struct {
	parts []float64
	x     []float32
}

var sumJobs jobs[sumJob, *sumJob]

func (j *sumJob) span(lo, hi int) {
	for i := lo; i < hi; i++ {
		j.parts[i] = sumSquares(j.x[i*sumBlock : min((i+1)*sumBlock, len(j.x))])
	}
}

// mapJob applies a function of two or three slices element by element.
type mapJob struct {
	f2      func(y, a []float32)
	f3      func(y, a, b []float32)
	y, a, b []float32
}

var mapJobs jobs[mapJob, *mapJob]

func (j *mapJob) span(lo, hi int) {
	if j.f3 != nil {
		j.f3(j.y[lo:hi], j.a[lo:hi], j.b[lo:hi])
		return
	}
	j.f2(j.y[lo:hi], j.a[lo:hi])
}

// axpyJob is Axpy, or Scale where x is nil.
type axpyJob struct {
	y, x []float32
	a    float32
}

var axpyJobs jobs[axpyJob, *axpyJob]

func (j *axpyJob) span(lo, hi int) {
	if j.x == nil {
		scale(j.y[lo:hi], j.a)
		return
	}
	axpy(j.y[lo:hi], j.x[lo:hi], j.a)
}

// biasGradJob stores the sum of each block of rows in parts [n,C].
type biasGradJob struct {
	parts, dy []float32
	C, rows   int
}

var biasGradJobs jobs[biasGradJob, *biasGradJob]

func (j *biasGradJob) span(lo, hi int) {
	for ; lo < hi; lo += j.rows {
		part := j.parts[lo/j.rows*j.C:][:j.C]
		clear(part)
		for r := lo; r < min(lo+j.rows, hi); r++ {
			accumulate(part, j.dy[r*j.C:(r+1)*j.C])
		}
	}
}
