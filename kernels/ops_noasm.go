//go:build !amd64 || purego

package kernels

func accumulate(y, x []float32)                  { accumulateGeneric(y, x) }
func tanhSlope(y, h []float32)                   { tanhSlopeGeneric(y, h) }
func axpy(y, x []float32, a float32)             { axpyGeneric(y, x, a) }
func scale(x []float32, a float32)               { scaleGeneric(x, a) }
func columnSums(sum, x []float32, R, stride int) { columnSumsGeneric(sum, x, R, stride) }
func sumSquares(x []float32) float64             { return sumSquaresGeneric(x) }
func mulAddRest(y, a, b []float32)               { mulAddRestGeneric(y, a, b) }
func exp(y, x []float32)                         { expGeneric(y, x) }
func tanh(y, x []float32)                        { tanhGeneric(y, x) }
func sigmoid(y, x []float32)                     { sigmoidGeneric(y, x) }
func tanhGrad(dx, dy, y []float32)               { tanhGradGeneric(dx, dy, y) }
func sigmoidMul(y, r, x []float32)               { sigmoidMulGeneric(y, r, x) }
func sigmoidMulGrad(dr, dx, dy, r, x []float32) {
	sigmoidMulGradGeneric(dr, dx, dy, r, x)
}
func reluSq(y, x []float32)              { reluSqGeneric(y, x) }
func reluSqGrad(dx, dy, x []float32)     { reluSqGradGeneric(dx, dy, x) }
func gelu(y, x []float32)                { geluGeneric(y, x) }
func geluGrad(dx, dy, x []float32)       { geluGradGeneric(dx, dy, x) }
func geluTanh(y, x []float32)            { geluTanhGeneric(y, x) }
func geluTanhGrad(dx, dy, x []float32)   { geluTanhGradGeneric(dx, dy, x) }
func silu(y, x []float32)                { siluGeneric(y, x) }
func siluGrad(dx, dy, x []float32)       { siluGradGeneric(dx, dy, x) }
func negExp(y, x []float32)              { negExpGeneric(y, x) }
func negExpGrad(dx, dy, y []float32)     { negExpGradGeneric(dx, dy, y) }
func maxOf(x []float32) float32          { return maxOfGeneric(x) }
func firstOf(x []float32, v float32) int { return firstOfGeneric(x, v) }

func normRow(y, x, w, b, mean, rstd []float32, eps float32) {
	normRowGeneric(y, x, w, b, mean, rstd, eps)
}

func normGradRow(dx, dw, db, dy, x, w, mean, rstd []float32) {
	normGradRowGeneric(dx, dw, db, dy, x, w, mean, rstd)
}

func shiftMixRow(y, mu *mixSet, n, at int, x, prev []float32) {
	shiftMixRowGeneric(y, mu, n, at, x, prev)
}

func shiftMixGradRow(dy, mu, dmu *mixSet, n, at int, x, prev, dx, dprev []float32) {
	shiftMixGradRowGeneric(dy, mu, dmu, n, at, x, prev, dx, dprev)
}

func expShift(y, x []float32, scale, top float32) float32 { return expShiftGeneric(y, x, scale, top) }
func sumExpShift(x []float32, top float32) float32        { return sumExpShiftGeneric(x, top) }
func addExpShift(y, x []float32, shift, scale float32)    { addExpShiftGeneric(y, x, shift, scale) }

func wkv4(y, a, b, p, w, u, k, v []float32, T, C int) { wkv4Generic(y, a, b, p, w, u, k, v, T, C) }

func wkv4GradForward(tape *wkvTape, dy, w, u, k, v []float32, T, C int) {
	wkv4GradForwardGeneric(tape, dy, w, u, k, v, T, C)
}

func wkv4GradReverse(dk, dv []float32, strideK, strideV int, tape *wkvTape, w, k, v []float32, T, C int) {
	wkv4GradReverseGeneric(dk, dv, strideK, strideV, tape, w, k, v, T, C)
}

func adamW(p, g, m, v []float32, s *adamScalars) { adamWGeneric(p, g, m, v, s) }
