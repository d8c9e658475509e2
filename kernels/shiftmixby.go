package kernels

// ShiftMixBy is RWKV-6's data-dependent token shift, ShiftMixPrev with weights
// that each token adds to:
//
//	y[i][b,t] = x[b,t] + (mu[i] + m[i][b,t])·(x[b,t-1] - x[b,t]),  x[b,-1] = last[b]
//
// There are up to six y, each [B,T,C].
// Source: BlinkDL/RWKV-LM RWKV-v5/src/model.py, RWKV_Tmix_x060.
func ShiftMixBy(y [][]float32, in MixInputs, B, T, C int) {
	j := shiftMixByJob{shiftMixJob: shiftMixJob{T: T, C: C}}
	j.need("ShiftMixBy", y, in, B)
	if B*T*C == 0 {
		return
	}
	owner, zeros := borrow(C)
	j.start(in.Last, zeros)
	shiftMixByJobs.run(B*T, rowGrain(C), j)
	floatBuffers.Put(owner)
}

// ShiftMixByGrad adds the gradients of ShiftMixBy to d, given dy, the gradients
// of its outputs:
//
//	dx[b,t] += Σ_i (1-mu[i]-m[i][b,t])·dy[i][b,t] + (mu[i]+m[i][b,t+1])·dy[i][b,t+1]
//	dm[i][b,t] += dy[i][b,t]·(x[b,t-1] - x[b,t]);  dmu[i] += Σ_b,t of the same
//
// where dy[i][b,T] is 0; d.X and each of d.Mu may be nil.
func ShiftMixByGrad(d MixInputs, dy [][]float32, in MixInputs, B, T, C int) {
	j := shiftMixByGradJob{dx: d.X, shiftMixByJob: shiftMixByJob{shiftMixJob: shiftMixJob{T: T, C: C}}}
	j.need("ShiftMixByGrad", dy, in, B)
	needOrNil("ShiftMixByGrad", "dx", d.X, B*T*C)
	for i := range j.n {
		needOrNil("ShiftMixByGrad", "dmu", d.Mu[i], C)
		need("ShiftMixByGrad", "dm", d.M[i], B*T*C)
	}
	j.dm = d.M
	if B*T*C == 0 {
		return
	}
	j.rows = partRows(B*T, j.n*C)
	n, stride := (B*T+j.rows-1)/j.rows, (j.n+1)*C
	owner, scratch := borrow(n*stride + C)
	j.parts = scratch[C:]
	j.start(in.Last, scratch[:C])
	shiftMixByGradJobs.run(B*T, j.rows, j)
	for i, dmu := range d.Mu[:j.n] {
		addParts(dmu, j.parts[i*C:], n, stride)
	}
	floatBuffers.Put(owner)
}

type shiftMixByJob struct {
	shiftMixJob
	m mixSet
}

func (j *shiftMixByJob) need(op string, y [][]float32, in MixInputs, B int) {
	j.shiftMixJob.need(op, y, in, B)
	for _, m := range in.M[:j.n] {
		need(op, "m", m, B*j.T*j.C)
	}
	j.m = in.M
}

var shiftMixByJobs jobs[shiftMixByJob, *shiftMixByJob]

func (j *shiftMixByJob) span(lo, hi int) {
	C := j.C
	for r := lo; r < hi; r++ {
		x, prev := j.x[r*C:(r+1)*C], j.before(r)
		for i := range j.n {
			shiftByRow(j.y[i][r*C:(r+1)*C], x, prev, j.mu[i], j.m[i][r*C:(r+1)*C])
		}
	}
}

// shiftMixByGradJob holds dy in y. It stores partial sums of dmu, and a scratch
// row for a nil dx, in parts [blocks of rows, n+1, C].
type shiftMixByGradJob struct {
	shiftMixByJob
	dm        mixSet
	dx, parts []float32
	rows      int
}

var shiftMixByGradJobs jobs[shiftMixByGradJob, *shiftMixByGradJob]

func (j *shiftMixByGradJob) span(lo, hi int) {
	for ; lo < hi; lo = (lo/j.rows + 1) * j.rows {
		j.block(lo, min(hi, (lo/j.rows+1)*j.rows))
	}
}

// block computes rows lo … hi-1 of dx. What row lo gives to the row before it
// belongs to the block before, which therefore reads row hi as well.
func (j *shiftMixByGradJob) block(lo, hi int) {
	C := j.C
	part := j.parts[lo/j.rows*(j.n+1)*C:][:(j.n+1)*C]
	clear(part)
	unwanted := part[j.n*C:]
	for r := lo; r < hi; r++ {
		dx, dprev := unwanted, unwanted
		if j.dx != nil {
			dx = j.dx[r*C : (r+1)*C]
			if r > lo && r%j.T != 0 {
				dprev = j.dx[(r-1)*C : r*C]
			}
		}
		x, prev := j.x[r*C:(r+1)*C], j.before(r)
		for i := range j.n {
			shiftByGradRow(dx, dprev, part[i*C:(i+1)*C], j.dm[i][r*C:(r+1)*C], j.y[i][r*C:(r+1)*C], x, prev, j.mu[i], j.m[i][r*C:(r+1)*C])
		}
	}
	if j.dx == nil || hi%j.T == 0 {
		return
	}
	for i := range j.n {
		mulAddSum(j.dx[(hi-1)*C:hi*C], j.y[i][hi*C:(hi+1)*C], j.mu[i], j.m[i][hi*C:(hi+1)*C])
	}
}
