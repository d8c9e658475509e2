package kernels

// LayerNorm normalises each of R rows of C floats:
//
//	μ = mean(x);  r = 1/√(mean((x-μ)²) + eps);  y[c] = (x[c]-μ)·r·w[c] + b[c]
//
// x, y are [R,C]; w, b are [C]; mean and rstd [R] receive μ and r and may be nil.
func LayerNorm(y, mean, rstd, x, w, b []float32, R, C int, eps float32) {
	norm("LayerNorm", y, mean, rstd, x, w, b, R, C, 1, eps)
}

// GroupNorm is LayerNorm of each of H groups of C/H channels of a row by
// itself; mean and rstd are [R,H] and may be nil. eps is added to the variance:
// RWKV-5 … 7 take 64e-5 for heads of 64.
// Source: Wu & He (1803.08494); BlinkDL/RWKV-LM RWKV-v5/src/model.py, ln_x.
func GroupNorm(y, mean, rstd, x, w, b []float32, R, C, H int, eps float32) {
	norm("GroupNorm", y, mean, rstd, x, w, b, R, C, H, eps)
}

// LayerNormGrad is, with h = (x-mean)·rstd and g = dy·w,
//
//	dx += rstd·(g - mean_c(g) - h·mean_c(g·h));  dw += Σ_r dy·h;  db += Σ_r dy
//
// mean and rstd [R] are those of LayerNorm; rows are summed in order, within
// blocks that are joined in order. Any of dx [R,C], dw, db [C] may be nil.
func LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd []float32, R, C int) {
	normGrad("LayerNormGrad", dx, dw, db, dy, x, w, mean, rstd, R, C, 1)
}

// GroupNormGrad is LayerNormGrad with the means over each group of C/H
// channels; mean and rstd [R,H] are those of GroupNorm.
func GroupNormGrad(dx, dw, db, dy, x, w, mean, rstd []float32, R, C, H int) {
	normGrad("GroupNormGrad", dx, dw, db, dy, x, w, mean, rstd, R, C, H)
}

func needGroups(op string, R, C, H int) {
	needDims(op, R, C, H)
	if H == 0 || C%H != 0 {
		panic("kernels: " + op + ": the channels do not split into the groups")
	}
}

func norm(op string, y, mean, rstd, x, w, b []float32, R, C, H int, eps float32) {
	needGroups(op, R, C, H)
	need(op, "y", y, R*C)
	need(op, "x", x, R*C)
	need(op, "w", w, C)
	need(op, "b", b, C)
	needOrNil(op, "mean", mean, R*H)
	needOrNil(op, "rstd", rstd, R*H)
	if R*C == 0 {
		return
	}
	owner, unwanted := borrow(R * H)
	if mean == nil {
		mean = unwanted
	}
	if rstd == nil {
		rstd = unwanted
	}
	normJobs.run(R, rowGrain(C), normJob{y, mean, rstd, x, w, b, C, H, eps})
	floatBuffers.Put(owner)
}

type normJob struct {
	y, mean, rstd, x, w, b []float32
	C, H                   int
	eps                    float32
}

var normJobs jobs[normJob, *normJob]

func (j *normJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		i, k, g := r*j.C, (r+1)*j.C, r*j.H
		normRow(j.y[i:k], j.x[i:k], j.w, j.b, j.mean[g:g+j.H], j.rstd[g:g+j.H], j.eps)
	}
}

func normGrad(op string, dx, dw, db, dy, x, w, mean, rstd []float32, R, C, H int) {
	needGroups(op, R, C, H)
	needOrNil(op, "dx", dx, R*C)
	needOrNil(op, "dw", dw, C)
	needOrNil(op, "db", db, C)
	need(op, "dy", dy, R*C)
	need(op, "x", x, R*C)
	need(op, "w", w, C)
	need(op, "mean", mean, R*H)
	need(op, "rstd", rstd, R*H)
	if R*C == 0 {
		return
	}
	rows := partRows(R, C)
	n := (R + rows - 1) / rows
	owner, parts := borrow(n * 3 * C)
	normGradJobs.run(R, rows, normGradJob{dx, dy, x, w, mean, rstd, parts, C, H, rows})
	addParts(dw, parts, n, 3*C)
	addParts(db, parts[C:], n, 3*C)
	floatBuffers.Put(owner)
}

// normGradJob leaves dw, db and a row for a dx nobody wants in parts [n,3,C].
type normGradJob struct {
	dx, dy, x, w, mean, rstd, parts []float32
	C, H, rows                      int
}

var normGradJobs jobs[normGradJob, *normGradJob]

func (j *normGradJob) span(lo, hi int) {
	for lo < hi {
		end := min(hi, (lo/j.rows+1)*j.rows)
		sums := j.parts[lo/j.rows*3*j.C:][:3*j.C]
		clear(sums)
		dw, db, dx := sums[:j.C], sums[j.C:2*j.C], sums[2*j.C:]
		for ; lo < end; lo++ {
			i, k, g := lo*j.C, (lo+1)*j.C, lo*j.H
			if j.dx != nil {
				dx = j.dx[i:k]
			}
			normGradRow(dx, dw, db, j.dy[i:k], j.x[i:k], j.w, j.mean[g:g+j.H], j.rstd[g:g+j.H])
		}
	}
}
