package kernels

// Add is y[i] = a[i] + b[i].
func Add(y, a, b []float32) {
	need("Add", "a", a, len(y))
	need("Add", "b", b, len(y))
	mapJobs.run(len(y), blockFloats, mapJob{f3: add, y: y, a: a, b: b})
}

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

// AddBias is y[r,c] += b[c] in place; y is [R,C], b is [C].
func AddBias(y, b []float32, R, C int) {
	needDims("AddBias", R, C)
	need("AddBias", "y", y, R*C)
	need("AddBias", "b", b, C)
	addBiasJobs.run(R, rowGrain(C), addBiasJob{y, b, C})
}

// BiasGrad is db[c] += Σ_r dy[r,c], rows in order; dy is [R,C], db is [C].
func BiasGrad(db, dy []float32, R, C int) {
	needDims("BiasGrad", R, C)
	need("BiasGrad", "db", db, C)
	need("BiasGrad", "dy", dy, R*C)
	biasGradJobs.run(C, columnBlock, biasGradJob{db, dy, R, C})
}

// sumBlock is how many squares SumSquares adds in one block.
const sumBlock = 4096

// SumSquares returns Σ x[i]². Blocks of 4096 are summed in float32 lanes and
// joined in order in float64, so the value depends on x alone.
func SumSquares(x []float32) float64 {
	var sum float64
	for len(x) > sumBlock {
		sum += sumSquares(x[:sumBlock])
		x = x[sumBlock:]
	}
	return sum + sumSquares(x)
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

type addBiasJob struct {
	y, b []float32
	C    int
}

var addBiasJobs jobs[addBiasJob, *addBiasJob]

func (j *addBiasJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		accumulate(j.y[r*j.C:(r+1)*j.C], j.b)
	}
}

type biasGradJob struct {
	db, dy []float32
	R, C   int
}

var biasGradJobs jobs[biasGradJob, *biasGradJob]

func (j *biasGradJob) span(lo, hi int) {
	if j.R > 0 {
		biasGrad(j.db[lo:hi], j.dy[lo:], j.R, j.C)
	}
}
