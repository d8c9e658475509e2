package kernels

// RMSNorm divides each of R rows of C floats by its root mean square:
//
//	r = 1/√(mean(x²) + eps);  y[c] = x[c]·r·w[c]
//
// x, y are [R,C]; w is [C]; rstd [R] receives r and may be nil. y may be x.
// Source: Zhang & Sennrich (1910.07467).
func RMSNorm(y, rstd, x, w []float32, R, C int, eps float32) {
	needDims("RMSNorm", R, C)
	need("RMSNorm", "y", y, R*C)
	need("RMSNorm", "x", x, R*C)
	need("RMSNorm", "w", w, C)
	needOrNil("RMSNorm", "rstd", rstd, R)
	if R*C > 0 {
		rmsNormJobs.run(R, rowGrain(C), rmsNormJob{y, rstd, x, w, C, eps})
	}
}

// RMSNormGrad is, with h = x·rstd and g = dy·w,
//
//	dx += rstd·(g - h·mean_c(g·h));  dw += Σ_r dy·h
//
// rstd [R] is the one that RMSNorm computed. dx [R,C] or dw [C] may be nil.
func RMSNormGrad(dx, dw, dy, x, w, rstd []float32, R, C int) {
	needDims("RMSNormGrad", R, C)
	needOrNil("RMSNormGrad", "dx", dx, R*C)
	needOrNil("RMSNormGrad", "dw", dw, C)
	need("RMSNormGrad", "dy", dy, R*C)
	need("RMSNormGrad", "x", x, R*C)
	need("RMSNormGrad", "w", w, C)
	need("RMSNormGrad", "rstd", rstd, R)
	if R*C == 0 {
		return
	}
	rows := partRows(R, C)
	n := (R + rows - 1) / rows
	owner, parts := borrow(n * 2 * C)
	rmsNormGradJobs.run(R, rows, rmsNormGradJob{dx, dy, x, w, rstd, parts, C, rows})
	addParts(dw, parts, n, 2*C)
	floatBuffers.Put(owner)
}

type rmsNormJob struct {
	y, rstd, x, w []float32
	C             int
	eps           float32
}

var rmsNormJobs jobs[rmsNormJob, *rmsNormJob]

func (j *rmsNormJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		i, k := r*j.C, (r+1)*j.C
		rstd := rmsNormRow(j.y[i:k], j.x[i:k], j.w, j.eps)
		if j.rstd != nil {
			j.rstd[r] = rstd
		}
	}
}

// rmsNormGradJob stores partial sums of dw, and a scratch row for a nil dx, in
// parts [n,2,C].
type rmsNormGradJob struct {
	dx, dy, x, w, rstd, parts []float32
	C, rows                   int
}

var rmsNormGradJobs jobs[rmsNormGradJob, *rmsNormGradJob]

func (j *rmsNormGradJob) span(lo, hi int) {
	for lo < hi {
		end := min(hi, (lo/j.rows+1)*j.rows)
		sums := j.parts[lo/j.rows*2*j.C:][:2*j.C]
		clear(sums)
		dw, dx := sums[:j.C], sums[j.C:]
		for ; lo < end; lo++ {
			i, k := lo*j.C, (lo+1)*j.C
			if j.dx != nil {
				dx = j.dx[i:k]
			}
			rmsNormGradRow(dx, dw, j.dy[i:k], j.x[i:k], j.w, j.rstd[lo])
		}
	}
}
