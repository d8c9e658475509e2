package table

import "fmt"

const avx2 = "avx2"

// Levels are the implementations besides the generic one. Those of one GOARCH
// stand in rising order: a machine that runs one also runs those before it.
var Levels = []Level{
	{avx2, "AVX2", "amd64", "cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C"},
}

// Ops are the operations. fooGeneric is documented where it is written; the
// text here documents foo and its assembly.
var Ops = []Op{
	// Elementwise.
	op("accumulate(y, x []float32)", "is y += x.", asm(avx2)),
	op("tanhSlope(y, h []float32)", "is y *= 1-h².", asm(avx2)),
	op("axpy(y, x []float32, a float32)", "is y += a·x.", asm(avx2)),
	op("scale(x []float32, a float32)", "is x *= a.", asm(avx2)),
	op("multiply(y, a, b []float32)", "is y = a·b.", asm(avx2)),
	op("mulAddRest(y, a, b []float32)", "is y += a·(1-b).", asm(avx2)),
	op("mulAddSum(y, a, b, c []float32)", "is y += a·(b+c).", asm(avx2)),
	op("addScaled(y, x, v []float32, s float32)", "is y = x + s·v.", asm(avx2)),
	op("mulAxpy(y, a, b []float32, s float32)", "is y += s·a·b.", asm(avx2)),
	op("lerp(y, a, b, s []float32)", "is y = a + s·(b-a).", asm(avx2)),
	op("lerpGrad(da, db, ds, dy, a, b, s []float32)", "is da += dy·(1-s), db += dy·s, ds += dy·(b-a).", asm(avx2)),
	op("adamW(p, grad, m, v []float32, s *adamScalars)", "is one step of AdamW.", asm(avx2)),

	// Sums and searches.
	op("sumSquares(x []float32) float64", "returns Σ x², in float64.", asm(avx2)),
	op("dot2(a, b []float32) float32", "returns Σ a·b.", asm(avx2)),
	op("dot3(a, b, c []float32) float32", "returns Σ a·b·c.", asm(avx2)),
	op("columnSums(sum, x []float32, R, stride int)", "is sum += Σ x over R rows, stride floats apart.", asm(avx2)),
	op("maxOf(x []float32) float32", "returns the largest of x, which is not empty.", asm(avx2)),
	op("firstOf(x []float32, v float32) int", "returns the index of the first v in x, or len(x).", asm(avx2)),

	// Activations.
	op("exp(y, x []float32)", "is y = e^x.", asm(avx2)),
	op("negExp(y, x []float32)", "is y = -e^x.", asm(avx2)),
	op("tanh(y, x []float32)", "is y = tanh(x).", asm(avx2)),
	op("sigmoid(y, x []float32)", "is y = σ(x).", asm(avx2)),
	op("relu(y, x []float32)", "is y = max(x, 0).", asm(avx2)),
	op("reluSq(y, x []float32)", "is y = max(x, 0)².", asm(avx2)),
	op("gelu(y, x []float32)", "is y = x·Φ(x).", asm(avx2)),
	op("geluTanh(y, x []float32)", "is y = x·σ(2z), z = √(2/π)·(x + 0.044715·x³).", asm(avx2)),
	op("silu(y, x []float32)", "is y = x·σ(x).", asm(avx2)),
	op("negExpGrad(dx, dy, x []float32)", "is dx += dy·x, where x is the output.", asm(avx2)),
	op("tanhGrad(dx, dy, x []float32)", "is dx += dy·(1-x²), where x is the output.", asm(avx2)),
	op("curveGrad(dx, dy, y []float32, top float32)", "is dx += dy·(y - y²/top), the gradient of y = top·σ.", asm(avx2)),
	op("reluGrad(dx, dy, x []float32)", "is dx += dy where x > 0.", asm(avx2)),
	op("reluSqGrad(dx, dy, x []float32)", "is dx += dy·2·max(x, 0).", asm(avx2)),
	op("geluGrad(dx, dy, x []float32)", "is dx += dy·(Φ(x) + x·φ(x)).", asm(avx2)),
	op("geluTanhGrad(dx, dy, x []float32)", "is dx += dy·geluTanh'(x).", asm(avx2)),
	op("siluGrad(dx, dy, x []float32)", "is dx += dy·(σ(x) + x·σ(x)·σ(-x)).", asm(avx2)),
	op("sigmoidMul(y, r, x []float32)", "is y = σ(r)·x.", asm(avx2)),
	op("sigmoidMulGrad(dr, dx, dy, r, x []float32)", "is dx += dy·σ(r) and dr += dy·x·σ(r)·σ(-r).", asm(avx2)),
	op("swiGLU(y, gate, u []float32)", "is y = gate·σ(gate)·u.", asm(avx2)),
	op("swiGLUGrad(dgate, du, dy, gate, u []float32)", "is, with s = σ(gate), dgate += dy·u·(s + gate·s·(1-s)) and du += dy·gate·s.", asm(avx2)),

	// Rows: norms, softmax, rotations.
	op("normRow(y, x, w, b, mean, rstd []float32, N int, eps float32)", "is y = (x-mean)·rstd·w + b with the mean and 1/√(variance+eps) of each group of N.", asm(avx2)),
	op("normGradRow(dx, dw, db, dy, x, w, mean, rstd []float32, N int)", "is, with h = (x-mean)·rstd and g = dy·w, dx += rstd·(g - mean(g) - h·mean(g·h)), dw += dy·h and db += dy.", asm(avx2)),
	op("rmsNormRow(y, x, w []float32, eps float32) float32", "is y = x·r·w; it returns r = 1/√(mean(x²)+eps).", asm(avx2)),
	op("rmsNormGradRow(dx, dw, dy, x, w []float32, r float32)", "is, with h = x·r and g = dy·w, dx += r·(g - h·mean(g·h)) and dw += dy·h.", asm(avx2)),
	op("expShift(y, x []float32, scale, top float32) float32", "is y = e^(scale·x-top); it returns Σ y.", asm(avx2)),
	op("sumExpShift(x []float32, top float32) float32", "returns Σ e^(x-top).", asm(avx2)),
	op("addExpShift(y, x []float32, shift, scale float32)", "is y += scale·e^(x-shift).", asm(avx2)),
	op("rotate(y, x, cos, sin []float32)", "rotates one head, whose pairs are channels i and i+D/2.", asm(avx2)),
	op("rotateBackAdd(y, x, cos, sin []float32)", "adds one head rotated by the negative angles.", asm(avx2)),
	op("rotatePairs(y, x, cos, sin []float32)", "rotates one head, whose pairs are neighbours: y = x·cos + x'·sin, where x' is x with neighbours swapped.", asm(avx2)),
	op("rotatePairsBackAdd(y, x, cos, sin []float32)", "adds one head rotated by the negative angles: y += x·cos - x'·sin.", asm(avx2)),

	// Token shift.
	op("shiftMixRow(y, mu *mixSet, count, at int, x, prev []float32)", "is y[i] = prev + mu[i]·(x-prev) for count outputs i, on the row at offset at.", byHand(avx2)),
	op("shiftMixGradRow(dy, mu, dmu *mixSet, count, at int, x, prev, dx, dprev []float32)", "adds the gradients of shiftMixRow to dx, dprev and dmu.", byHand(avx2)),
	op("shiftByRow(y, x, prev, mu, m []float32)", "is y = x + (mu+m)·(prev-x).", asm(avx2)),
	op("shiftByGradRow(dx, dprev, dmu, dm, dy, x, prev, mu, m []float32)", "adds the gradients of shiftByRow.", asm(avx2)),

	// RWKV.
	op("wkv4(y, a, b, p, w, u, k, v []float32, T, C int)", "is WKV4 on up to 16 channels.", byHand(avx2)),
	op("wkv4GradForward(tape *wkvTape, dy, w, u, k, v []float32, T, C int)", "fills the tape of up to 16 channels.", byHand(avx2)),
	op("wkv4GradReverse(dk, dv []float32, strideK, strideV int, tape *wkvTape, w, k, v []float32, T, C int)", "adds dk and dv from the tape.", byHand(avx2)),
	op("wkv6Values(q *wkv6Scan)", "computes a row of values for each step.", byHand(avx2)),
	op("wkv6Keys(q *wkv6Scan)", "computes a row of keys for each step.", byHand(avx2)),
	op("wkv6Dots(c, a, u, b []float32, N, stride int)", "is c[t] = Σ a[t]·u·b[t] over rows of N, stride floats apart.", asm(avx2)),
	op("wkv6Decays(d, w []float32, N, stride int)", "is d = e^w over rows of N, those of w stride floats apart.", asm(avx2)),
	op("wkv6Join(dw, dr, dk, du, q, gr, gk, u, r, k, d []float32, e float32)", "adds to the gradients of a step and moves q to the step before.", asm(avx2)),
	op("wkv6Meet(q, G, S []float32, R, stride int)", "is q += Σ G·S over R rows, stride floats apart.", asm(avx2)),
	op("wkv7(y, s, sa, d, r, k, v, a, b []float32, T, C, N int)", "computes T steps of one head.", byHand(avx2)),
	op("wkv7Carry(x []wkv7Tile, steps []wkv7Block, i, T int)", "updates the state of a block of values over T steps.", byHand(avx2)),
	op("wkv7Advance(x []wkv7Tile, steps []wkv7Block, n, i, T int)", "is wkv7Carry that keeps the state of every step.", byHand(avx2)),
	op("wkv7Reverse(tape *wkv7Tape, i, T int)", "carries the gradient of a block of values backwards over T steps.", byHand(avx2)),
	op("wkv7Pack(steps []wkv7Block, n, vector int, x []float32, N, T, stride, ahead int)", "copies T rows to one vector of their steps.", byHand(avx2).when("N%wkv7Side == 0")),
	op("wkv7Unpack(x []float32, steps []wkv7Block, n, vector, N, T, stride, ahead int)", "adds one vector of T steps to rows, and clears it.", byHand(avx2).when("N%wkv7Side == 0")),
	op("wkv7Fetch(x []float32, N, T, stride int)", "prefetches T rows of N floats.", byHand(avx2)),
	op("keys7Scaled(key, k, a, ka []float32)", "is key = k·(1 + (a-1)·ka).", asm(avx2)),
	op("keys7ScaledGrad(dk, da, dka, dkey, k, a, ka []float32)", "adds the gradients of keys7Scaled.", asm(avx2)),
	op("keys7Removal(remove, replace, k, a, kk []float32) float32", "computes remove and replace of one head, and returns 1/‖k·kk‖.", byHand(avx2).when("a != nil")),
	op("keys7RemovalGrad(dk, da, dkk, dremove, dreplace, remove, k, a, kk []float32, s float32)", "adds the gradients of keys7Removal.", byHand(avx2).when("a != nil")),
	op("bonus7Grad(dr, dkey, drk, r, key, rk []float32, e float32)", "is dr += e·key·rk, dkey += e·r·rk, drk += e·r·key.", asm(avx2)),

	// Recurrent networks; the parts of z, b, gates and dy lie H floats apart.
	op("lstmCell(h, c, c0, z []float32, H int)", "computes a step of len(h) units from their sums.", asm(avx2)),
	op("lstmCellGrad(dx, dc, e, c, c0, z []float32, H int)", "computes the gradient of lstmCell.", byHand(avx2)),
	op("gruCell(h, q, h0, gates, b []float32, H int)", "computes a step of len(h) units from their sums.", asm(avx2)),
	op("gruCellGrad(dn, dy, e, h0, q, gates []float32, H int)", "computes the gradient of gruCell.", asm(avx2)),
	op("packHidden(m *hidden, blocks, rows, steps int)", "packs the matrix where that pays for the given rows and steps.", byHand(avx2)),
	op("addHidden(m *hidden, p *product, block, from int)", "computes p, whose b is a block of the matrix from column from on.", byHand(avx2)),

	// Attention.
	op("attendTile(j *attentionJob, b, h, t0, rows int)", "computes the rows queries of a head from t0 on.", byHand(avx2)),
	op("attendBack(j *attentionGradJob, b, h, group, k0, n int)", "adds the gradients due to the n keys from k0 on, for a group of query heads.", byHand(avx2)),
	op("headDots(scores, q []float32, k keyRows, n, stride, H, G, D int) (slots, ld int)", "computes the scores of n keys by one query of each head. It returns the slots of a head, some of them -Inf, and the distance between heads.", byHand(avx2).when("D%8 == 0")),
	op("headSums(y, p []float32, v keyRows, n, stride, H, G, D int)", "computes weighted sums of values, with weights in the layout of headDots.", byHand(avx2).when("D%8 == 0")),

	// Products.
	op("multiplyMatrices(p *product)", "computes p on all threads.", byHand(avx2)),
	op("multiplyFew(p *product, lo, hi, chunks int)", "computes chunks lo … hi-1 of the columns on this thread, by dot products of rows.", byHand(avx2)),
	op("dotRows(m *Matrix, y, x []float32, row, n, far int)", "is y = m·x for the n rows from row on of each of four streams that lie far rows apart, or of one stream where far is 0.", byHand(avx2)),
	op("dotGroups(m *Matrix, y []float32, x []actBlock, group, n, far int)", "is dotRows for groups of quantised rows.", byHand(avx2)),
	op("quantiseInputs(dst []actBlock, x []float32)", "fills each block from 32 inputs: int8 q, the scale d, -8·Σq.", asm(avx2).when("len(dst) > 0")),
	op("unpackHalf(t DType, dst []float32, src []uint16)", "expands src to float32.", byHand(avx2)),
	op("packHalf(t DType, dst []uint16, src []float32)", "rounds src to 16 bits, to the nearest, ties to even.", byHand(avx2)),
	op("unpackGroup(t DType, dst []float32, ld int, w []byte)", "expands 8 interleaved rows to rows ld floats apart.", byHand(avx2)),

	// The ceilings of the machine.
	op("fmaRounds(rounds int) float32", "runs rounds of 12 chains of 8 multiply-adds; the result keeps the compiler from dropping them.", byHand(avx2)),
	op("readFloats(x []float32) (sum float32)", "sums x without a remainder of fewer than 64.", byHand(avx2).when("len(x) >= 64")),
}

// Parts are assembly that implementations written by hand call.
var Parts = append(tilesOfProducts(), []Part{
	part(avx2, "pack16(dst, src *float32, ld, k int)", "writes dst[k,16] = src[16,k]ᵀ, rows of src ld floats apart; k is a multiple of 8."),
	part(avx2, "copy16(dst, src *float32, ld, panels, k int)", "writes dst[panels,k,16] = src[k,panels·16], rows of src ld floats apart."),
	part(avx2, "pack6(dst *float32, stride int, src *float32, ld, rows, k int)", "writes dst[⌈rows/6⌉,k,6] = src[k,rows], groups of dst stride and rows of src ld floats apart; it writes 8 floats a step."),
	part(avx2, "fmaLoop(rounds int)", "runs rounds of 12 FMAs of 8 floats: 192·rounds operations."),
	part(avx2, "readStreams(x *float32, stride, n int) float32", "sums n floats, a multiple of 16, of each of four streams stride floats apart."),

	part(avx2, "dotF32(y *float32, yfar int, w *float32, far int, x *float32, k, rows int)", dotDoc),
	part(avx2, "dotBF16(y *float32, yfar int, w *uint16, far int, x *float32, k, rows int)", dotDoc+" k is a multiple of 16."),
	part(avx2, "dotF16(y *float32, yfar int, w *uint16, far int, x *float32, k, rows int)", dotDoc+" k is a multiple of 16."),
	part(avx2, "dotQ8(y *float32, yfar int, w *byte, far int, x *actBlock, blocks, groups int)", groupsDoc),
	part(avx2, "dotQ4(y *float32, yfar int, w *byte, far int, x *actBlock, blocks, groups int)", groupsDoc),
	part(avx2, "unpackBF16(dst *float32, src *uint16, n int)", "expands n weights to float32, a multiple of 16."),
	part(avx2, "unpackF16(dst *float32, src *uint16, n int)", "expands n weights to float32, a multiple of 16."),
	part(avx2, "packBF16(dst *uint16, src *float32, n int)", "rounds n floats, a multiple of 8."),
	part(avx2, "packF16(dst *uint16, src *float32, n int)", "rounds n floats, a multiple of 8."),
	part(avx2, "unpackQ8(dst *float32, ld int, w *byte, blocks int)", "expands 8 interleaved rows to dst[8,32·blocks], rows of dst ld floats apart."),
	part(avx2, "unpackQ4(dst *float32, ld int, w *byte, blocks int)", "expands 8 interleaved rows to dst[8,32·blocks], rows of dst ld floats apart."),

	part(avx2, "shiftMix(row **float32, x, prev *float32, count, at, n int)", "is shiftMixRow over the arrays of a mixRow."),
	part(avx2, "shiftMixGrad(row **float32, x, prev, dx, dprev *float32, count, at, n int)", "is shiftMixGradRow over the arrays of a mixRow."),
	part(avx2, "sumSquaresOf(a, b *float32, n int) float64", "returns Σ (a·b)², in float64."),
	part(avx2, "keys7Unit(remove, replace, k, a, kk *float32, s float32, n int)", "is remove = -k·kk·s, replace = k·kk·s·a."),
	part(avx2, "keys7Along(remove, a, dreplace, dremove *float32, n int) float32", "returns -Σ remove·(a·dreplace - dremove)."),
	part(avx2, "keys7UnitGrad(dk, da, dkk, dremove, dreplace, remove, k, a, kk *float32, along, s float32, n int)", "is keys7RemovalGrad, given the sum along of keys7Along."),
	part(avx2, "lstmOutGrad(do, dc, e, c, o *float32, n int)", "stores the gradient of the output gate's sum in do, and adds the gradient of the cell to dc."),
	part(avx2, "lstmInGrad(di, df, dg, dc, c0, i, f, m *float32, n int)", "computes the gradients of the input, forget and cell gates of lstmCellGrad."),

	part(avx2, "wkv4x16(y, a, b, p, w, u, k, v *float32, T, stride int)", "is wkv4 for 16 channels."),
	part(avx2, "wkv4x8(y, a, b, p, w, u, k, v *float32, T, stride int)", "is wkv4 for 8 channels."),
	part(avx2, "wkv4Rest(y, a, b, p, w, u, k, v *float32, T, stride, n int)", "is wkv4 for n < 8 channels."),
	part(avx2, "wkv4GradForwardx8(tape, steps, dy, w, u, k, v *float32, T, stride int)", "is wkv4GradForward for 8 channels; tape points at the tape's state and steps at its steps."),
	part(avx2, "wkv4GradForwardRest(tape, steps, dy, w, u, k, v *float32, T, stride, n int)", "is wkv4GradForward for n < 8 channels."),
	part(avx2, "wkv4GradReversex8(dk, dv, steps, w, k, v *float32, T, stride, strideK, strideV int)", "is wkv4GradReverse for 8 channels; pointers are at the last rows."),
	part(avx2, "wkv4GradReverseRest(dk, dv, steps, w, k, v *float32, T, stride, strideK, strideV, n int)", "is wkv4GradReverse for n < 8 channels."),
	part(avx2, "wkv6Valuesx16(out, s, a, d, b, x, c *float32, T, N, sStride, stride, eachStride, outStride, dStride, cStride int)", "is wkv6Values for 16 columns of s; strides are bytes."),
	part(avx2, "wkv6ValuesRest(out, s, a, d, b, x, c *float32, T, N, sStride, stride, eachStride, outStride, dStride, cStride, n int)", "is wkv6Values for n ≤ 8 columns."),
	part(avx2, "wkv6Keysx16(out, s, a, d, b, x *float32, T, N, sStride, stride, eachStride, outStride, dStride int)", "is wkv6Keys for 16 columns of s; strides are bytes."),
	part(avx2, "wkv6KeysRest(out, s, a, d, b, x *float32, T, N, sStride, stride, eachStride, outStride, dStride, n int)", "is wkv6Keys for n ≤ 8 columns."),
	part(avx2, "wkv7x16(y, s, sa, d, r, k, v, a, b *float32, T, stride, strideSA, N int)", "is wkv7 for 16 values; rows of sa start strideSA apart."),
	part(avx2, "wkv7x8(y, s, sa, d, r, k, v, a, b *float32, T, stride, strideSA, N int)", "is wkv7 for 8 values."),
	part(avx2, "wkv7Rest(y, s, sa, d, r, k, v, a, b *float32, T, stride, strideSA, N, n int)", "is wkv7 for n < 8 values."),
	part(avx2, "wkv7CarryTo(x, steps, values *float32, n, T int)", "is wkv7Carry; values points at the block of values in the first step."),
	part(avx2, "wkv7AdvanceTo(x, steps, values *float32, n, T int)", "is wkv7Advance; values points at the block of values in the first step."),
	part(avx2, "wkv7ReverseFrom(grad, x, rows, steps, values *float32, n, T int)", "is wkv7Reverse; x is the state before the last step, and values points at the block of values in the last step."),
	part(avx2, "wkv7PackRows(blocks, x *float32, n, T, stride, ahead int)", "copies T rows of x to blocks of sixteen floats, and prefetches the rows ahead floats further."),
	part(avx2, "wkv7PackExp(blocks, x *float32, n, T, stride, ahead int)", "is wkv7PackRows of e^x."),
	part(avx2, "wkv7UnpackRows(blocks, x *float32, n, T, stride, ahead int)", "adds blocks to T rows of x, clears the blocks, and prefetches the rows ahead floats further."),
	part(avx2, "wkv7FetchRows(x *float32, T, stride, lines int)", "prefetches T rows of lines cache lines."),

	part(avx2, "attentionSet("+attentionTile+")", "is c = a·b"+attentionDoc),
	part(avx2, "attentionAdd("+attentionTile+")", "is c += a·b"+attentionDoc),
	part(avx2, "attentionBlend("+attentionTile+", keep *float32)", "is c[m] = keep[m]·c[m] + a·b"+attentionDoc),
	part(avx2, "attentionSoftmax(p *float32, ld, full, n, off int, top, sum, keep *float32)", "continues the online softmax of 16 queries over n more keys, the rows of p: top' = max(top, p), keep = e^(top-top'), p' = e^(p-top') and sum' = keep·sum + Σ p'. Lane i does not see row r ≥ full where r > off+i."),
	part(avx2, "attentionBack(p, ds *float32, ld, full, n, off int, lse, d *float32)", "is p' = e^(p-lse) and ds' = p'·(ds-d) for 16 queries over n keys; both are 0 where a key is not seen."),
	part(avx2, "attentionCopy(dst *float32, ldd int, src *float32, lds, rows, n int, by *float32, byStep int)", "is dst[r] = by[r]·src[r] for rows of n floats; the factors are byStep floats apart."),
	part(avx2, "attentionCopyBF16("+halfRows+")", halfRowsDoc),
	part(avx2, "attentionCopyF16("+halfRows+")", halfRowsDoc),
	part(avx2, "attentionGather(dst *float32, ldd int, src *float32, lds, rows, n int, by *float32, byStep int)", "is dst[r] += by[r]·src[r] for rows of n floats; the factors are byStep floats apart."),
	part(avx2, "attentionTranspose(dst, src *float32, lds, n int)", "is dst[16·i+r] = src[r·lds+i] for 8 rows r and i < n, n rounded up to a multiple of 8."),
	part(avx2, "attentionDots(p, q, k *float32, "+farRows+")", dotsDoc),
	part(avx2, "attentionDotsBF16(p, q *float32, k *uint16, "+farRows+")", dotsDoc),
	part(avx2, "attentionDotsF16(p, q *float32, k *uint16, "+farRows+")", dotsDoc),
	part(avx2, "attentionSums(p, y, v *float32, "+farRows+")", sumsDoc),
	part(avx2, "attentionSumsBF16(p, y *float32, v *uint16, "+farRows+")", sumsDoc),
	part(avx2, "attentionSumsF16(p, y *float32, v *uint16, "+farRows+")", sumsDoc),
}...)

const (
	dotDoc    = "is y[i] = Σ w[i,k]·x[k] for i < rows in each of four streams, yfar floats and far weights apart."
	groupsDoc = "is y[i] = Σ w[i,k]·x[k] for i < 8·groups in each of four streams, yfar floats and far bytes apart."

	farRows = "ld, rows, stride, far, H, G, D int"
	dotsDoc = "is p[h·ld+4i+s] = q[h]·k[i,h/G] in stream s, i < rows, h < H·G. Rows begin stride elements apart, the four streams far elements apart; D is a multiple of 8."
	sumsDoc = "is y[h] += Σ_s,i p[h·ld+4i+s]·v[i,h/G], with the layout of attentionDots."

	halfRows    = "dst *float32, ldd int, src *uint16, lds, rows, n int"
	halfRowsDoc = "expands rows of n elements, a multiple of 8."

	attentionTile = "c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, cStep, aStep, bStep, kStep, tiles int"
	attentionDoc  = " for tiles of 6 rows and 16 columns, k ≥ 1: a's element (m,k) is am and ak floats apart, b's rows are bk apart. cStep, aStep, bStep and kStep are the distances from tile to tile."
)

// tilesOfProducts are the microkernels of matrix products: tiles of 1 to 6
// rows, and dot products.
func tilesOfProducts() (parts []Part) {
	for rows := 1; rows <= 6; rows++ {
		parts = append(parts, part(avx2,
			fmt.Sprintf("tile%dx16(c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, next *float32, acc bool)", rows),
			fmt.Sprintf("is c[%d,16] = a·b, or += with acc; a's element (m,k) is am and ak floats apart, b's rows are bk apart. It prefetches every fourth cache line of the panel at next.", rows)))
	}
	for _, s := range [][2]int{{1, 1}, {1, 2}, {4, 1}, {4, 2}, {4, 3}} {
		parts = append(parts, part(avx2,
			fmt.Sprintf("dots%dx%d(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)", s[0], s[1]),
			fmt.Sprintf("is y[%d,%d] = a·bᵀ, or += with acc, over k floats of rows lda and ldb floats apart; y's element (m,n) is ym and yn floats apart.", s[0], s[1])))
	}
	return parts
}
