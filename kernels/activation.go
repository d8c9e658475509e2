package kernels

// Exp is y[i] = e^x[i]; y may be x. With AVX2 it is at most one unit in the
// last place off on [-87, 87], and 0 where the result would be below 2^-126.
func Exp(y, x []float32) { mapXY("Exp", exp, y, x) }

// Tanh is y[i] = tanh(x[i]); y may be x. With AVX2 it is at most two units in
// the last place off, near 0 too.
func Tanh(y, x []float32) { mapXY("Tanh", tanh, y, x) }

// Sigmoid is y[i] = σ(x[i]) = 1 / (1 + e^-x[i]); y may be x. With AVX2
// it is at most 2.5 units in the last place off on [-87, 87].
func Sigmoid(y, x []float32) { mapXY("Sigmoid", sigmoid, y, x) }

// ReLUSq is y[i] = max(x[i], 0)², the activation of RWKV's channel mix.
// Source: So et al. (2109.08668).
func ReLUSq(y, x []float32) { mapXY("ReLUSq", reluSq, y, x) }

// GELU is y[i] = x[i]·Φ(x[i]), Φ(x) = (1 + erf(x/√2)) / 2.
// Source: Hendrycks & Gimpel (1606.08415).
func GELU(y, x []float32) { mapXY("GELU", gelu, y, x) }

// GELUTanh is GPT-2's approximation of GELU: y[i] = x/2 · (1 + tanh(√(2/π)·(x +
// 0.044715·x³))).
// Source: openai/gpt-2 src/model.py, gelu.
func GELUTanh(y, x []float32) { mapXY("GELUTanh", geluTanh, y, x) }

// SiLU is y[i] = x[i]·σ(x[i]), the gate of RWKV-5 and 6.
// Source: Hendrycks & Gimpel (1606.08415).
func SiLU(y, x []float32) { mapXY("SiLU", silu, y, x) }

// NegExp is y[i] = -e^x[i]: the log-decay of RWKV-4 from its parameter
// time_decay.
// Source: BlinkDL/RWKV-LM RWKV-v4neo/src/model.py, RWKV_TimeMix.
func NegExp(y, x []float32) { mapXY("NegExp", negExp, y, x) }

// TanhGrad is dx[i] += dy[i]·(1 - y[i]²), where y is the output of Tanh.
func TanhGrad(dx, dy, y []float32) { mapGrad("TanhGrad", tanhGrad, dx, dy, y) }

// ReLUSqGrad is dx[i] += dy[i]·2·max(x[i], 0).
func ReLUSqGrad(dx, dy, x []float32) { mapGrad("ReLUSqGrad", reluSqGrad, dx, dy, x) }

// GELUGrad is dx[i] += dy[i]·(Φ(x) + x·φ(x)), φ(x) = e^(-x²/2) / √(2π).
func GELUGrad(dx, dy, x []float32) { mapGrad("GELUGrad", geluGrad, dx, dy, x) }

// GELUTanhGrad is dx[i] += dy[i]·GELUTanh'(x[i]): with z = √(2/π)·(x + 0.044715·x³),
// (1 + tanh z)/2 + x/2·(1 - tanh² z)·√(2/π)·(1 + 3·0.044715·x²).
func GELUTanhGrad(dx, dy, x []float32) { mapGrad("GELUTanhGrad", geluTanhGrad, dx, dy, x) }

// SiLUGrad is, with s = σ(x[i]), dx[i] += dy[i]·(s + x[i]·s·(1-s)).
func SiLUGrad(dx, dy, x []float32) { mapGrad("SiLUGrad", siluGrad, dx, dy, x) }

// NegExpGrad is dx[i] += dy[i]·y[i], where y is the output of NegExp.
func NegExpGrad(dx, dy, y []float32) { mapGrad("NegExpGrad", negExpGrad, dx, dy, y) }

// SigmoidMul is y[i] = σ(r[i])·x[i].
func SigmoidMul(y, r, x []float32) { mapGrad("SigmoidMul", sigmoidMul, y, r, x) }

// SigmoidMulGrad is, with s = σ(r[i]), dx[i] += dy[i]·s and
// dr[i] += dy[i]·x[i]·s·(1-s). dr or dx may be nil, but they must not overlap.
func SigmoidMulGrad(dr, dx, dy, r, x []float32) {
	n := len(dy)
	needOrNil("SigmoidMulGrad", "dr", dr, n)
	needOrNil("SigmoidMulGrad", "dx", dx, n)
	need("SigmoidMulGrad", "r", r, n)
	need("SigmoidMulGrad", "x", x, n)
	owner, unwanted := (*[]float32)(nil), []float32(nil)
	if dr == nil || dx == nil {
		owner, unwanted = borrow(n)
	}
	j := sigmoidJob{dr, dx, dy, r, x}
	if dr == nil {
		j.dr = unwanted
	}
	if dx == nil {
		j.dx = unwanted
	}
	sigmoidJobs.run(n, blockFloats, j)
	if owner != nil {
		floatBuffers.Put(owner)
	}
}

func mapXY(op string, f func(y, x []float32), y, x []float32) {
	need(op, "x", x, len(y))
	mapJobs.run(len(y), blockFloats, mapJob{f2: f, y: y, a: x})
}

func mapGrad(op string, f func(dx, dy, x []float32), dx, dy, x []float32) {
	need(op, "second argument", dy, len(dx))
	need(op, "third argument", x, len(dx))
	mapJobs.run(len(dx), blockFloats, mapJob{f3: f, y: dx, a: dy, b: x})
}

type sigmoidJob struct{ dr, dx, dy, r, x []float32 }

var sigmoidJobs jobs[sigmoidJob, *sigmoidJob]

func (j *sigmoidJob) span(lo, hi int) {
	sigmoidMulGrad(j.dr[lo:hi], j.dx[lo:hi], j.dy[lo:hi], j.r[lo:hi], j.x[lo:hi])
}
