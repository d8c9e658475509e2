package kernels

import "fmt"

// MaxMixes is the most outputs of ShiftMix: RWKV-7 has six.
const MaxMixes = 6

// MixInputs are the inputs of token shifts: B sequences of T rows of C floats,
// and the weights of each output; or the gradients of X, Mu and M.
type MixInputs struct {
	X    []float32           // [B,T,C]
	Last []float32           // [B,C]: the row before the first one; nil: zeros
	Mu   [MaxMixes][]float32 // [C] each
	M    [MaxMixes][]float32 // [B,T,C] each: added to Mu, by ShiftMixBy alone
}

// ShiftMix is RWKV's token shift, with several weights at once:
//
//	y[i][b,t] = mu[i]·x[b,t] + (1-mu[i])·x[b,t-1],  x[b,-1] = last[b]
//
// There are up to six y, each [B,T,C]. x is read once for all of them.
// Source: BlinkDL/RWKV-LM RWKV-v4neo/src/model.py, time_shift.
func ShiftMix(y [][]float32, in MixInputs, B, T, C int) {
	shiftMixJob{T: T, C: C}.mix("ShiftMix", y, in, B)
}

// ShiftMixPrev is ShiftMix with the weights of the token before, as RWKV-6 and
// 7 store them:
//
//	y[i][b,t] = x[b,t] + mu[i]·(x[b,t-1] - x[b,t])
//
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/src/model.py, RWKV_Tmix_x070.
func ShiftMixPrev(y [][]float32, in MixInputs, B, T, C int) {
	shiftMixJob{T: T, C: C, ofPrev: true}.mix("ShiftMixPrev", y, in, B)
}

func (j shiftMixJob) mix(op string, y [][]float32, in MixInputs, B int) {
	T, C := j.T, j.C
	j.need(op, y, in, B)
	if B*T*C == 0 {
		return
	}
	owner, zeros := borrow(C)
	j.start(in.Last, zeros)
	shiftMixJobs.run(B*T, rowGrain(C), j)
	floatBuffers.Put(owner)
}

// ShiftMixGrad adds the gradients of ShiftMix to d, given dy, the gradients of
// its outputs:
//
//	dx[b,t] += Σ_i mu[i]·dy[i][b,t] + (1-mu[i])·dy[i][b,t+1]
//	dmu[i] += Σ_b,t dy[i][b,t]·(x[b,t] - x[b,t-1])
//
// where dy[i][b,T] is 0; d.X and each of d.Mu may be nil.
func ShiftMixGrad(d MixInputs, dy [][]float32, in MixInputs, B, T, C int) {
	shiftMixGradJob{dx: d.X, shiftMixJob: shiftMixJob{T: T, C: C}}.mix("ShiftMixGrad", d, dy, in, B)
}

// ShiftMixPrevGrad is ShiftMixGrad for ShiftMixPrev:
//
//	dx[b,t] += Σ_i (1-mu[i])·dy[i][b,t] + mu[i]·dy[i][b,t+1]
//	dmu[i] += Σ_b,t dy[i][b,t]·(x[b,t-1] - x[b,t])
func ShiftMixPrevGrad(d MixInputs, dy [][]float32, in MixInputs, B, T, C int) {
	shiftMixGradJob{dx: d.X, shiftMixJob: shiftMixJob{T: T, C: C, ofPrev: true}}.mix("ShiftMixPrevGrad", d, dy, in, B)
}

func (j shiftMixGradJob) mix(op string, d MixInputs, dy [][]float32, in MixInputs, B int) {
	T, C := j.T, j.C
	j.need(op, dy, in, B)
	needOrNil(op, "dx", j.dx, B*T*C)
	for _, dmu := range d.Mu[:j.n] {
		needOrNil(op, "dmu", dmu, C)
	}
	if B*T*C == 0 {
		return
	}
	j.rows = partRows(B*T, j.n*C)
	n, stride := (B*T+j.rows-1)/j.rows, (j.n+1)*C
	owner, scratch := borrow(n*stride + C)
	j.parts = scratch[C:]
	j.start(in.Last, scratch[:C])
	shiftMixGradJobs.run(B*T, j.rows, j)
	for i, dmu := range d.Mu[:j.n] {
		addParts(dmu, j.parts[i*C:], n, stride)
	}
	floatBuffers.Put(owner)
}

// mixSet is one slice for each output.
type mixSet [MaxMixes][]float32

type shiftMixJob struct {
	y, mu      mixSet
	x, last    []float32
	n, T, C    int
	lastStride int // 0: every sequence starts from the same zeros
	ofPrev     bool
}

func (j *shiftMixJob) need(op string, y [][]float32, in MixInputs, B int) {
	needDims(op, B, j.T, j.C)
	j.n, j.x, j.mu = len(y), in.X, in.Mu
	if j.n < 1 || j.n > MaxMixes {
		panic(fmt.Sprintf("kernels: %s: %d y, want 1 to %d", op, len(y), MaxMixes))
	}
	need(op, "x", in.X, B*j.T*j.C)
	needOrNil(op, "last", in.Last, B*j.C)
	for i := range y {
		need(op, "mu", in.Mu[i], j.C)
		need(op, "y", y[i], B*j.T*j.C)
		j.y[i] = y[i]
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

// shiftMixGradJob holds dy in y. It stores partial sums of dmu, and a scratch
// row for a nil dx, in parts [blocks of rows, n+1, C].
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

// block computes rows lo … hi-1 of dx. What row lo gives to the row before it
// belongs to the block before, which therefore reads row hi as well.
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
