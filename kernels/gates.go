package kernels

// Lerp is y[i] = a[i] + s[i]·(b[i] - a[i]): the value residual of RWKV-7.
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/src/model.py, RWKV_Tmix_x070.
func Lerp(y, a, b, s []float32) {
	n := len(y)
	need("Lerp", "a", a, n)
	need("Lerp", "b", b, n)
	need("Lerp", "s", s, n)
	lerpJobs.run(n, blockFloats, lerpJob{y: y, a: a, b: b, s: s})
}

// LerpGrad is da[i] += dy[i]·(1-s[i]), db[i] += dy[i]·s[i] and
// ds[i] += dy[i]·(b[i] - a[i]).
func LerpGrad(da, db, ds, dy, a, b, s []float32) {
	n := len(dy)
	for _, x := range [][]float32{da, db, ds, a, b, s} {
		need("LerpGrad", "argument", x, n)
	}
	lerpJobs.run(n, blockFloats, lerpJob{y: dy, a: a, b: b, s: s, da: da, db: db, ds: ds})
}

// lerpJob is Lerp or, where da is not nil, LerpGrad.
type lerpJob struct{ y, a, b, s, da, db, ds []float32 }

var lerpJobs jobs[lerpJob, *lerpJob]

func (j *lerpJob) span(lo, hi int) {
	if j.da == nil {
		lerp(j.y[lo:hi], j.a[lo:hi], j.b[lo:hi], j.s[lo:hi])
		return
	}
	lerpGrad(j.da[lo:hi], j.db[lo:hi], j.ds[lo:hi], j.y[lo:hi], j.a[lo:hi], j.b[lo:hi], j.s[lo:hi])
}

// ExpMul is y[i] = e^w[i]·x[i]; y must not be w or x.
func ExpMul(y, w, x []float32) {
	mapGrad("ExpMul", expMul, y, w, x)
}

// expMul holds e^w in y in between.
func expMul(y, w, x []float32) {
	exp(y, w)
	multiply(y, y, x)
}

// ExpMulGrad is dw[i] += dy[i]·y[i] and dx[i] += dy[i]·e^w[i], given the y of
// ExpMul. dw and dx must not overlap.
func ExpMulGrad(dw, dx, dy, y, w []float32) {
	n := len(dy)
	for _, a := range [][]float32{dw, dx, y, w} {
		need("ExpMulGrad", "argument", a, n)
	}
	owner, decay := borrow(n)
	Exp(decay, w)
	mapGrad("ExpMulGrad", negExpGrad, dx, dy, decay) // += a·b
	mapGrad("ExpMulGrad", negExpGrad, dw, dy, y)
	floatBuffers.Put(owner)
}
