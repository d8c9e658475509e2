package kernels

// Mix is RWKV's token shift: y[r,c] = mu[c]·x[r,c] + (1-mu[c])·prev[r,c].
// y, x, prev are [R,C], mu is [C] and weighs the current token (versions 4, 5).
// Source: BlinkDL/RWKV-LM RWKV-v4neo/src/model.py.
func Mix(y, x, prev, mu []float32, R, C int) {
	needMix("Mix", y, x, prev, mu, R, C)
	mixJobs.run(R, rowGrain(C), mixJob{y, x, prev, mu, C})
}

// MixGrad is dx += mu·dy, dprev += (1-mu)·dy, dmu += Σ_r dy·(x-prev), rows in
// order. Any of dx, dprev [R,C] and dmu [C] may be nil.
func MixGrad(dx, dprev, dmu, dy, x, prev, mu []float32, R, C int) {
	needMix("MixGrad", dy, x, prev, mu, R, C)
	needOrNil("MixGrad", "dx", dx, R*C)
	needOrNil("MixGrad", "dprev", dprev, R*C)
	needOrNil("MixGrad", "dmu", dmu, C)
	if dx != nil || dprev != nil {
		mixGradJobs.run(R, rowGrain(C), mixGradJob{dx, dprev, dy, mu, C})
	}
	if dmu != nil {
		mixMuJobs.run(C, columnBlock, mixMuJob{dmu, dy, x, prev, R, C})
	}
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

type mixGradJob struct {
	dx, dprev, dy, mu []float32
	C                 int
}

var mixGradJobs jobs[mixGradJob, *mixGradJob]

func (j *mixGradJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		i, k := r*j.C, (r+1)*j.C
		if j.dx != nil {
			mulAdd(j.dx[i:k], j.dy[i:k], j.mu)
		}
		if j.dprev != nil {
			mulAddRest(j.dprev[i:k], j.dy[i:k], j.mu)
		}
	}
}

type mixMuJob struct {
	dmu, dy, x, prev []float32
	R, C             int
}

var mixMuJobs jobs[mixMuJob, *mixMuJob]

func (j *mixMuJob) span(lo, hi int) {
	if j.R > 0 {
		mixMuGrad(j.dmu[lo:hi], j.dy[lo:], j.x[lo:], j.prev[lo:], j.R, j.C)
	}
}
