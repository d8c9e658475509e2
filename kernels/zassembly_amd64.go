// Code generated from the table in _asm. DO NOT EDIT.

//go:build !purego

package kernels

// accumulateAVX2 is y += x.
//
//go:noescape
func accumulateAVX2(y, x *float32, n int)

// tanhSlopeAVX2 is y *= 1-h².
//
//go:noescape
func tanhSlopeAVX2(y, h *float32, n int)

// axpyAVX2 is y += a·x.
//
//go:noescape
func axpyAVX2(y, x *float32, a float32, n int)

// scaleAVX2 is x *= a.
//
//go:noescape
func scaleAVX2(x *float32, a float32, n int)

// multiplyAVX2 is y = a·b.
//
//go:noescape
func multiplyAVX2(y, a, b *float32, n int)

// mulAddRestAVX2 is y += a·(1-b).
//
//go:noescape
func mulAddRestAVX2(y, a, b *float32, n int)

// mulAddSumAVX2 is y += a·(b+c).
//
//go:noescape
func mulAddSumAVX2(y, a, b, c *float32, n int)

// addScaledAVX2 is y = x + s·v.
//
//go:noescape
func addScaledAVX2(y, x, v *float32, s float32, n int)

// mulAxpyAVX2 is y += s·a·b.
//
//go:noescape
func mulAxpyAVX2(y, a, b *float32, s float32, n int)

// lerpAVX2 is y = a + s·(b-a).
//
//go:noescape
func lerpAVX2(y, a, b, s *float32, n int)

// lerpGradAVX2 is da += dy·(1-s), db += dy·s, ds += dy·(b-a).
//
//go:noescape
func lerpGradAVX2(da, db, ds, dy, a, b, s *float32, n int)

// adamWAVX2 is one step of AdamW.
//
//go:noescape
func adamWAVX2(p, grad, m, v *float32, s *adamScalars, n int)

// sumSquaresAVX2 returns Σ x², in float64.
//
//go:noescape
func sumSquaresAVX2(x *float32, n int) float64

// dot2AVX2 returns Σ a·b.
//
//go:noescape
func dot2AVX2(a, b *float32, n int) float32

// dot3AVX2 returns Σ a·b·c.
//
//go:noescape
func dot3AVX2(a, b, c *float32, n int) float32

// columnSumsAVX2 is sum += Σ x over R rows, stride floats apart.
//
//go:noescape
func columnSumsAVX2(sum, x *float32, R, stride, n int)

// maxOfAVX2 returns the largest of x, which is not empty.
//
//go:noescape
func maxOfAVX2(x *float32, n int) float32

// firstOfAVX2 returns the index of the first v in x, or len(x).
//
//go:noescape
func firstOfAVX2(x *float32, v float32, n int) int

// expAVX2 is y = e^x.
//
//go:noescape
func expAVX2(y, x *float32, n int)

// negExpAVX2 is y = -e^x.
//
//go:noescape
func negExpAVX2(y, x *float32, n int)

// tanhAVX2 is y = tanh(x).
//
//go:noescape
func tanhAVX2(y, x *float32, n int)

// sigmoidAVX2 is y = σ(x).
//
//go:noescape
func sigmoidAVX2(y, x *float32, n int)

// reluAVX2 is y = max(x, 0).
//
//go:noescape
func reluAVX2(y, x *float32, n int)

// reluSqAVX2 is y = max(x, 0)².
//
//go:noescape
func reluSqAVX2(y, x *float32, n int)

// geluAVX2 is y = x·Φ(x).
//
//go:noescape
func geluAVX2(y, x *float32, n int)

// geluTanhAVX2 is y = x·σ(2z), z = √(2/π)·(x + 0.044715·x³).
//
//go:noescape
func geluTanhAVX2(y, x *float32, n int)

// siluAVX2 is y = x·σ(x).
//
//go:noescape
func siluAVX2(y, x *float32, n int)

// negExpGradAVX2 is dx += dy·x, where x is the output.
//
//go:noescape
func negExpGradAVX2(dx, dy, x *float32, n int)

// tanhGradAVX2 is dx += dy·(1-x²), where x is the output.
//
//go:noescape
func tanhGradAVX2(dx, dy, x *float32, n int)

// curveGradAVX2 is dx += dy·(y - y²/top), the gradient of y = top·σ.
//
//go:noescape
func curveGradAVX2(dx, dy, y *float32, top float32, n int)

// reluGradAVX2 is dx += dy where x > 0.
//
//go:noescape
func reluGradAVX2(dx, dy, x *float32, n int)

// reluSqGradAVX2 is dx += dy·2·max(x, 0).
//
//go:noescape
func reluSqGradAVX2(dx, dy, x *float32, n int)

// geluGradAVX2 is dx += dy·(Φ(x) + x·φ(x)).
//
//go:noescape
func geluGradAVX2(dx, dy, x *float32, n int)

// geluTanhGradAVX2 is dx += dy·geluTanh'(x).
//
//go:noescape
func geluTanhGradAVX2(dx, dy, x *float32, n int)

// siluGradAVX2 is dx += dy·(σ(x) + x·σ(x)·σ(-x)).
//
//go:noescape
func siluGradAVX2(dx, dy, x *float32, n int)

// sigmoidMulAVX2 is y = σ(r)·x.
//
//go:noescape
func sigmoidMulAVX2(y, r, x *float32, n int)

// sigmoidMulGradAVX2 is dx += dy·σ(r) and dr += dy·x·σ(r)·σ(-r).
//
//go:noescape
func sigmoidMulGradAVX2(dr, dx, dy, r, x *float32, n int)

// swiGLUAVX2 is y = gate·σ(gate)·u.
//
//go:noescape
func swiGLUAVX2(y, gate, u *float32, n int)

// swiGLUGradAVX2 is, with s = σ(gate), dgate += dy·u·(s + gate·s·(1-s)) and du += dy·gate·s.
//
//go:noescape
func swiGLUGradAVX2(dgate, du, dy, gate, u *float32, n int)

// normRowAVX2 is y = (x-mean)·rstd·w + b with the mean and 1/√(variance+eps) of each group of N.
//
//go:noescape
func normRowAVX2(y, x, w, b, mean, rstd *float32, N int, eps float32, n int)

// normGradRowAVX2 is, with h = (x-mean)·rstd and g = dy·w, dx += rstd·(g - mean(g) - h·mean(g·h)), dw += dy·h and db += dy.
//
//go:noescape
func normGradRowAVX2(dx, dw, db, dy, x, w, mean, rstd *float32, N, n int)

// rmsNormRowAVX2 is y = x·r·w; it returns r = 1/√(mean(x²)+eps).
//
//go:noescape
func rmsNormRowAVX2(y, x, w *float32, eps float32, n int) float32

// rmsNormGradRowAVX2 is, with h = x·r and g = dy·w, dx += r·(g - h·mean(g·h)) and dw += dy·h.
//
//go:noescape
func rmsNormGradRowAVX2(dx, dw, dy, x, w *float32, r float32, n int)

// expShiftAVX2 is y = e^(scale·x-top); it returns Σ y.
//
//go:noescape
func expShiftAVX2(y, x *float32, scale, top float32, n int) float32

// sumExpShiftAVX2 returns Σ e^(x-top).
//
//go:noescape
func sumExpShiftAVX2(x *float32, top float32, n int) float32

// addExpShiftAVX2 is y += scale·e^(x-shift).
//
//go:noescape
func addExpShiftAVX2(y, x *float32, shift, scale float32, n int)

// rotateAVX2 rotates one head, whose pairs are channels i and i+D/2.
//
//go:noescape
func rotateAVX2(y, x, cos, sin *float32, n int)

// rotateBackAddAVX2 adds one head rotated by the negative angles.
//
//go:noescape
func rotateBackAddAVX2(y, x, cos, sin *float32, n int)

// rotatePairsAVX2 rotates one head, whose pairs are neighbours: y = x·cos + x'·sin, where x' is x with neighbours swapped.
//
//go:noescape
func rotatePairsAVX2(y, x, cos, sin *float32, n int)

// rotatePairsBackAddAVX2 adds one head rotated by the negative angles: y += x·cos - x'·sin.
//
//go:noescape
func rotatePairsBackAddAVX2(y, x, cos, sin *float32, n int)

// shiftByRowAVX2 is y = x + (mu+m)·(prev-x).
//
//go:noescape
func shiftByRowAVX2(y, x, prev, mu, m *float32, n int)

// shiftByGradRowAVX2 adds the gradients of shiftByRow.
//
//go:noescape
func shiftByGradRowAVX2(dx, dprev, dmu, dm, dy, x, prev, mu, m *float32, n int)

// wkv6DotsAVX2 is c[t] = Σ a[t]·u·b[t] over rows of N, stride floats apart.
//
//go:noescape
func wkv6DotsAVX2(c, a, u, b *float32, N, stride, n int)

// wkv6DecaysAVX2 is d = e^w over rows of N, those of w stride floats apart.
//
//go:noescape
func wkv6DecaysAVX2(d, w *float32, N, stride, n int)

// wkv6JoinAVX2 adds to the gradients of a step and moves q to the step before.
//
//go:noescape
func wkv6JoinAVX2(dw, dr, dk, du, q, gr, gk, u, r, k, d *float32, e float32, n int)

// wkv6MeetAVX2 is q += Σ G·S over R rows, stride floats apart.
//
//go:noescape
func wkv6MeetAVX2(q, G, S *float32, R, stride, n int)

// keys7ScaledAVX2 is key = k·(1 + (a-1)·ka).
//
//go:noescape
func keys7ScaledAVX2(key, k, a, ka *float32, n int)

// keys7ScaledGradAVX2 adds the gradients of keys7Scaled.
//
//go:noescape
func keys7ScaledGradAVX2(dk, da, dka, dkey, k, a, ka *float32, n int)

// bonus7GradAVX2 is dr += e·key·rk, dkey += e·r·rk, drk += e·r·key.
//
//go:noescape
func bonus7GradAVX2(dr, dkey, drk, r, key, rk *float32, e float32, n int)

// lstmCellAVX2 computes a step of len(h) units from their sums.
//
//go:noescape
func lstmCellAVX2(h, c, c0, z *float32, H, n int)

// gruCellAVX2 computes a step of len(h) units from their sums.
//
//go:noescape
func gruCellAVX2(h, q, h0, gates, b *float32, H, n int)

// gruCellGradAVX2 computes the gradient of gruCell.
//
//go:noescape
func gruCellGradAVX2(dn, dy, e, h0, q, gates *float32, H, n int)

// quantiseInputsAVX2 fills each block from 32 inputs: int8 q, the scale d, -8·Σq.
//
//go:noescape
func quantiseInputsAVX2(dst *actBlock, x *float32, n int)

// tile1x16AVX2 is c[1,16] = a·b, or += with acc; a's element (m,k) is am and ak floats apart, b's rows are bk apart. It prefetches every fourth cache line of the panel at next.
//
//go:noescape
func tile1x16AVX2(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, next *float32, acc bool)

// tile2x16AVX2 is c[2,16] = a·b, or += with acc; a's element (m,k) is am and ak floats apart, b's rows are bk apart. It prefetches every fourth cache line of the panel at next.
//
//go:noescape
func tile2x16AVX2(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, next *float32, acc bool)

// tile3x16AVX2 is c[3,16] = a·b, or += with acc; a's element (m,k) is am and ak floats apart, b's rows are bk apart. It prefetches every fourth cache line of the panel at next.
//
//go:noescape
func tile3x16AVX2(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, next *float32, acc bool)

// tile4x16AVX2 is c[4,16] = a·b, or += with acc; a's element (m,k) is am and ak floats apart, b's rows are bk apart. It prefetches every fourth cache line of the panel at next.
//
//go:noescape
func tile4x16AVX2(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, next *float32, acc bool)

// tile5x16AVX2 is c[5,16] = a·b, or += with acc; a's element (m,k) is am and ak floats apart, b's rows are bk apart. It prefetches every fourth cache line of the panel at next.
//
//go:noescape
func tile5x16AVX2(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, next *float32, acc bool)

// tile6x16AVX2 is c[6,16] = a·b, or += with acc; a's element (m,k) is am and ak floats apart, b's rows are bk apart. It prefetches every fourth cache line of the panel at next.
//
//go:noescape
func tile6x16AVX2(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, next *float32, acc bool)

// dots1x1AVX2 is y[1,1] = a·bᵀ, or += with acc, over k floats of rows lda and ldb floats apart; y's element (m,n) is ym and yn floats apart.
//
//go:noescape
func dots1x1AVX2(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)

// dots1x2AVX2 is y[1,2] = a·bᵀ, or += with acc, over k floats of rows lda and ldb floats apart; y's element (m,n) is ym and yn floats apart.
//
//go:noescape
func dots1x2AVX2(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)

// dots4x1AVX2 is y[4,1] = a·bᵀ, or += with acc, over k floats of rows lda and ldb floats apart; y's element (m,n) is ym and yn floats apart.
//
//go:noescape
func dots4x1AVX2(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)

// dots4x2AVX2 is y[4,2] = a·bᵀ, or += with acc, over k floats of rows lda and ldb floats apart; y's element (m,n) is ym and yn floats apart.
//
//go:noescape
func dots4x2AVX2(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)

// dots4x3AVX2 is y[4,3] = a·bᵀ, or += with acc, over k floats of rows lda and ldb floats apart; y's element (m,n) is ym and yn floats apart.
//
//go:noescape
func dots4x3AVX2(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)

// pack16AVX2 writes dst[k,16] = src[16,k]ᵀ, rows of src ld floats apart; k is a multiple of 8.
//
//go:noescape
func pack16AVX2(dst, src *float32, ld, k int)

// copy16AVX2 writes dst[panels,k,16] = src[k,panels·16], rows of src ld floats apart.
//
//go:noescape
func copy16AVX2(dst, src *float32, ld, panels, k int)

// pack6AVX2 writes dst[⌈rows/6⌉,k,6] = src[k,rows], groups of dst stride and rows of src ld floats apart; it writes 8 floats a step.
//
//go:noescape
func pack6AVX2(dst *float32, stride int, src *float32, ld, rows, k int)

// fmaLoopAVX2 runs rounds of 12 FMAs of 8 floats: 192·rounds operations.
//
//go:noescape
func fmaLoopAVX2(rounds int)

// readStreamsAVX2 sums n floats, a multiple of 16, of each of four streams stride floats apart.
//
//go:noescape
func readStreamsAVX2(x *float32, stride, n int) float32

// dotF32AVX2 is y[i] = Σ w[i,k]·x[k] for i < rows in each of four streams, yfar floats and far weights apart.
//
//go:noescape
func dotF32AVX2(y *float32, yfar int, w *float32, far int, x *float32, k, rows int)

// dotBF16AVX2 is y[i] = Σ w[i,k]·x[k] for i < rows in each of four streams, yfar floats and far weights apart. k is a multiple of 16.
//
//go:noescape
func dotBF16AVX2(y *float32, yfar int, w *uint16, far int, x *float32, k, rows int)

// dotF16AVX2 is y[i] = Σ w[i,k]·x[k] for i < rows in each of four streams, yfar floats and far weights apart. k is a multiple of 16.
//
//go:noescape
func dotF16AVX2(y *float32, yfar int, w *uint16, far int, x *float32, k, rows int)

// dotQ8AVX2 is y[i] = Σ w[i,k]·x[k] for i < 8·groups in each of four streams, yfar floats and far bytes apart.
//
//go:noescape
func dotQ8AVX2(y *float32, yfar int, w *byte, far int, x *actBlock, blocks, groups int)

// dotQ4AVX2 is y[i] = Σ w[i,k]·x[k] for i < 8·groups in each of four streams, yfar floats and far bytes apart.
//
//go:noescape
func dotQ4AVX2(y *float32, yfar int, w *byte, far int, x *actBlock, blocks, groups int)

// unpackBF16AVX2 expands n weights to float32, a multiple of 16.
//
//go:noescape
func unpackBF16AVX2(dst *float32, src *uint16, n int)

// unpackF16AVX2 expands n weights to float32, a multiple of 16.
//
//go:noescape
func unpackF16AVX2(dst *float32, src *uint16, n int)

// packBF16AVX2 rounds n floats, a multiple of 8.
//
//go:noescape
func packBF16AVX2(dst *uint16, src *float32, n int)

// packF16AVX2 rounds n floats, a multiple of 8.
//
//go:noescape
func packF16AVX2(dst *uint16, src *float32, n int)

// unpackQ8AVX2 expands 8 interleaved rows to dst[8,32·blocks], rows of dst ld floats apart.
//
//go:noescape
func unpackQ8AVX2(dst *float32, ld int, w *byte, blocks int)

// unpackQ4AVX2 expands 8 interleaved rows to dst[8,32·blocks], rows of dst ld floats apart.
//
//go:noescape
func unpackQ4AVX2(dst *float32, ld int, w *byte, blocks int)

// shiftMixAVX2 is shiftMixRow over the arrays of a mixRow.
//
//go:noescape
func shiftMixAVX2(row **float32, x, prev *float32, count, at, n int)

// shiftMixGradAVX2 is shiftMixGradRow over the arrays of a mixRow.
//
//go:noescape
func shiftMixGradAVX2(row **float32, x, prev, dx, dprev *float32, count, at, n int)

// sumSquaresOfAVX2 returns Σ (a·b)², in float64.
//
//go:noescape
func sumSquaresOfAVX2(a, b *float32, n int) float64

// keys7UnitAVX2 is remove = -k·kk·s, replace = k·kk·s·a.
//
//go:noescape
func keys7UnitAVX2(remove, replace, k, a, kk *float32, s float32, n int)

// keys7AlongAVX2 returns -Σ remove·(a·dreplace - dremove).
//
//go:noescape
func keys7AlongAVX2(remove, a, dreplace, dremove *float32, n int) float32

// keys7UnitGradAVX2 is keys7RemovalGrad, given the sum along of keys7Along.
//
//go:noescape
func keys7UnitGradAVX2(dk, da, dkk, dremove, dreplace, remove, k, a, kk *float32, along, s float32, n int)

// lstmOutGradAVX2 stores the gradient of the output gate's sum in do, and adds the gradient of the cell to dc.
//
//go:noescape
func lstmOutGradAVX2(do, dc, e, c, o *float32, n int)

// lstmInGradAVX2 computes the gradients of the input, forget and cell gates of lstmCellGrad.
//
//go:noescape
func lstmInGradAVX2(di, df, dg, dc, c0, i, f, m *float32, n int)

// wkv4x16AVX2 is wkv4 for 16 channels.
//
//go:noescape
func wkv4x16AVX2(y, a, b, p, w, u, k, v *float32, T, stride int)

// wkv4x8AVX2 is wkv4 for 8 channels.
//
//go:noescape
func wkv4x8AVX2(y, a, b, p, w, u, k, v *float32, T, stride int)

// wkv4RestAVX2 is wkv4 for n < 8 channels.
//
//go:noescape
func wkv4RestAVX2(y, a, b, p, w, u, k, v *float32, T, stride, n int)

// wkv4GradForwardx8AVX2 is wkv4GradForward for 8 channels; tape points at the tape's state and steps at its steps.
//
//go:noescape
func wkv4GradForwardx8AVX2(tape, steps, dy, w, u, k, v *float32, T, stride int)

// wkv4GradForwardRestAVX2 is wkv4GradForward for n < 8 channels.
//
//go:noescape
func wkv4GradForwardRestAVX2(tape, steps, dy, w, u, k, v *float32, T, stride, n int)

// wkv4GradReversex8AVX2 is wkv4GradReverse for 8 channels; pointers are at the last rows.
//
//go:noescape
func wkv4GradReversex8AVX2(dk, dv, steps, w, k, v *float32, T, stride, strideK, strideV int)

// wkv4GradReverseRestAVX2 is wkv4GradReverse for n < 8 channels.
//
//go:noescape
func wkv4GradReverseRestAVX2(dk, dv, steps, w, k, v *float32, T, stride, strideK, strideV, n int)

// wkv6Valuesx16AVX2 is wkv6Values for 16 columns of s; strides are bytes.
//
//go:noescape
func wkv6Valuesx16AVX2(out, s, a, d, b, x, c *float32, T, N, sStride, stride, eachStride, outStride, dStride, cStride int)

// wkv6ValuesRestAVX2 is wkv6Values for n ≤ 8 columns.
//
//go:noescape
func wkv6ValuesRestAVX2(out, s, a, d, b, x, c *float32, T, N, sStride, stride, eachStride, outStride, dStride, cStride, n int)

// wkv6Keysx16AVX2 is wkv6Keys for 16 columns of s; strides are bytes.
//
//go:noescape
func wkv6Keysx16AVX2(out, s, a, d, b, x *float32, T, N, sStride, stride, eachStride, outStride, dStride int)

// wkv6KeysRestAVX2 is wkv6Keys for n ≤ 8 columns.
//
//go:noescape
func wkv6KeysRestAVX2(out, s, a, d, b, x *float32, T, N, sStride, stride, eachStride, outStride, dStride, n int)

// wkv7x16AVX2 is wkv7 for 16 values; rows of sa start strideSA apart.
//
//go:noescape
func wkv7x16AVX2(y, s, sa, d, r, k, v, a, b *float32, T, stride, strideSA, N int)

// wkv7x8AVX2 is wkv7 for 8 values.
//
//go:noescape
func wkv7x8AVX2(y, s, sa, d, r, k, v, a, b *float32, T, stride, strideSA, N int)

// wkv7RestAVX2 is wkv7 for n < 8 values.
//
//go:noescape
func wkv7RestAVX2(y, s, sa, d, r, k, v, a, b *float32, T, stride, strideSA, N, n int)

// wkv7CarryToAVX2 is wkv7Carry; values points at the block of values in the first step.
//
//go:noescape
func wkv7CarryToAVX2(x, steps, values *float32, n, T int)

// wkv7AdvanceToAVX2 is wkv7Advance; values points at the block of values in the first step.
//
//go:noescape
func wkv7AdvanceToAVX2(x, steps, values *float32, n, T int)

// wkv7ReverseFromAVX2 is wkv7Reverse; x is the state before the last step, and values points at the block of values in the last step.
//
//go:noescape
func wkv7ReverseFromAVX2(grad, x, rows, steps, values *float32, n, T int)

// wkv7PackRowsAVX2 copies T rows of x to blocks of sixteen floats, and prefetches the rows ahead floats further.
//
//go:noescape
func wkv7PackRowsAVX2(blocks, x *float32, n, T, stride, ahead int)

// wkv7PackExpAVX2 is wkv7PackRows of e^x.
//
//go:noescape
func wkv7PackExpAVX2(blocks, x *float32, n, T, stride, ahead int)

// wkv7UnpackRowsAVX2 adds blocks to T rows of x, clears the blocks, and prefetches the rows ahead floats further.
//
//go:noescape
func wkv7UnpackRowsAVX2(blocks, x *float32, n, T, stride, ahead int)

// wkv7FetchRowsAVX2 prefetches T rows of lines cache lines.
//
//go:noescape
func wkv7FetchRowsAVX2(x *float32, T, stride, lines int)

// attentionSetAVX2 is c = a·b for tiles of 6 rows and 16 columns, k ≥ 1: a's element (m,k) is am and ak floats apart, b's rows are bk apart. cStep, aStep, bStep and kStep are the distances from tile to tile.
//
//go:noescape
func attentionSetAVX2(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k, cStep, aStep, bStep, kStep, tiles int)

// attentionAddAVX2 is c += a·b for tiles of 6 rows and 16 columns, k ≥ 1: a's element (m,k) is am and ak floats apart, b's rows are bk apart. cStep, aStep, bStep and kStep are the distances from tile to tile.
//
//go:noescape
func attentionAddAVX2(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k, cStep, aStep, bStep, kStep, tiles int)

// attentionBlendAVX2 is c[m] = keep[m]·c[m] + a·b for tiles of 6 rows and 16 columns, k ≥ 1: a's element (m,k) is am and ak floats apart, b's rows are bk apart. cStep, aStep, bStep and kStep are the distances from tile to tile.
//
//go:noescape
func attentionBlendAVX2(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k, cStep, aStep, bStep, kStep, tiles int, keep *float32)

// attentionSoftmaxAVX2 continues the online softmax of 16 queries over n more keys, the rows of p: top' = max(top, p), keep = e^(top-top'), p' = e^(p-top') and sum' = keep·sum + Σ p'. Lane i does not see row r ≥ full where r > off+i.
//
//go:noescape
func attentionSoftmaxAVX2(p *float32, ld, full, n, off int, top, sum, keep *float32)

// attentionBackAVX2 is p' = e^(p-lse) and ds' = p'·(ds-d) for 16 queries over n keys; both are 0 where a key is not seen.
//
//go:noescape
func attentionBackAVX2(p, ds *float32, ld, full, n, off int, lse, d *float32)

// attentionCopyAVX2 is dst[r] = by[r]·src[r] for rows of n floats; the factors are byStep floats apart.
//
//go:noescape
func attentionCopyAVX2(dst *float32, ldd int, src *float32, lds, rows, n int, by *float32, byStep int)

// attentionCopyBF16AVX2 expands rows of n elements, a multiple of 8.
//
//go:noescape
func attentionCopyBF16AVX2(dst *float32, ldd int, src *uint16, lds, rows, n int)

// attentionCopyF16AVX2 expands rows of n elements, a multiple of 8.
//
//go:noescape
func attentionCopyF16AVX2(dst *float32, ldd int, src *uint16, lds, rows, n int)

// attentionGatherAVX2 is dst[r] += by[r]·src[r] for rows of n floats; the factors are byStep floats apart.
//
//go:noescape
func attentionGatherAVX2(dst *float32, ldd int, src *float32, lds, rows, n int, by *float32, byStep int)

// attentionTransposeAVX2 is dst[16·i+r] = src[r·lds+i] for 8 rows r and i < n, n rounded up to a multiple of 8.
//
//go:noescape
func attentionTransposeAVX2(dst, src *float32, lds, n int)

// attentionDotsAVX2 is p[h·ld+4i+s] = q[h]·k[i,h/G] in stream s, i < rows, h < H·G. Rows begin stride elements apart, the four streams far elements apart; D is a multiple of 8.
//
//go:noescape
func attentionDotsAVX2(p, q, k *float32, ld, rows, stride, far, H, G, D int)

// attentionDotsBF16AVX2 is p[h·ld+4i+s] = q[h]·k[i,h/G] in stream s, i < rows, h < H·G. Rows begin stride elements apart, the four streams far elements apart; D is a multiple of 8.
//
//go:noescape
func attentionDotsBF16AVX2(p, q *float32, k *uint16, ld, rows, stride, far, H, G, D int)

// attentionDotsF16AVX2 is p[h·ld+4i+s] = q[h]·k[i,h/G] in stream s, i < rows, h < H·G. Rows begin stride elements apart, the four streams far elements apart; D is a multiple of 8.
//
//go:noescape
func attentionDotsF16AVX2(p, q *float32, k *uint16, ld, rows, stride, far, H, G, D int)

// attentionSumsAVX2 is y[h] += Σ_s,i p[h·ld+4i+s]·v[i,h/G], with the layout of attentionDots.
//
//go:noescape
func attentionSumsAVX2(p, y, v *float32, ld, rows, stride, far, H, G, D int)

// attentionSumsBF16AVX2 is y[h] += Σ_s,i p[h·ld+4i+s]·v[i,h/G], with the layout of attentionDots.
//
//go:noescape
func attentionSumsBF16AVX2(p, y *float32, v *uint16, ld, rows, stride, far, H, G, D int)

// attentionSumsF16AVX2 is y[h] += Σ_s,i p[h·ld+4i+s]·v[i,h/G], with the layout of attentionDots.
//
//go:noescape
func attentionSumsF16AVX2(p, y *float32, v *uint16, ld, rows, stride, far, H, G, D int)
