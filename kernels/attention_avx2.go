//go:build amd64 && !purego

package kernels

import "math"

// attentionBlock is a tile of queries against a block of keys. Query i sees
// keys low+i … edge+i of the block; the last query sees at least the last key.
type attentionBlock struct{ queries, keys, low, edge int }

// panel returns, of the 16 queries from i on, how many keys all of them see,
// how many at least one sees, and how many need a score: a strip of six queries
// computes scores of up to five keys beyond those of its first query.
func (b attentionBlock) panel(i int) (all, one, scored int) {
	clip := func(n int) int { return min(max(n, 0), b.keys) }
	return clip(b.edge + i + 1), clip(b.edge + i + 16), clip(b.edge + i + 21)
}

// strips returns the first strip of six queries that sees a key, the first
// whose last query sees all keys, and the number of strips. Strip i between
// those two sees edge+6i+6 keys.
func (b attentionBlock) strips() (first, whole, end int) {
	end = (b.queries + 5) / 6
	first = max(0, -b.edge) / 6
	return first, min(end, max(first, (b.keys-b.edge-1)/6)), end
}

var minusInf = func() (x [16]float32) {
	for i := range x {
		x[i] = float32(math.Inf(-1))
	}
	return x
}()

// hide sets the scores of the first n keys to -Inf where the key lies before
// the window of the query, for the 16 queries from i on.
func (b attentionBlock) hide(p []float32, i, n int) {
	first := b.low + i // the first key that query i sees
	for r := range min(n, first+15) {
		copy(p[r*attentionRows+i+max(0, r-first+1):r*attentionRows+i+16], minusInf[:])
	}
}

// packedQueries is a tile of rows [queries,ld], and its transpose in panels
// [D,16] of 16 queries.
type packedQueries struct{ rows, panels []float32 }

func takeQueries(scratch *[]float32, ld int) packedQueries {
	return packedQueries{take(scratch, attentionRows*ld), take(scratch, attentionRows*ld)}
}

// fill packs n rows of D floats, which lie stride floats apart, multiplied by
// *by.
func (p packedQueries) fill(src []float32, stride, n, D, ld int, by *float32) {
	attentionCopyAVX2(at(p.rows), ld, at(src), stride, n, D, by, 0)
	for i := 0; i < n; i += 8 {
		attentionTransposeAVX2(&p.panels[i/16*16*ld+i%16], &p.rows[i*ld], ld, D)
	}
}

// attentionLd is the stride of packed rows: D rounded up to 16, and 16 more so
// that rows do not share the sets of the L1 cache.
func attentionLd(D int) int { return (D+15)&^15 + 16 }

var unit = float32(1)

// scores computes p[key,query] of the queries i … i+15 of a tile and the first
// keys of a block, rounded up to strips of six keys.
func scores(p, k, panel []float32, i, keys, ld, D int) {
	attentionSetAVX2(&p[i], attentionRows, at(k), ld, 1, &panel[i*ld], 16, D, 6*attentionRows, 6*ld, 0, 0, (keys+5)/6)
}

func attendTileAVX2(j *attentionJob, b, h, t0, rows int) {
	s := &j.s
	ld, by := attentionLd(s.D), s.scale()
	owner, scratch := borrow(2*attentionKeys*ld + attentionKeys*attentionRows + 3*attentionRows*ld + 3*attentionRows)
	t := attentionTile{ld: ld, D: s.D, q: takeQueries(&scratch, ld), k: take(&scratch, attentionKeys*ld), v: take(&scratch, attentionKeys*ld),
		p: take(&scratch, attentionKeys*attentionRows), y: take(&scratch, attentionRows*ld),
		top: take(&scratch, attentionRows), sum: take(&scratch, attentionRows), keep: take(&scratch, attentionRows)}
	t.q.fill(j.q[s.query(b, t0, h):], s.QT, rows, s.D, ld, &by)
	for i := range t.top {
		t.top[i] = float32(math.Inf(-1))
	}
	clear(t.sum)
	clear(t.y)
	// Every query of the tile sees a key of the first block, which is twice as
	// long as a tile and begins with the first key that the first query sees.
	pos, key := s.S-s.T+t0, s.key(b, h)
	for k0 := s.first(t0); k0 < pos+rows; k0 += attentionKeys {
		at := key + k0*s.KS
		t.add(attentionBlock{rows, min(attentionKeys, pos+rows-k0), pos + 1 - s.W - k0, pos - k0}, j.k.from(at), j.v.from(at), s.KS)
	}
	for i := range rows {
		if j.lse != nil {
			j.lse[(b*s.H+h)*s.T+t0+i] = t.top[i] + float32(math.Log(float64(t.sum[i])))
		}
		t.sum[i] = 1 / t.sum[i]
	}
	attentionCopyAVX2(&j.y[s.row(b, t0, h)], s.H*s.D, at(t.y), ld, rows, s.D, at(t.sum), 1)
	floatBuffers.Put(owner)
}

// attentionTile is the online softmax of a tile of queries over blocks of keys:
// for each query the largest score so far (top), Σ e^(score-top) and y = Σ
// e^(score-top)·v.
type attentionTile struct {
	ld, D          int
	q              packedQueries
	k, v           []float32 // keys [keys,ld]; values in panels [keys,16]
	p              []float32 // scores [keys,queries]
	y              []float32 // [queries,ld]
	top, sum, keep []float32
}

// copyTo writes n rows of D floats to dst, ld floats apart.
func (r keyRows) copyTo(dst []float32, ld, stride, n, D int) {
	switch {
	case !r.isHalf():
		attentionCopyAVX2(at(dst), ld, at(r.f), stride, n, D, &unit, 0)
	case D%8 != 0:
		for i := range n {
			unpackHalf(r.half.Type, dst[i*ld:i*ld+D], r.half.Bits[i*stride:i*stride+D])
		}
	case r.half.Type == BF16:
		attentionCopyBF16AVX2(at(dst), ld, at(r.half.Bits), stride, n, D)
	default:
		attentionCopyF16AVX2(at(dst), ld, at(r.half.Bits), stride, n, D)
	}
}

// add processes one block of keys; rows of k and v lie stride elements apart.
func (t *attentionTile) add(b attentionBlock, k, v keyRows, stride int) {
	k.copyTo(t.k, t.ld, stride, b.keys, t.D)
	for i := 0; i < b.queries; i += 16 {
		all, one, scored := b.panel(i)
		if one > 0 {
			scores(t.p, t.k, t.q.panels, i, one, t.ld, t.D)
		}
		b.hide(t.p, i, scored)
		attentionSoftmaxAVX2(&t.p[i], attentionRows, all, scored, b.edge+i, &t.top[i], &t.sum[i], &t.keep[i])
	}
	first, whole, end := b.strips()
	for c := 0; c < t.D; c += 16 {
		panel := t.v[c*attentionKeys:]
		v.from(c).copyTo(panel, 16, stride, b.keys, min(16, t.D-c))
		if whole > first {
			t.blend(first, whole-first, c, b.edge+6*first+6, 6, panel)
		}
		if end > whole {
			t.blend(whole, end-whole, c, b.keys, 0, panel)
		}
	}
}

// blend adds the weighted values to n strips of six queries: strip i sees that
// many keys, each strip after it step keys more.
func (t *attentionTile) blend(i, n, c, keys, step int, panel []float32) {
	attentionBlendAVX2(&t.y[6*i*t.ld+c], t.ld, &t.p[6*i], 1, attentionRows, at(panel), 16, keys, 6*t.ld, 6, 0, step, n, &t.keep[6*i])
}

// farSlots returns the layout of a head's scores in headDots: those of four
// streams of n/4 rows, interleaved, then those of the remaining rows, each with
// three unused slots. ld is the distance between heads, a cache line more than
// they need so that they do not share cache sets.
func farSlots(n int) (slots, ld int) {
	slots = n&^3 + 4*(n&3)
	return slots, slots + 16
}

// farDots computes scores of rows far elements apart, see attentionDotsAVX2.
func (r keyRows) farDots(scores, q *float32, ld, rows, stride, far, H, G, D int) {
	switch r.half.Type {
	case BF16:
		attentionDotsBF16AVX2(scores, q, at(r.half.Bits), ld, rows, stride, far, H, G, D)
	case F16:
		attentionDotsF16AVX2(scores, q, at(r.half.Bits), ld, rows, stride, far, H, G, D)
	default:
		attentionDotsAVX2(scores, q, at(r.f), ld, rows, stride, far, H, G, D)
	}
}

// farSums adds up weighted rows, see attentionSumsAVX2.
func (r keyRows) farSums(p, y *float32, ld, rows, stride, far, H, G, D int) {
	switch r.half.Type {
	case BF16:
		attentionSumsBF16AVX2(p, y, at(r.half.Bits), ld, rows, stride, far, H, G, D)
	case F16:
		attentionSumsF16AVX2(p, y, at(r.half.Bits), ld, rows, stride, far, H, G, D)
	default:
		attentionSumsAVX2(p, y, at(r.f), ld, rows, stride, far, H, G, D)
	}
}

func headDotsAVX2(scores, q []float32, k keyRows, n, stride, H, G, D int) (slots, ld int) {
	slots, ld = farSlots(n)
	rows := n / 4
	if rows > 0 {
		k.farDots(at(scores), at(q), ld, rows, stride, rows*stride, H, G, D)
	}
	for i := 4 * rows; i < n; i++ {
		first := 4 * (i - 3*rows)
		k.from(i*stride).farDots(&scores[first], at(q), ld, 1, stride, 0, H, G, D)
		for h := range H * G {
			for s := range 3 {
				scores[h*ld+first+1+s] = float32(math.Inf(-1))
			}
		}
	}
	return slots, ld
}

func headSumsAVX2(y, p []float32, v keyRows, n, stride, H, G, D int) {
	clear(y[:H*G*D])
	_, ld := farSlots(n)
	rows := n / 4
	if rows > 0 {
		v.farSums(at(p), at(y), ld, rows, stride, rows*stride, H, G, D)
	}
	for i := 4 * rows; i < n; i++ {
		v.from(i*stride).farSums(&p[4*(i-3*rows)], at(y), ld, 1, stride, 0, H, G, D)
	}
}

// take cuts n floats off the front of scratch.
func take(scratch *[]float32, n int) []float32 {
	x := (*scratch)[:n:n]
	*scratch = (*scratch)[n:]
	return x
}
