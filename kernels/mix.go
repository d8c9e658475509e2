package kernels

// Mix is RWKV's token shift: y[r,c] = mu[c]·x[r,c] + (1-mu[c])·prev[r,c].
// y, x, prev are [R,C], mu is [C] and weighs the current token (versions 4, 5).
// Source: BlinkDL/RWKV-LM RWKV-v4neo/src/model.py.
func Mix(y, x, prev, mu []float32, R, C int) {
	needMix("Mix", y, x, prev, mu, R, C)
	mixJobs.run(R, rowGrain(C), mixJob{y, x, prev, mu, C})
}

// MixGrad is dx += mu·dy, dprev += (1-mu)·dy, dmu += Σ_r dy·(x-prev), rows in
// order, within blocks that are joined in order. Any of dx, dprev [R,C] and
// dmu [C] may be nil.
func MixGrad(dx, dprev, dmu, dy, x, prev, mu []float32, R, C int) {
	needMix("MixGrad", dy, x, prev, mu, R, C)
	needOrNil("MixGrad", "dx", dx, R*C)
	needOrNil("MixGrad", "dprev", dprev, R*C)
	needOrNil("MixGrad", "dmu", dmu, C)
	if R*C == 0 {
		return
	}
	rows := partRows(R, C)
	n := (R + rows - 1) / rows
	owner, parts := borrow(n * 2 * C)
	mixGradJobs.run(R, rows, mixGradJob{dx, dprev, dy, x, prev, mu, parts, C, rows})
	addParts(dmu, parts, n, 2*C)
	floatBuffers.Put(owner)
}

func needMix(op string, y, x, prev, mu []float32, R, C int) {
	needDims(op, R, C)
	need(op, "y", y, R*C)
	need(op, "x", x, R*C)
	need(op, "prev", prev, R*C)
	need(op, "mu", mu, C)
}

type mixJob struct {
	y, x, prev, mu []float32
	C              int
}

var mixJobs jobs[mixJob, *mixJob]

func (j *mixJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		i, k := r*j.C, (r+1)*j.C
		mix(j.y[i:k], j.x[i:k], j.prev[i:k], j.mu)
	}
}

// mixGradJob leaves dmu and a row for what nobody wants in parts [n,2,C].
type mixGradJob struct {
	dx, dprev, dy, x, prev, mu, parts []float32
	C, rows                           int
}

var mixGradJobs jobs[mixGradJob, *mixGradJob]

func (j *mixGradJob) span(lo, hi int) {
	for ; lo < hi; lo += j.rows {
		part := j.parts[lo/j.rows*2*j.C:][:2*j.C]
		clear(part)
		dmu, dx, dprev := part[:j.C], part[j.C:], part[j.C:]
		for r := lo; r < min(lo+j.rows, hi); r++ {
			i, k := r*j.C, (r+1)*j.C
			if j.dx != nil {
				dx = j.dx[i:k]
			}
			if j.dprev != nil {
				dprev = j.dprev[i:k]
			}
			mixGrad(dx, dprev, dmu, j.dy[i:k], j.x[i:k], j.prev[i:k], j.mu)
		}
	}
}
