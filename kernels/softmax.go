package kernels

import (
	"fmt"
	"math"
)

// Softmax is y[r,c] = e^x[r,c] / Σ_c e^x[r,c] on R rows of C; y may be x.
func Softmax(y, x []float32, R, C int) {
	needDims("Softmax", R, C)
	need("Softmax", "y", y, R*C)
	need("Softmax", "x", x, R*C)
	softmaxJobs.run(R, rowGrain(C), softmaxJob{y, x, C})
}

// CrossEntropy is, for every row of logits [R,V],
//
//	lse[r] = log Σ_v e^logits[r,v];  nll[r] = lse[r] - logits[r, targets[r]]
//
// in nats. A negative target masks a position: its nll is 0. lse [R] may be
// nil.
func CrossEntropy(nll, lse, logits []float32, targets []int32, R, V int) {
	needTargets("CrossEntropy", targets, R, V)
	need("CrossEntropy", "nll", nll, R)
	needOrNil("CrossEntropy", "lse", lse, R)
	need("CrossEntropy", "logits", logits, R*V)
	crossEntropyJobs.run(R, rowGrain(V), crossEntropyJob{nll, lse, logits, targets, V})
}

// CrossEntropyGrad is dlogits[r,v] += scale·(e^(logits[r,v]-lse[r]) - [v = targets[r]])
// for rows with a target ≥ 0; lse is the one that CrossEntropy computed.
func CrossEntropyGrad(dlogits, logits, lse []float32, targets []int32, scale float32, R, V int) {
	needTargets("CrossEntropyGrad", targets, R, V)
	need("CrossEntropyGrad", "dlogits", dlogits, R*V)
	need("CrossEntropyGrad", "logits", logits, R*V)
	need("CrossEntropyGrad", "lse", lse, R)
	crossEntropyGradJobs.run(R, rowGrain(V), crossEntropyGradJob{dlogits, logits, lse, targets, scale, V})
}

// CrossEntropyInPlace is CrossEntropy; it overwrites the logits with their
// gradient:
//
//	logits[r,v] = scale·(e^(logits[r,v]-lse[r]) - [v = targets[r]]) + wrap·max_v(logits[r,v])·[v = first largest]
//
// so that logits and gradient share one block of memory. A row with a negative
// target keeps only the last term, which is that of L2WrapGrad. lse may be nil.
func CrossEntropyInPlace(nll, lse, logits []float32, targets []int32, scale, wrap float32, R, V int) {
	needTargets("CrossEntropyInPlace", targets, R, V)
	need("CrossEntropyInPlace", "nll", nll, R)
	needOrNil("CrossEntropyInPlace", "lse", lse, R)
	need("CrossEntropyInPlace", "logits", logits, R*V)
	if V > 0 {
		inPlaceJobs.run(R, rowGrain(V), inPlaceJob{nll, lse, logits, targets, scale, wrap, V})
	}
}

// L2WrapGrad adds scale·max to the gradient, [R,V], of the first largest logit
// of each row, which keeps logits near zero; the official scale is 1e-4/R.
// Source: class L2Wrap, BlinkDL/RWKV-LM RWKV-v4neo/src/model.py.
func L2WrapGrad(dlogits, logits []float32, scale float32, R, V int) {
	needDims("L2WrapGrad", R, V)
	need("L2WrapGrad", "dlogits", dlogits, R*V)
	need("L2WrapGrad", "logits", logits, R*V)
	if V > 0 {
		l2WrapJobs.run(R, rowGrain(V), l2WrapJob{dlogits, logits, scale, V})
	}
}

func needTargets(op string, targets []int32, R, V int) {
	needDims(op, R, V)
	if len(targets) != R {
		panic(fmt.Sprintf("kernels: %s: %d targets for %d rows", op, len(targets), R))
	}
	for r, t := range targets {
		if int(t) >= V {
			panic(fmt.Sprintf("kernels: %s: target %d of row %d is not below %d", op, t, r, V))
		}
	}
}

type softmaxJob struct {
	y, x []float32
	C    int
}

var softmaxJobs jobs[softmaxJob, *softmaxJob]

func (j *softmaxJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		softmaxRow(j.y[r*j.C:(r+1)*j.C], j.x[r*j.C:(r+1)*j.C], 1)
	}
}

// softmaxRow is y = softmax(by·x), by > 0, and returns log Σ e^(by·x).
func softmaxRow(y, x []float32, by float32) float32 {
	if len(x) == 0 {
		return float32(math.Inf(-1))
	}
	top := maxOf(x) * by
	sum := expShift(y, x, by, top)
	scale(y, 1/sum)
	return top + float32(math.Log(float64(sum)))
}

type crossEntropyJob struct {
	nll, lse, logits []float32
	targets          []int32
	V                int
}

var crossEntropyJobs jobs[crossEntropyJob, *crossEntropyJob]

func (j *crossEntropyJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		row := j.logits[r*j.V : (r+1)*j.V]
		if j.lse == nil && j.targets[r] < 0 {
			j.nll[r] = 0
			continue
		}
		top := maxOf(row)
		log := math.Log(float64(sumExpShift(row, top)))
		if j.lse != nil {
			j.lse[r] = float32(float64(top) + log)
		}
		j.nll[r] = 0
		if t := j.targets[r]; t >= 0 {
			j.nll[r] = float32(log + (float64(top) - float64(row[t])))
		}
	}
}

type crossEntropyGradJob struct {
	dlogits, logits, lse []float32
	targets              []int32
	scale                float32
	V                    int
}

var crossEntropyGradJobs jobs[crossEntropyGradJob, *crossEntropyGradJob]

func (j *crossEntropyGradJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		t := j.targets[r]
		if t < 0 {
			continue
		}
		d := j.dlogits[r*j.V : (r+1)*j.V]
		addExpShift(d, j.logits[r*j.V:(r+1)*j.V], j.lse[r], j.scale)
		d[t] -= j.scale
	}
}

type inPlaceJob struct {
	nll, lse, logits []float32
	targets          []int32
	scale, wrap      float32
	V                int
}

var inPlaceJobs jobs[inPlaceJob, *inPlaceJob]

func (j *inPlaceJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		row, t := j.logits[r*j.V:(r+1)*j.V], j.targets[r]
		top, largest := maxOf(row), 0
		if j.wrap != 0 {
			largest = firstOf(row, top)
		}
		j.nll[r] = 0
		var at float32
		if t >= 0 {
			at = row[t]
		}
		sum := float32(1)
		if t >= 0 || j.lse != nil {
			sum = expShift(row, row, 1, top)
		}
		log := math.Log(float64(sum))
		if j.lse != nil {
			j.lse[r] = float32(float64(top) + log)
		}
		if t >= 0 {
			j.nll[r] = float32(log + (float64(top) - float64(at)))
			scale(row, j.scale/sum)
			row[t] -= j.scale
		} else {
			clear(row)
		}
		if j.wrap != 0 {
			row[largest] += j.wrap * top
		}
	}
}

type l2WrapJob struct {
	dlogits, logits []float32
	scale           float32
	V               int
}

var l2WrapJobs jobs[l2WrapJob, *l2WrapJob]

func (j *l2WrapJob) span(lo, hi int) {
	for r := lo; r < hi; r++ {
		row := j.logits[r*j.V : (r+1)*j.V]
		top := maxOf(row)
		if v := firstOf(row, top); v < len(row) {
			j.dlogits[r*j.V+v] += j.scale * top
		}
	}
}
