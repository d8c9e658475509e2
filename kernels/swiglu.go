package kernels

// SwiGLU is y[i] = silu(g[i])·u[i] = g[i]·σ(g[i])·u[i], of the gate g
// and input u of a feed-forward layer. y may be g or u. Source: Shazeer (2002.05202).
func SwiGLU(y, g, u []float32) { mapGrad("SwiGLU", swiGLU, y, g, u) }

// SwiGLUGrad is, with s = σ(g[i]), du[i] += dy[i]·g[i]·s and
// dg[i] += dy[i]·u[i]·(s + g[i]·s·(1-s)). dg and du must not overlap.
func SwiGLUGrad(dg, du, dy, g, u []float32) {
	n := len(dy)
	need("SwiGLUGrad", "dg", dg, n)
	need("SwiGLUGrad", "du", du, n)
	need("SwiGLUGrad", "g", g, n)
	need("SwiGLUGrad", "u", u, n)
	swiGLUGradJobs.run(n, blockFloats, swiGLUGradJob{dg, du, dy, g, u})
}

type swiGLUGradJob struct{ dg, du, dy, g, u []float32 }

var swiGLUGradJobs jobs[swiGLUGradJob, *swiGLUGradJob]

func (j *swiGLUGradJob) span(lo, hi int) {
	swiGLUGrad(j.dg[lo:hi], j.du[lo:hi], j.dy[lo:hi], j.g[lo:hi], j.u[lo:hi])
}
