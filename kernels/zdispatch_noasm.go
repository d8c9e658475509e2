// Code generated from the table in _asm. DO NOT EDIT.

//go:build !amd64 || purego

package kernels

const generic level = 0

var levels = [...]implementation{generic: {"generic", true}}

func accumulate(y, x []float32)                     { accumulateGeneric(y, x) }
func tanhSlope(y, h []float32)                      { tanhSlopeGeneric(y, h) }
func axpy(y, x []float32, a float32)                { axpyGeneric(y, x, a) }
func scale(x []float32, a float32)                  { scaleGeneric(x, a) }
func multiply(y, a, b []float32)                    { multiplyGeneric(y, a, b) }
func mulAddRest(y, a, b []float32)                  { mulAddRestGeneric(y, a, b) }
func mulAddSum(y, a, b, c []float32)                { mulAddSumGeneric(y, a, b, c) }
func addScaled(y, x, v []float32, s float32)        { addScaledGeneric(y, x, v, s) }
func mulAxpy(y, a, b []float32, s float32)          { mulAxpyGeneric(y, a, b, s) }
func lerp(y, a, b, s []float32)                     { lerpGeneric(y, a, b, s) }
func lerpGrad(da, db, ds, dy, a, b, s []float32)    { lerpGradGeneric(da, db, ds, dy, a, b, s) }
func adamW(p, grad, m, v []float32, s *adamScalars) { adamWGeneric(p, grad, m, v, s) }
func sumSquares(x []float32) float64                { return sumSquaresGeneric(x) }
func dot2(a, b []float32) float32                   { return dot2Generic(a, b) }
func dot3(a, b, c []float32) float32                { return dot3Generic(a, b, c) }
func columnSums(sum, x []float32, R, stride int)    { columnSumsGeneric(sum, x, R, stride) }
func maxOf(x []float32) float32                     { return maxOfGeneric(x) }
func firstOf(x []float32, v float32) int            { return firstOfGeneric(x, v) }
func exp(y, x []float32)                            { expGeneric(y, x) }
func negExp(y, x []float32)                         { negExpGeneric(y, x) }
func tanh(y, x []float32)                           { tanhGeneric(y, x) }
func sigmoid(y, x []float32)                        { sigmoidGeneric(y, x) }
func relu(y, x []float32)                           { reluGeneric(y, x) }
func reluSq(y, x []float32)                         { reluSqGeneric(y, x) }
func gelu(y, x []float32)                           { geluGeneric(y, x) }
func geluTanh(y, x []float32)                       { geluTanhGeneric(y, x) }
func silu(y, x []float32)                           { siluGeneric(y, x) }
func negExpGrad(dx, dy, x []float32)                { negExpGradGeneric(dx, dy, x) }
func tanhGrad(dx, dy, x []float32)                  { tanhGradGeneric(dx, dy, x) }
func curveGrad(dx, dy, y []float32, top float32)    { curveGradGeneric(dx, dy, y, top) }
func reluGrad(dx, dy, x []float32)                  { reluGradGeneric(dx, dy, x) }
func reluSqGrad(dx, dy, x []float32)                { reluSqGradGeneric(dx, dy, x) }
func geluGrad(dx, dy, x []float32)                  { geluGradGeneric(dx, dy, x) }
func geluTanhGrad(dx, dy, x []float32)              { geluTanhGradGeneric(dx, dy, x) }
func siluGrad(dx, dy, x []float32)                  { siluGradGeneric(dx, dy, x) }
func sigmoidMul(y, r, x []float32)                  { sigmoidMulGeneric(y, r, x) }
func sigmoidMulGrad(dr, dx, dy, r, x []float32)     { sigmoidMulGradGeneric(dr, dx, dy, r, x) }
func swiGLU(y, gate, u []float32)                   { swiGLUGeneric(y, gate, u) }
func swiGLUGrad(dgate, du, dy, gate, u []float32)   { swiGLUGradGeneric(dgate, du, dy, gate, u) }
func normRow(y, x, w, b, mean, rstd []float32, N int, eps float32) {
	normRowGeneric(y, x, w, b, mean, rstd, N, eps)
}
func normGradRow(dx, dw, db, dy, x, w, mean, rstd []float32, N int) {
	normGradRowGeneric(dx, dw, db, dy, x, w, mean, rstd, N)
}
func rmsNormRow(y, x, w []float32, eps float32) float32 { return rmsNormRowGeneric(y, x, w, eps) }
func rmsNormGradRow(dx, dw, dy, x, w []float32, r float32) {
	rmsNormGradRowGeneric(dx, dw, dy, x, w, r)
}
func expShift(y, x []float32, scale, top float32) float32 { return expShiftGeneric(y, x, scale, top) }
func sumExpShift(x []float32, top float32) float32        { return sumExpShiftGeneric(x, top) }
func addExpShift(y, x []float32, shift, scale float32)    { addExpShiftGeneric(y, x, shift, scale) }
func rotate(y, x, cos, sin []float32)                     { rotateGeneric(y, x, cos, sin) }
func rotateBackAdd(y, x, cos, sin []float32)              { rotateBackAddGeneric(y, x, cos, sin) }
func rotatePairs(y, x, cos, sin []float32)                { rotatePairsGeneric(y, x, cos, sin) }
func rotatePairsBackAdd(y, x, cos, sin []float32)         { rotatePairsBackAddGeneric(y, x, cos, sin) }
func shiftMixRow(y, mu *mixSet, count, at int, x, prev []float32) {
	shiftMixRowGeneric(y, mu, count, at, x, prev)
}
func shiftMixGradRow(dy, mu, dmu *mixSet, count, at int, x, prev, dx, dprev []float32) {
	shiftMixGradRowGeneric(dy, mu, dmu, count, at, x, prev, dx, dprev)
}
func shiftByRow(y, x, prev, mu, m []float32) { shiftByRowGeneric(y, x, prev, mu, m) }
func shiftByGradRow(dx, dprev, dmu, dm, dy, x, prev, mu, m []float32) {
	shiftByGradRowGeneric(dx, dprev, dmu, dm, dy, x, prev, mu, m)
}
func wkv4(y, a, b, p, w, u, k, v []float32, T, C int) { wkv4Generic(y, a, b, p, w, u, k, v, T, C) }
func wkv4GradForward(tape *wkvTape, dy, w, u, k, v []float32, T, C int) {
	wkv4GradForwardGeneric(tape, dy, w, u, k, v, T, C)
}
func wkv4GradReverse(dk, dv []float32, strideK, strideV int, tape *wkvTape, w, k, v []float32, T, C int) {
	wkv4GradReverseGeneric(dk, dv, strideK, strideV, tape, w, k, v, T, C)
}
func wkv6Values(q *wkv6Scan)                       { wkv6ValuesGeneric(q) }
func wkv6Keys(q *wkv6Scan)                         { wkv6KeysGeneric(q) }
func wkv6Dots(c, a, u, b []float32, N, stride int) { wkv6DotsGeneric(c, a, u, b, N, stride) }
func wkv6Decays(d, w []float32, N, stride int)     { wkv6DecaysGeneric(d, w, N, stride) }
func wkv6Join(dw, dr, dk, du, q, gr, gk, u, r, k, d []float32, e float32) {
	wkv6JoinGeneric(dw, dr, dk, du, q, gr, gk, u, r, k, d, e)
}
func wkv6Meet(q, G, S []float32, R, stride int) { wkv6MeetGeneric(q, G, S, R, stride) }
func wkv7(y, s, sa, d, r, k, v, a, b []float32, T, C, N int) {
	wkv7Generic(y, s, sa, d, r, k, v, a, b, T, C, N)
}
func wkv7Carry(x []wkv7Tile, steps []wkv7Block, i, T int)      { wkv7CarryGeneric(x, steps, i, T) }
func wkv7Advance(x []wkv7Tile, steps []wkv7Block, n, i, T int) { wkv7AdvanceGeneric(x, steps, n, i, T) }
func wkv7Reverse(tape *wkv7Tape, i, T int)                     { wkv7ReverseGeneric(tape, i, T) }
func wkv7Pack(steps []wkv7Block, n, vector int, x []float32, N, T, stride, ahead int) {
	wkv7PackGeneric(steps, n, vector, x, N, T, stride, ahead)
}
func wkv7Unpack(x []float32, steps []wkv7Block, n, vector, N, T, stride, ahead int) {
	wkv7UnpackGeneric(x, steps, n, vector, N, T, stride, ahead)
}
func wkv7Fetch(x []float32, N, T, stride int) { wkv7FetchGeneric(x, N, T, stride) }
func keys7Scaled(key, k, a, ka []float32)     { keys7ScaledGeneric(key, k, a, ka) }
func keys7ScaledGrad(dk, da, dka, dkey, k, a, ka []float32) {
	keys7ScaledGradGeneric(dk, da, dka, dkey, k, a, ka)
}
func keys7Removal(remove, replace, k, a, kk []float32) float32 {
	return keys7RemovalGeneric(remove, replace, k, a, kk)
}
func keys7RemovalGrad(dk, da, dkk, dremove, dreplace, remove, k, a, kk []float32, s float32) {
	keys7RemovalGradGeneric(dk, da, dkk, dremove, dreplace, remove, k, a, kk, s)
}
func bonus7Grad(dr, dkey, drk, r, key, rk []float32, e float32) {
	bonus7GradGeneric(dr, dkey, drk, r, key, rk, e)
}
func lstmCell(h, c, c0, z []float32, H int)             { lstmCellGeneric(h, c, c0, z, H) }
func lstmCellGrad(dx, dc, e, c, c0, z []float32, H int) { lstmCellGradGeneric(dx, dc, e, c, c0, z, H) }
func gruCell(h, q, h0, gates, b []float32, H int)       { gruCellGeneric(h, q, h0, gates, b, H) }
func gruCellGrad(dn, dy, e, h0, q, gates []float32, H int) {
	gruCellGradGeneric(dn, dy, e, h0, q, gates, H)
}
func packHidden(m *hidden, blocks, rows, steps int)    { packHiddenGeneric(m, blocks, rows, steps) }
func addHidden(m *hidden, p *product, block, from int) { addHiddenGeneric(m, p, block, from) }
func attendTile(j *attentionJob, b, h, t0, rows int)   { attendTileGeneric(j, b, h, t0, rows) }
func attendBack(j *attentionGradJob, b, h, group, k0, n int) {
	attendBackGeneric(j, b, h, group, k0, n)
}
func headDots(scores, q []float32, k keyRows, n, stride, H, G, D int) (slots, ld int) {
	return headDotsGeneric(scores, q, k, n, stride, H, G, D)
}
func headSums(y, p []float32, v keyRows, n, stride, H, G, D int) {
	headSumsGeneric(y, p, v, n, stride, H, G, D)
}
func multiplyMatrices(p *product)                        { multiplyMatricesGeneric(p) }
func multiplyFew(p *product, lo, hi, chunks int)         { multiplyFewGeneric(p, lo, hi, chunks) }
func dotRows(m *Matrix, y, x []float32, row, n, far int) { dotRowsGeneric(m, y, x, row, n, far) }
func dotGroups(m *Matrix, y []float32, x []actBlock, group, n, far int) {
	dotGroupsGeneric(m, y, x, group, n, far)
}
func quantiseInputs(dst []actBlock, x []float32)           { quantiseInputsGeneric(dst, x) }
func unpackHalf(t DType, dst []float32, src []uint16)      { unpackHalfGeneric(t, dst, src) }
func packHalf(t DType, dst []uint16, src []float32)        { packHalfGeneric(t, dst, src) }
func unpackGroup(t DType, dst []float32, ld int, w []byte) { unpackGroupGeneric(t, dst, ld, w) }
func fmaRounds(rounds int) float32                         { return fmaRoundsGeneric(rounds) }
func readFloats(x []float32) (sum float32)                 { return readFloatsGeneric(x) }
