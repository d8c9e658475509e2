package kernels

import "fmt"

// maxMixes is the most outputs of ShiftMix: RWKV-7's.
const maxMixes = 6

// ShiftMix is RWKV's token shift, with several weights at once:
//
//	y[i][b,t] = mu[i]·x[b,t] + (1-mu[i])·x[b,t-1],  x[b,-1] = last[b]
//
// x and each of up to six y are [B,T,C], each mu is [C], last is [B,C] or nil
// for zeros. x is read once for all of them.
// Source: BlinkDL/RWKV-LM RWKV-v4neo/src/model.py, time_shift.
func ShiftMix(y [][]float32, x, last []float32, mu [][]float32, B, T, C int) {
	shiftMixJob{T: T, C: C}.mix("ShiftMix", y, x, last, mu, B)
}

// ShiftMixPrev is ShiftMix with the weights of the token before, as RWKV-6 and
// 7 store them:
//
//	y[i][b,t] = x[b,t] + mu[i]·(x[b,t-1] - x[b,t])
//
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/src/model.py, RWKV_Tmix_x070.
func ShiftMixPrev(y [][]float32, x, last []float32, mu [][]float32, B, T, C int) {
	shiftMixJob{T: T, C: C, ofPrev: true}.mix("ShiftMixPrev", y, x, last, mu, B)
}

func (j shiftMixJob) mix(op string, y [][]float32, x, last []float32, mu [][]float32, B int) {
	T, C := j.T, j.C
	j.need(op, y, x, last, mu, B)
	if B*T*C == 0 {
		return
	}
	owner, zeros := borrow(C)
	j.start(last, zeros)
	shiftMixJobs.run(B*T, rowGrain(C), j)
	floatBuffers.Put(owner)
}

// ShiftMixGrad adds the gradients of ShiftMix, given those of its outputs:
//
//	dx[b,t] += Σ_i mu[i]·dy[i][b,t] + (1-mu[i])·dy[i][b,t+1]
//	dmu[i] += Σ_b,t dy[i][b,t]·(x[b,t] - x[b,t-1])
//
// with nothing from beyond the last token, and none to last. dx and each dmu
// may be nil. Rows are summed in order, within blocks that are joined in order.
func ShiftMixGrad(dx []float32, dmu, dy [][]float32, x, last []float32, mu [][]float32, B, T, C int) {
	shiftMixGradJob{dx: dx, shiftMixJob: shiftMixJob{T: T, C: C}}.mix("ShiftMixGrad", dmu, dy, x, last, mu, B)
}

// ShiftMixPrevGrad adds the gradients of ShiftMixPrev likewise:
//
//	dx[b,t] += Σ_i (1-mu[i])·dy[i][b,t] + mu[i]·dy[i][b,t+1]
//	dmu[i] += Σ_b,t dy[i][b,t]·(x[b,t-1] - x[b,t])
func ShiftMixPrevGrad(dx []float32, dmu, dy [][]float32, x, last []float32, mu [][]float32, B, T, C int) {
	shiftMixGradJob{dx: dx, shiftMixJob: shiftMixJob{T: T, C: C, ofPrev: true}}.mix("ShiftMixPrevGrad", dmu, dy, x, last, mu, B)
}

func (j shiftMixGradJob) mix(op string, dmu, dy [][]float32, x, last []float32, mu [][]float32, B int) {
	T, C := j.T, j.C
	j.need(op, dy, x, last, mu, B)
	needOrNil(op, "dx", j.dx, B*T*C)
	if len(dmu) != j.n {
		panic(fmt.Sprintf("kernels: %s: %d dmu for %d mu", op, len(dmu), j.n))
	}
	for _, d := range dmu {
		needOrNil(op, "dmu", d, C)
	}
	if B*T*C == 0 {
		return
	}
	j.rows = partRows(B*T, j.n*C)
	n, stride := (B*T+j.rows-1)/j.rows, (j.n+1)*C
	owner, scratch := borrow(n*stride + C)
	j.parts = scratch[C:]
	j.start(last, scratch[:C])
	shiftMixGradJobs.run(B*T, j.rows, j)
	for i, d := range dmu {
		addParts(d, j.parts[i*C:], n, stride)
	}
	floatBuffers.Put(owner)
}

// mixSet is one slice for each output.
type mixSet [maxMixes][]float32

type shiftMixJob struct {
	y, mu      mixSet
	x, last    []float32
	n, T, C    int
	lastStride int // 0: every sequence starts from the same zeros
	ofPrev     bool
}

func (j *shiftMixJob) need(op string, y [][]float32, x, last []float32, mu [][]float32, B int) {
	needDims(op, B, j.T, j.C)
	j.n, j.x = len(mu), x
	if j.n < 1 || j.n > maxMixes || len(y) != j.n {
		panic(fmt.Sprintf("kernels: %s: %d mu and %d y, want as many, 1 to %d", op, len(mu), len(y), maxMixes))
	}
	need(op, "x", x, B*j.T*j.C)
	needOrNil(op, "last", last, B*j.C)
	for i := range mu {
		need(op, "mu", mu[i], j.C)
		need(op, "y", y[i], B*j.T*j.C)
		j.mu[i], j.y[i] = mu[i], y[i]
	}
}

func (j *shiftMixJob) start(last, zeros []float32) {
	j.last, j.lastStride = last, j.C
	if last == nil {
		clear(zeros)
		j.last, j.lastStride = zeros, 0
	}
}

// before returns the row before row r.
func (j *shiftMixJob) before(r int) []float32 {
	if r%j.T == 0 {
		return j.last[r/j.T*j.lastStride:][:j.C]
	}
	return j.x[(r-1)*j.C : r*j.C]
}

var shiftMixJobs jobs[shiftMixJob, *shiftMixJob]

func (j *shiftMixJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		x, prev := j.x[r*j.C:(r+1)*j.C], j.before(r)
		if j.ofPrev {
			x, prev = prev, x
		}
		shiftMixRow(&j.y, &j.mu, j.n, r*j.C, x, prev)
	}
}

// shiftMixGradJob has dy in y. It leaves dmu and a row for a dx nobody wants
// in parts [blocks of rows, n+1, C].
type shiftMixGradJob struct {
	shiftMixJob
	dx, parts []float32
	rows      int
}

var shiftMixGradJobs jobs[shiftMixGradJob, *shiftMixGradJob]

func (j *shiftMixGradJob) span(lo, hi int) {
	for ; lo < hi; lo = (lo/j.rows + 1) * j.rows {
		j.block(lo, min(hi, (lo/j.rows+1)*j.rows))
	}
}

// block does rows lo … hi-1 of dx: what row lo gives to the row before it is
// the block before's, which comes to row hi for that alone.
func (j *shiftMixGradJob) block(lo, hi int) {
	C := j.C
	part := j.parts[lo/j.rows*(j.n+1)*C:][:(j.n+1)*C]
	clear(part)
	var dmu mixSet
	for i := range j.n {
		dmu[i] = part[i*C : (i+1)*C]
	}
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
		if j.ofPrev {
			x, prev, dx, dprev = prev, x, dprev, dx
		}
		shiftMixGradRow(&j.y, &j.mu, &dmu, j.n, r*C, x, prev, dx, dprev)
	}
	if j.dx == nil || hi%j.T == 0 {
		return
	}
	ofNext := mulAddRest
	if j.ofPrev {
		ofNext = negExpGrad // y += a·b
	}
	for i := range j.n {
		ofNext(j.dx[(hi-1)*C:hi*C], j.y[i][hi*C:(hi+1)*C], j.mu[i])
	}
}
