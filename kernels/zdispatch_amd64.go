// Code generated from the table in _asm. DO NOT EDIT.

//go:build !purego

package kernels

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

const (
	generic level = iota
	avx2
)

var levels = [...]implementation{
	generic: {"generic", true},
	avx2:    {"avx2", cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C},
}

// at is the address of x's first element. The callers checked every length.
func at[E any](x []E) *E { return unsafe.SliceData(x) }

// accumulate is y += x.
func accumulate(y, x []float32) {
	if inUse >= avx2 {
		accumulateAVX2(at(y), at(x), len(y))
		return
	}
	accumulateGeneric(y, x)
}

// tanhSlope is y *= 1-h².
func tanhSlope(y, h []float32) {
	if inUse >= avx2 {
		tanhSlopeAVX2(at(y), at(h), len(y))
		return
	}
	tanhSlopeGeneric(y, h)
}

// axpy is y += a·x.
func axpy(y, x []float32, a float32) {
	if inUse >= avx2 {
		axpyAVX2(at(y), at(x), a, len(y))
		return
	}
	axpyGeneric(y, x, a)
}

// scale is x *= a.
func scale(x []float32, a float32) {
	if inUse >= avx2 {
		scaleAVX2(at(x), a, len(x))
		return
	}
	scaleGeneric(x, a)
}

// multiply is y = a·b.
func multiply(y, a, b []float32) {
	if inUse >= avx2 {
		multiplyAVX2(at(y), at(a), at(b), len(y))
		return
	}
	multiplyGeneric(y, a, b)
}

// mulAddRest is y += a·(1-b).
func mulAddRest(y, a, b []float32) {
	if inUse >= avx2 {
		mulAddRestAVX2(at(y), at(a), at(b), len(y))
		return
	}
	mulAddRestGeneric(y, a, b)
}

// mulAddSum is y += a·(b+c).
func mulAddSum(y, a, b, c []float32) {
	if inUse >= avx2 {
		mulAddSumAVX2(at(y), at(a), at(b), at(c), len(y))
		return
	}
	mulAddSumGeneric(y, a, b, c)
}

// addScaled is y = x + s·v.
func addScaled(y, x, v []float32, s float32) {
	if inUse >= avx2 {
		addScaledAVX2(at(y), at(x), at(v), s, len(y))
		return
	}
	addScaledGeneric(y, x, v, s)
}

// mulAxpy is y += s·a·b.
func mulAxpy(y, a, b []float32, s float32) {
	if inUse >= avx2 {
		mulAxpyAVX2(at(y), at(a), at(b), s, len(y))
		return
	}
	mulAxpyGeneric(y, a, b, s)
}

// lerp is y = a + s·(b-a).
func lerp(y, a, b, s []float32) {
	if inUse >= avx2 {
		lerpAVX2(at(y), at(a), at(b), at(s), len(y))
		return
	}
	lerpGeneric(y, a, b, s)
}

// lerpGrad is da += dy·(1-s), db += dy·s, ds += dy·(b-a).
func lerpGrad(da, db, ds, dy, a, b, s []float32) {
	if inUse >= avx2 {
		lerpGradAVX2(at(da), at(db), at(ds), at(dy), at(a), at(b), at(s), len(da))
		return
	}
	lerpGradGeneric(da, db, ds, dy, a, b, s)
}

// adamW is one step of AdamW.
func adamW(p, grad, m, v []float32, s *adamScalars) {
	if inUse >= avx2 {
		adamWAVX2(at(p), at(grad), at(m), at(v), s, len(p))
		return
	}
	adamWGeneric(p, grad, m, v, s)
}

// sumSquares returns Σ x², in float64.
func sumSquares(x []float32) float64 {
	if inUse >= avx2 {
		return sumSquaresAVX2(at(x), len(x))
	}
	return sumSquaresGeneric(x)
}

// dot2 returns Σ a·b.
func dot2(a, b []float32) float32 {
	if inUse >= avx2 {
		return dot2AVX2(at(a), at(b), len(a))
	}
	return dot2Generic(a, b)
}

// dot3 returns Σ a·b·c.
func dot3(a, b, c []float32) float32 {
	if inUse >= avx2 {
		return dot3AVX2(at(a), at(b), at(c), len(a))
	}
	return dot3Generic(a, b, c)
}

// columnSums is sum += Σ x over R rows, stride floats apart.
func columnSums(sum, x []float32, R, stride int) {
	if inUse >= avx2 {
		columnSumsAVX2(at(sum), at(x), R, stride, len(sum))
		return
	}
	columnSumsGeneric(sum, x, R, stride)
}

// maxOf returns the largest of x, which is not empty.
func maxOf(x []float32) float32 {
	if inUse >= avx2 {
		return maxOfAVX2(at(x), len(x))
	}
	return maxOfGeneric(x)
}

// firstOf returns the index of the first v in x, or len(x).
func firstOf(x []float32, v float32) int {
	if inUse >= avx2 {
		return firstOfAVX2(at(x), v, len(x))
	}
	return firstOfGeneric(x, v)
}

// exp is y = e^x.
func exp(y, x []float32) {
	if inUse >= avx2 {
		expAVX2(at(y), at(x), len(y))
		return
	}
	expGeneric(y, x)
}

// negExp is y = -e^x.
func negExp(y, x []float32) {
	if inUse >= avx2 {
		negExpAVX2(at(y), at(x), len(y))
		return
	}
	negExpGeneric(y, x)
}

// tanh is y = tanh(x).
func tanh(y, x []float32) {
	if inUse >= avx2 {
		tanhAVX2(at(y), at(x), len(y))
		return
	}
	tanhGeneric(y, x)
}

// sigmoid is y = σ(x).
func sigmoid(y, x []float32) {
	if inUse >= avx2 {
		sigmoidAVX2(at(y), at(x), len(y))
		return
	}
	sigmoidGeneric(y, x)
}

// relu is y = max(x, 0).
func relu(y, x []float32) {
	if inUse >= avx2 {
		reluAVX2(at(y), at(x), len(y))
		return
	}
	reluGeneric(y, x)
}

// reluSq is y = max(x, 0)².
func reluSq(y, x []float32) {
	if inUse >= avx2 {
		reluSqAVX2(at(y), at(x), len(y))
		return
	}
	reluSqGeneric(y, x)
}

// gelu is y = x·Φ(x).
func gelu(y, x []float32) {
	if inUse >= avx2 {
		geluAVX2(at(y), at(x), len(y))
		return
	}
	geluGeneric(y, x)
}

// geluTanh is y = x·σ(2z), z = √(2/π)·(x + 0.044715·x³).
func geluTanh(y, x []float32) {
	if inUse >= avx2 {
		geluTanhAVX2(at(y), at(x), len(y))
		return
	}
	geluTanhGeneric(y, x)
}

// silu is y = x·σ(x).
func silu(y, x []float32) {
	if inUse >= avx2 {
		siluAVX2(at(y), at(x), len(y))
		return
	}
	siluGeneric(y, x)
}

// negExpGrad is dx += dy·x, where x is the output.
func negExpGrad(dx, dy, x []float32) {
	if inUse >= avx2 {
		negExpGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	negExpGradGeneric(dx, dy, x)
}

// tanhGrad is dx += dy·(1-x²), where x is the output.
func tanhGrad(dx, dy, x []float32) {
	if inUse >= avx2 {
		tanhGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	tanhGradGeneric(dx, dy, x)
}

// curveGrad is dx += dy·(y - y²/top), the gradient of y = top·σ.
func curveGrad(dx, dy, y []float32, top float32) {
	if inUse >= avx2 {
		curveGradAVX2(at(dx), at(dy), at(y), top, len(dx))
		return
	}
	curveGradGeneric(dx, dy, y, top)
}

// reluGrad is dx += dy where x > 0.
func reluGrad(dx, dy, x []float32) {
	if inUse >= avx2 {
		reluGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	reluGradGeneric(dx, dy, x)
}

// reluSqGrad is dx += dy·2·max(x, 0).
func reluSqGrad(dx, dy, x []float32) {
	if inUse >= avx2 {
		reluSqGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	reluSqGradGeneric(dx, dy, x)
}

// geluGrad is dx += dy·(Φ(x) + x·φ(x)).
func geluGrad(dx, dy, x []float32) {
	if inUse >= avx2 {
		geluGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	geluGradGeneric(dx, dy, x)
}

// geluTanhGrad is dx += dy·geluTanh'(x).
func geluTanhGrad(dx, dy, x []float32) {
	if inUse >= avx2 {
		geluTanhGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	geluTanhGradGeneric(dx, dy, x)
}

// siluGrad is dx += dy·(σ(x) + x·σ(x)·σ(-x)).
func siluGrad(dx, dy, x []float32) {
	if inUse >= avx2 {
		siluGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	siluGradGeneric(dx, dy, x)
}

// sigmoidMul is y = σ(r)·x.
func sigmoidMul(y, r, x []float32) {
	if inUse >= avx2 {
		sigmoidMulAVX2(at(y), at(r), at(x), len(y))
		return
	}
	sigmoidMulGeneric(y, r, x)
}

// sigmoidMulGrad is dx += dy·σ(r) and dr += dy·x·σ(r)·σ(-r).
func sigmoidMulGrad(dr, dx, dy, r, x []float32) {
	if inUse >= avx2 {
		sigmoidMulGradAVX2(at(dr), at(dx), at(dy), at(r), at(x), len(dr))
		return
	}
	sigmoidMulGradGeneric(dr, dx, dy, r, x)
}

// swiGLU is y = gate·σ(gate)·u.
func swiGLU(y, gate, u []float32) {
	if inUse >= avx2 {
		swiGLUAVX2(at(y), at(gate), at(u), len(y))
		return
	}
	swiGLUGeneric(y, gate, u)
}

// swiGLUGrad is, with s = σ(gate), dgate += dy·u·(s + gate·s·(1-s)) and du += dy·gate·s.
func swiGLUGrad(dgate, du, dy, gate, u []float32) {
	if inUse >= avx2 {
		swiGLUGradAVX2(at(dgate), at(du), at(dy), at(gate), at(u), len(dgate))
		return
	}
	swiGLUGradGeneric(dgate, du, dy, gate, u)
}

// normRow is y = (x-mean)·rstd·w + b with the mean and 1/√(variance+eps) of each group of N.
func normRow(y, x, w, b, mean, rstd []float32, N int, eps float32) {
	if inUse >= avx2 {
		normRowAVX2(at(y), at(x), at(w), at(b), at(mean), at(rstd), N, eps, len(y))
		return
	}
	normRowGeneric(y, x, w, b, mean, rstd, N, eps)
}

// normGradRow is, with h = (x-mean)·rstd and g = dy·w, dx += rstd·(g - mean(g) - h·mean(g·h)), dw += dy·h and db += dy.
func normGradRow(dx, dw, db, dy, x, w, mean, rstd []float32, N int) {
	if inUse >= avx2 {
		normGradRowAVX2(at(dx), at(dw), at(db), at(dy), at(x), at(w), at(mean), at(rstd), N, len(dx))
		return
	}
	normGradRowGeneric(dx, dw, db, dy, x, w, mean, rstd, N)
}

// rmsNormRow is y = x·r·w; it returns r = 1/√(mean(x²)+eps).
func rmsNormRow(y, x, w []float32, eps float32) float32 {
	if inUse >= avx2 {
		return rmsNormRowAVX2(at(y), at(x), at(w), eps, len(y))
	}
	return rmsNormRowGeneric(y, x, w, eps)
}

// rmsNormGradRow is, with h = x·r and g = dy·w, dx += r·(g - h·mean(g·h)) and dw += dy·h.
func rmsNormGradRow(dx, dw, dy, x, w []float32, r float32) {
	if inUse >= avx2 {
		rmsNormGradRowAVX2(at(dx), at(dw), at(dy), at(x), at(w), r, len(dx))
		return
	}
	rmsNormGradRowGeneric(dx, dw, dy, x, w, r)
}

// expShift is y = e^(scale·x-top); it returns Σ y.
func expShift(y, x []float32, scale, top float32) float32 {
	if inUse >= avx2 {
		return expShiftAVX2(at(y), at(x), scale, top, len(y))
	}
	return expShiftGeneric(y, x, scale, top)
}

// sumExpShift returns Σ e^(x-top).
func sumExpShift(x []float32, top float32) float32 {
	if inUse >= avx2 {
		return sumExpShiftAVX2(at(x), top, len(x))
	}
	return sumExpShiftGeneric(x, top)
}

// addExpShift is y += scale·e^(x-shift).
func addExpShift(y, x []float32, shift, scale float32) {
	if inUse >= avx2 {
		addExpShiftAVX2(at(y), at(x), shift, scale, len(y))
		return
	}
	addExpShiftGeneric(y, x, shift, scale)
}

// rotate rotates one head, whose pairs are channels i and i+D/2.
func rotate(y, x, cos, sin []float32) {
	if inUse >= avx2 {
		rotateAVX2(at(y), at(x), at(cos), at(sin), len(y))
		return
	}
	rotateGeneric(y, x, cos, sin)
}

// rotateBackAdd adds one head rotated by the negative angles.
func rotateBackAdd(y, x, cos, sin []float32) {
	if inUse >= avx2 {
		rotateBackAddAVX2(at(y), at(x), at(cos), at(sin), len(y))
		return
	}
	rotateBackAddGeneric(y, x, cos, sin)
}

// rotatePairs rotates one head, whose pairs are neighbours: y = x·cos + x'·sin, where x' is x with neighbours swapped.
func rotatePairs(y, x, cos, sin []float32) {
	if inUse >= avx2 {
		rotatePairsAVX2(at(y), at(x), at(cos), at(sin), len(y))
		return
	}
	rotatePairsGeneric(y, x, cos, sin)
}

// rotatePairsBackAdd adds one head rotated by the negative angles: y += x·cos - x'·sin.
func rotatePairsBackAdd(y, x, cos, sin []float32) {
	if inUse >= avx2 {
		rotatePairsBackAddAVX2(at(y), at(x), at(cos), at(sin), len(y))
		return
	}
	rotatePairsBackAddGeneric(y, x, cos, sin)
}

// shiftMixRow is y[i] = prev + mu[i]·(x-prev) for count outputs i, on the row at offset at.
func shiftMixRow(y, mu *mixSet, count, at int, x, prev []float32) {
	if inUse >= avx2 {
		shiftMixRowAVX2(y, mu, count, at, x, prev)
		return
	}
	shiftMixRowGeneric(y, mu, count, at, x, prev)
}

// shiftMixGradRow adds the gradients of shiftMixRow to dx, dprev and dmu.
func shiftMixGradRow(dy, mu, dmu *mixSet, count, at int, x, prev, dx, dprev []float32) {
	if inUse >= avx2 {
		shiftMixGradRowAVX2(dy, mu, dmu, count, at, x, prev, dx, dprev)
		return
	}
	shiftMixGradRowGeneric(dy, mu, dmu, count, at, x, prev, dx, dprev)
}

// shiftByRow is y = x + (mu+m)·(prev-x).
func shiftByRow(y, x, prev, mu, m []float32) {
	if inUse >= avx2 {
		shiftByRowAVX2(at(y), at(x), at(prev), at(mu), at(m), len(y))
		return
	}
	shiftByRowGeneric(y, x, prev, mu, m)
}

// shiftByGradRow adds the gradients of shiftByRow.
func shiftByGradRow(dx, dprev, dmu, dm, dy, x, prev, mu, m []float32) {
	if inUse >= avx2 {
		shiftByGradRowAVX2(at(dx), at(dprev), at(dmu), at(dm), at(dy), at(x), at(prev), at(mu), at(m), len(dx))
		return
	}
	shiftByGradRowGeneric(dx, dprev, dmu, dm, dy, x, prev, mu, m)
}

// wkv4 is WKV4 on up to 16 channels.
func wkv4(y, a, b, p, w, u, k, v []float32, T, C int) {
	if inUse >= avx2 {
		wkv4AVX2(y, a, b, p, w, u, k, v, T, C)
		return
	}
	wkv4Generic(y, a, b, p, w, u, k, v, T, C)
}

// wkv4GradForward fills the tape of up to 16 channels.
func wkv4GradForward(tape *wkvTape, dy, w, u, k, v []float32, T, C int) {
	if inUse >= avx2 {
		wkv4GradForwardAVX2(tape, dy, w, u, k, v, T, C)
		return
	}
	wkv4GradForwardGeneric(tape, dy, w, u, k, v, T, C)
}

// wkv4GradReverse adds dk and dv from the tape.
func wkv4GradReverse(dk, dv []float32, strideK, strideV int, tape *wkvTape, w, k, v []float32, T, C int) {
	if inUse >= avx2 {
		wkv4GradReverseAVX2(dk, dv, strideK, strideV, tape, w, k, v, T, C)
		return
	}
	wkv4GradReverseGeneric(dk, dv, strideK, strideV, tape, w, k, v, T, C)
}

// wkv6Values computes a row of values for each step.
func wkv6Values(q *wkv6Scan) {
	if inUse >= avx2 {
		wkv6ValuesAVX2(q)
		return
	}
	wkv6ValuesGeneric(q)
}

// wkv6Keys computes a row of keys for each step.
func wkv6Keys(q *wkv6Scan) {
	if inUse >= avx2 {
		wkv6KeysAVX2(q)
		return
	}
	wkv6KeysGeneric(q)
}

// wkv6Dots is c[t] = Σ a[t]·u·b[t] over rows of N, stride floats apart.
func wkv6Dots(c, a, u, b []float32, N, stride int) {
	if inUse >= avx2 {
		wkv6DotsAVX2(at(c), at(a), at(u), at(b), N, stride, len(c))
		return
	}
	wkv6DotsGeneric(c, a, u, b, N, stride)
}

// wkv6Decays is d = e^w over rows of N, those of w stride floats apart.
func wkv6Decays(d, w []float32, N, stride int) {
	if inUse >= avx2 {
		wkv6DecaysAVX2(at(d), at(w), N, stride, len(d))
		return
	}
	wkv6DecaysGeneric(d, w, N, stride)
}

// wkv6Join adds to the gradients of a step and moves q to the step before.
func wkv6Join(dw, dr, dk, du, q, gr, gk, u, r, k, d []float32, e float32) {
	if inUse >= avx2 {
		wkv6JoinAVX2(at(dw), at(dr), at(dk), at(du), at(q), at(gr), at(gk), at(u), at(r), at(k), at(d), e, len(dw))
		return
	}
	wkv6JoinGeneric(dw, dr, dk, du, q, gr, gk, u, r, k, d, e)
}

// wkv6Meet is q += Σ G·S over R rows, stride floats apart.
func wkv6Meet(q, G, S []float32, R, stride int) {
	if inUse >= avx2 {
		wkv6MeetAVX2(at(q), at(G), at(S), R, stride, len(q))
		return
	}
	wkv6MeetGeneric(q, G, S, R, stride)
}

// wkv7 computes T steps of one head.
func wkv7(y, s, sa, d, r, k, v, a, b []float32, T, C, N int) {
	if inUse >= avx2 {
		wkv7AVX2(y, s, sa, d, r, k, v, a, b, T, C, N)
		return
	}
	wkv7Generic(y, s, sa, d, r, k, v, a, b, T, C, N)
}

// wkv7Carry updates the state of a block of values over T steps.
func wkv7Carry(x []wkv7Tile, steps []wkv7Block, i, T int) {
	if inUse >= avx2 {
		wkv7CarryAVX2(x, steps, i, T)
		return
	}
	wkv7CarryGeneric(x, steps, i, T)
}

// wkv7Advance is wkv7Carry that keeps the state of every step.
func wkv7Advance(x []wkv7Tile, steps []wkv7Block, n, i, T int) {
	if inUse >= avx2 {
		wkv7AdvanceAVX2(x, steps, n, i, T)
		return
	}
	wkv7AdvanceGeneric(x, steps, n, i, T)
}

// wkv7Reverse carries the gradient of a block of values backwards over T steps.
func wkv7Reverse(tape *wkv7Tape, i, T int) {
	if inUse >= avx2 {
		wkv7ReverseAVX2(tape, i, T)
		return
	}
	wkv7ReverseGeneric(tape, i, T)
}

// wkv7Pack copies T rows to one vector of their steps.
func wkv7Pack(steps []wkv7Block, n, vector int, x []float32, N, T, stride, ahead int) {
	if inUse >= avx2 && N%wkv7Side == 0 {
		wkv7PackAVX2(steps, n, vector, x, N, T, stride, ahead)
		return
	}
	wkv7PackGeneric(steps, n, vector, x, N, T, stride, ahead)
}

// wkv7Unpack adds one vector of T steps to rows, and clears it.
func wkv7Unpack(x []float32, steps []wkv7Block, n, vector, N, T, stride, ahead int) {
	if inUse >= avx2 && N%wkv7Side == 0 {
		wkv7UnpackAVX2(x, steps, n, vector, N, T, stride, ahead)
		return
	}
	wkv7UnpackGeneric(x, steps, n, vector, N, T, stride, ahead)
}

// wkv7Fetch prefetches T rows of N floats.
func wkv7Fetch(x []float32, N, T, stride int) {
	if inUse >= avx2 {
		wkv7FetchAVX2(x, N, T, stride)
		return
	}
	wkv7FetchGeneric(x, N, T, stride)
}

// keys7Scaled is key = k·(1 + (a-1)·ka).
func keys7Scaled(key, k, a, ka []float32) {
	if inUse >= avx2 {
		keys7ScaledAVX2(at(key), at(k), at(a), at(ka), len(key))
		return
	}
	keys7ScaledGeneric(key, k, a, ka)
}

// keys7ScaledGrad adds the gradients of keys7Scaled.
func keys7ScaledGrad(dk, da, dka, dkey, k, a, ka []float32) {
	if inUse >= avx2 {
		keys7ScaledGradAVX2(at(dk), at(da), at(dka), at(dkey), at(k), at(a), at(ka), len(dk))
		return
	}
	keys7ScaledGradGeneric(dk, da, dka, dkey, k, a, ka)
}

// keys7Removal computes remove and replace of one head, and returns 1/‖k·kk‖.
func keys7Removal(remove, replace, k, a, kk []float32) float32 {
	if inUse >= avx2 && a != nil {
		return keys7RemovalAVX2(remove, replace, k, a, kk)
	}
	return keys7RemovalGeneric(remove, replace, k, a, kk)
}

// keys7RemovalGrad adds the gradients of keys7Removal.
func keys7RemovalGrad(dk, da, dkk, dremove, dreplace, remove, k, a, kk []float32, s float32) {
	if inUse >= avx2 && a != nil {
		keys7RemovalGradAVX2(dk, da, dkk, dremove, dreplace, remove, k, a, kk, s)
		return
	}
	keys7RemovalGradGeneric(dk, da, dkk, dremove, dreplace, remove, k, a, kk, s)
}

// bonus7Grad is dr += e·key·rk, dkey += e·r·rk, drk += e·r·key.
func bonus7Grad(dr, dkey, drk, r, key, rk []float32, e float32) {
	if inUse >= avx2 {
		bonus7GradAVX2(at(dr), at(dkey), at(drk), at(r), at(key), at(rk), e, len(dr))
		return
	}
	bonus7GradGeneric(dr, dkey, drk, r, key, rk, e)
}

// lstmCell computes a step of len(h) units from their sums.
func lstmCell(h, c, c0, z []float32, H int) {
	if inUse >= avx2 {
		lstmCellAVX2(at(h), at(c), at(c0), at(z), H, len(h))
		return
	}
	lstmCellGeneric(h, c, c0, z, H)
}

// lstmCellGrad computes the gradient of lstmCell.
func lstmCellGrad(dx, dc, e, c, c0, z []float32, H int) {
	if inUse >= avx2 {
		lstmCellGradAVX2(dx, dc, e, c, c0, z, H)
		return
	}
	lstmCellGradGeneric(dx, dc, e, c, c0, z, H)
}

// gruCell computes a step of len(h) units from their sums.
func gruCell(h, q, h0, gates, b []float32, H int) {
	if inUse >= avx2 {
		gruCellAVX2(at(h), at(q), at(h0), at(gates), at(b), H, len(h))
		return
	}
	gruCellGeneric(h, q, h0, gates, b, H)
}

// gruCellGrad computes the gradient of gruCell.
func gruCellGrad(dn, dy, e, h0, q, gates []float32, H int) {
	if inUse >= avx2 {
		gruCellGradAVX2(at(dn), at(dy), at(e), at(h0), at(q), at(gates), H, len(dn))
		return
	}
	gruCellGradGeneric(dn, dy, e, h0, q, gates, H)
}

// packHidden packs the matrix where that pays for the given rows and steps.
func packHidden(m *hidden, blocks, rows, steps int) {
	if inUse >= avx2 {
		packHiddenAVX2(m, blocks, rows, steps)
		return
	}
	packHiddenGeneric(m, blocks, rows, steps)
}

// addHidden computes p, whose b is a block of the matrix from column from on.
func addHidden(m *hidden, p *product, block, from int) {
	if inUse >= avx2 {
		addHiddenAVX2(m, p, block, from)
		return
	}
	addHiddenGeneric(m, p, block, from)
}

// attendTile computes the rows queries of a head from t0 on.
func attendTile(j *attentionJob, b, h, t0, rows int) {
	if inUse >= avx2 {
		attendTileAVX2(j, b, h, t0, rows)
		return
	}
	attendTileGeneric(j, b, h, t0, rows)
}

// attendBack adds the gradients due to the n keys from k0 on, for a group of query heads.
func attendBack(j *attentionGradJob, b, h, group, k0, n int) {
	if inUse >= avx2 {
		attendBackAVX2(j, b, h, group, k0, n)
		return
	}
	attendBackGeneric(j, b, h, group, k0, n)
}

// headDots computes the scores of n keys by one query of each head. It returns the slots of a head, some of them -Inf, and the distance between heads.
func headDots(scores, q []float32, k keyRows, n, stride, H, G, D int) (slots, ld int) {
	if inUse >= avx2 && D%8 == 0 {
		return headDotsAVX2(scores, q, k, n, stride, H, G, D)
	}
	return headDotsGeneric(scores, q, k, n, stride, H, G, D)
}

// headSums computes weighted sums of values, with weights in the layout of headDots.
func headSums(y, p []float32, v keyRows, n, stride, H, G, D int) {
	if inUse >= avx2 && D%8 == 0 {
		headSumsAVX2(y, p, v, n, stride, H, G, D)
		return
	}
	headSumsGeneric(y, p, v, n, stride, H, G, D)
}

// multiplyMatrices computes p on all threads.
func multiplyMatrices(p *product) {
	if inUse >= avx2 {
		multiplyMatricesAVX2(p)
		return
	}
	multiplyMatricesGeneric(p)
}

// multiplyFew computes chunks lo … hi-1 of the columns on this thread, by dot products of rows.
func multiplyFew(p *product, lo, hi, chunks int) {
	if inUse >= avx2 {
		multiplyFewAVX2(p, lo, hi, chunks)
		return
	}
	multiplyFewGeneric(p, lo, hi, chunks)
}

// dotRows is y = m·x for the n rows from row on of each of four streams that lie far rows apart, or of one stream where far is 0.
func dotRows(m *Matrix, y, x []float32, row, n, far int) {
	if inUse >= avx2 {
		dotRowsAVX2(m, y, x, row, n, far)
		return
	}
	dotRowsGeneric(m, y, x, row, n, far)
}

// dotGroups is dotRows for groups of quantised rows.
func dotGroups(m *Matrix, y []float32, x []actBlock, group, n, far int) {
	if inUse >= avx2 {
		dotGroupsAVX2(m, y, x, group, n, far)
		return
	}
	dotGroupsGeneric(m, y, x, group, n, far)
}

// quantiseInputs fills each block from 32 inputs: int8 q, the scale d, -8·Σq.
func quantiseInputs(dst []actBlock, x []float32) {
	if inUse >= avx2 && len(dst) > 0 {
		quantiseInputsAVX2(at(dst), at(x), len(dst))
		return
	}
	quantiseInputsGeneric(dst, x)
}

// unpackHalf expands src to float32.
func unpackHalf(t DType, dst []float32, src []uint16) {
	if inUse >= avx2 {
		unpackHalfAVX2(t, dst, src)
		return
	}
	unpackHalfGeneric(t, dst, src)
}

// packHalf rounds src to 16 bits, to the nearest, ties to even.
func packHalf(t DType, dst []uint16, src []float32) {
	if inUse >= avx2 {
		packHalfAVX2(t, dst, src)
		return
	}
	packHalfGeneric(t, dst, src)
}

// unpackGroup expands 8 interleaved rows to rows ld floats apart.
func unpackGroup(t DType, dst []float32, ld int, w []byte) {
	if inUse >= avx2 {
		unpackGroupAVX2(t, dst, ld, w)
		return
	}
	unpackGroupGeneric(t, dst, ld, w)
}

// fmaRounds runs rounds of 12 chains of 8 multiply-adds; the result keeps the compiler from dropping them.
func fmaRounds(rounds int) float32 {
	if inUse >= avx2 {
		return fmaRoundsAVX2(rounds)
	}
	return fmaRoundsGeneric(rounds)
}

// readFloats sums x without a remainder of fewer than 64.
func readFloats(x []float32) (sum float32) {
	if inUse >= avx2 && len(x) >= 64 {
		return readFloatsAVX2(x)
	}
	return readFloatsGeneric(x)
}
