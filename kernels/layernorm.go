package kernels

// Norm holds the inputs of LayerNorm and GroupNorm, and the statistics that
// they compute for the gradient.
type Norm struct {
	X          []float32 // [R,C]
	W, B       []float32 // [C]: weight and bias
	Mean, RStd []float32 // [R,H]: μ and r; nil: not kept
	R, C       int       // rows and channels
	H          int       // groups of channels; LayerNorm ignores it and has one
	Eps        float32   // added to the variance
}

// LayerNorm normalises each row of C floats, leaving y [R,C]:
//
//	μ = mean(x);  r = 1/√(mean((x-μ)²) + eps);  y[c] = (x[c]-μ)·r·w[c] + b[c]
//
// Source: Ba et al. (1607.06450).
func LayerNorm(y []float32, n Norm) {
	n.H = 1
	n.run("LayerNorm", y)
}

// GroupNorm is LayerNorm of each of the H groups of C/H channels of a row on
// its own. RWKV-5 to 7 use eps = 64e-5 for heads of 64.
// Source: Wu & He (1803.08494); BlinkDL/RWKV-LM RWKV-v5/src/model.py, ln_x.
func GroupNorm(y []float32, n Norm) { n.run("GroupNorm", y) }

// LayerNormGrad is, with h = (x-mean)·rstd and g = dy·w,
//
//	dx += rstd·(g - mean_c(g) - h·mean_c(g·h));  dw += Σ_r dy·h;  db += Σ_r dy
//
// given the Mean and RStd that LayerNorm stored; B and Eps are not read. Any of
// dx [R,C], dw, db [C] may be nil.
func LayerNormGrad(dx, dw, db, dy []float32, n Norm) {
	n.H = 1
	n.grad("LayerNormGrad", dx, dw, db, dy)
}

// GroupNormGrad is LayerNormGrad with the means over each group of C/H
// channels.
func GroupNormGrad(dx, dw, db, dy []float32, n Norm) { n.grad("GroupNormGrad", dx, dw, db, dy) }

// need checks the fields that forward and gradient read.
func (n *Norm) need(op string) {
	needDims(op, n.R, n.C, n.H)
	if n.H == 0 || n.C%n.H != 0 {
		panic("kernels: " + op + ": the channels do not split into the groups")
	}
	need(op, "x", n.X, n.R*n.C)
	need(op, "w", n.W, n.C)
}

func (n Norm) run(op string, y []float32) {
	n.need(op)
	need(op, "y", y, n.R*n.C)
	need(op, "b", n.B, n.C)
	needOrNil(op, "mean", n.Mean, n.R*n.H)
	needOrNil(op, "rstd", n.RStd, n.R*n.H)
	if len(y) == 0 {
		return
	}
	owner, unwanted := borrow(n.R * n.H)
	if n.Mean == nil {
		n.Mean = unwanted
	}
	if n.RStd == nil {
		n.RStd = unwanted
	}
	normJobs.run(n.R, rowGrain(n.C), normJob{n, y})
	floatBuffers.Put(owner)
}

type normJob struct {
	Norm
	y []float32
}

var normJobs jobs[normJob, *normJob]

func (j *normJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		i, k, g := r*j.C, (r+1)*j.C, r*j.H
		normRow(j.y[i:k], j.X[i:k], j.W, j.B, j.Mean[g:g+j.H], j.RStd[g:g+j.H], j.C/j.H, j.Eps)
	}
}

func (n Norm) grad(op string, dx, dw, db, dy []float32) {
	R, C := n.R, n.C
	n.need(op)
	needOrNil(op, "dx", dx, R*C)
	needOrNil(op, "dw", dw, C)
	needOrNil(op, "db", db, C)
	need(op, "dy", dy, R*C)
	need(op, "mean", n.Mean, R*n.H)
	need(op, "rstd", n.RStd, R*n.H)
	if R*C == 0 {
		return
	}
	rows := partRows(R, C)
	blocks := (R + rows - 1) / rows
	owner, parts := borrow(blocks * 3 * C)
	normGradJobs.run(R, rows, normGradJob{n, dx, dy, parts, rows})
	addParts(dw, parts, blocks, 3*C)
	addParts(db, parts[C:], blocks, 3*C)
	floatBuffers.Put(owner)
}

// normGradJob stores partial sums of dw and db, and a scratch row for a nil dx,
// in parts [n,3,C].
type normGradJob struct {
	Norm
	dx, dy, parts []float32
	rows          int
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
			normGradRow(dx, dw, db, j.dy[i:k], j.X[i:k], j.W, j.Mean[g:g+j.H], j.RStd[g:g+j.H], j.C/j.H)
		}
	}
}
