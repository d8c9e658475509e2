package kernels

// LayerNorm normalises each of R rows of C floats:
//
//	μ = mean(x);  r = 1/√(mean((x-μ)²) + eps);  y[c] = (x[c]-μ)·r·w[c] + b[c]
//
// x, y are [R,C]; w, b are [C]; mean and rstd [R] receive μ and r and may be nil.
func LayerNorm(y, mean, rstd, x, w, b []float32, R, C int, eps float32) {
	needDims("LayerNorm", R, C)
	need("LayerNorm", "y", y, R*C)
	need("LayerNorm", "x", x, R*C)
	need("LayerNorm", "w", w, C)
	need("LayerNorm", "b", b, C)
	needOrNil("LayerNorm", "mean", mean, R)
	needOrNil("LayerNorm", "rstd", rstd, R)
	layerNormJobs.run(R, rowGrain(C), layerNormJob{y, mean, rstd, x, w, b, C, eps})
}

// LayerNormGrad is, with h = (x-mean)·rstd and g = dy·w,
//
//	dx += rstd·(g - mean_c(g) - h·mean_c(g·h));  dw += Σ_r dy·h;  db += Σ_r dy
//
// mean and rstd [R] are those of LayerNorm; rows are summed in order. Any of
// dx [R,C], dw, db [C] may be nil.
func LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd []float32, R, C int) {
	needDims("LayerNormGrad", R, C)
	needOrNil("LayerNormGrad", "dx", dx, R*C)
	needOrNil("LayerNormGrad", "dw", dw, C)
	needOrNil("LayerNormGrad", "db", db, C)
	need("LayerNormGrad", "dy", dy, R*C)
	need("LayerNormGrad", "x", x, R*C)
	need("LayerNormGrad", "w", w, C)
	need("LayerNormGrad", "mean", mean, R)
	need("LayerNormGrad", "rstd", rstd, R)
	if dx != nil {
		layerNormDxJobs.run(R, rowGrain(C), layerNormDxJob{dx, dy, x, w, mean, rstd, C})
	}
	if dw != nil {
		layerNormDwJobs.run(C, columnBlock, layerNormDwJob{dw, dy, x, mean, rstd, R, C})
	}
	if db != nil {
		BiasGrad(db, dy, R, C)
	}
}

type layerNormJob struct {
	y, mean, rstd, x, w, b []float32
	C                      int
	eps                    float32
}

var layerNormJobs jobs[layerNormJob, *layerNormJob]

func (j *layerNormJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		i, k := r*j.C, (r+1)*j.C
		mean, rstd := layerNormRow(j.y[i:k], j.x[i:k], j.w, j.b, j.eps)
		if j.mean != nil {
			j.mean[r] = mean
		}
		if j.rstd != nil {
			j.rstd[r] = rstd
		}
	}
}

type layerNormDxJob struct {
	dx, dy, x, w, mean, rstd []float32
	C                        int
}

var layerNormDxJobs jobs[layerNormDxJob, *layerNormDxJob]

func (j *layerNormDxJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		i, k := r*j.C, (r+1)*j.C
		layerNormGradRow(j.dx[i:k], j.dy[i:k], j.x[i:k], j.w, j.mean[r], j.rstd[r])
	}
}

type layerNormDwJob struct {
	dw, dy, x, mean, rstd []float32
	R, C                  int
}

var layerNormDwJobs jobs[layerNormDwJob, *layerNormDwJob]

func (j *layerNormDwJob) span(lo, hi int) {
	if j.R > 0 {
		layerNormGradW(j.dw[lo:hi], j.dy[lo:], j.x[lo:], j.mean, j.rstd, j.C)
	}
}
