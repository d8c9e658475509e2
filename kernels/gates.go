package kernels

// SiLUMul is y[i] = x[i]·SiLU(z[i]), SiLU(z) = z·σ(z): the output gate of
// RWKV-5 and 6, and the gated feed-forward layer of Llama.
// Source: BlinkDL/RWKV-LM RWKV-v5/src/model.py; Shazeer, arXiv 2002.05202.
func SiLUMul(y, z, x []float32) { mapGrad("SiLUMul", siluMul, y, z, x) }

// SiLUMulGrad is, with s = σ(z[i]), dx[i] += dy[i]·z[i]·s and
// dz[i] += dy[i]·x[i]·(s + z[i]·s·(1-s)). They must not overlap.
func SiLUMulGrad(dz, dx, dy, z, x []float32) {
	n := len(dy)
	for _, a := range [][]float32{dz, dx, z, x} {
		need("SiLUMulGrad", "argument", a, n)
	}
	siluMulJobs.run(n, blockFloats, siluMulJob{dz, dx, dy, z, x})
}

type siluMulJob struct{ dz, dx, dy, z, x []float32 }

var siluMulJobs jobs[siluMulJob, *siluMulJob]

func (j *siluMulJob) span(lo, hi int) {
	siluMulGrad(j.dz[lo:hi], j.dx[lo:hi], j.dy[lo:hi], j.z[lo:hi], j.x[lo:hi])
}

// Lerp is y[i] = a[i] + s[i]·(b[i] - a[i]): RWKV-7's value residual.
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

// lerpJob is Lerp, or its gradient where da is not nil.
type lerpJob struct{ y, a, b, s, da, db, ds []float32 }

var lerpJobs jobs[lerpJob, *lerpJob]

func (j *lerpJob) span(lo, hi int) {
	if j.da == nil {
		lerp(j.y[lo:hi], j.a[lo:hi], j.b[lo:hi], j.s[lo:hi])
		return
	}
	lerpGrad(j.da[lo:hi], j.db[lo:hi], j.ds[lo:hi], j.y[lo:hi], j.a[lo:hi], j.b[lo:hi], j.s[lo:hi])
}
