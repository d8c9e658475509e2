package kernels

import (
	"math"
	"sync"
)

// AttentionShape lays out T queries at positions S-T … S-1 and S keys, in B
// sequences of H heads of D channels. A row is H·D floats, head after head.
type AttentionShape struct {
	B, T, S, H, D int
	QB, QT        int // the query of (b,t) starts at b·QB + t·QT
	KB, KS        int // the key and the value of (b,s) start at b·KB + s·KS
}

// Attention is causal softmax attention, for every sequence and head:
//
//	p[t,s] = e^(q[t]·k[s]/√D - lse[t]) for s ≤ S-T+t;  y[t] = Σ_s p[t,s]·v[s]
//
// lse[t] being the logarithm of the sum that normalises p. y is [B,T,H·D]
// without gaps; lse is [B,H,T] and may be nil.
// Source: Attention Is All You Need (1706.03762).
func Attention(y, lse, q, k, v []float32, s AttentionShape) {
	s.check("Attention", q, k, v)
	need("Attention", "y", y, s.B*s.T*s.H*s.D)
	needOrNil("Attention", "lse", lse, s.B*s.H*s.T)
	if len(y) == 0 {
		return
	}
	if s.T == 1 {
		attendOne(y, lse, q, k, v, s)
		return
	}
	tile := s.tile()
	tiles := (s.T + tile - 1) / tile
	attentionJobs.run(s.B*s.H*tiles, 1, attentionJob{y, lse, q, k, v, s, tile, tiles})
}

// AttentionGrad adds the gradients of Attention to dq (laid out as q) and dk,
// dv (as k, v), given that of y. With p as above, dp = dy·vᵀ and d = dy·y,
//
//	ds = p·(dp-d)/√D;  dq += ds·k;  dk += dsᵀ·q;  dv += pᵀ·dy
//
// p is computed again from lse, a tile of queries at a time.
func AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v []float32, s AttentionShape) {
	s.check("AttentionGrad", q, k, v)
	s.check("AttentionGrad", dq, dk, dv)
	need("AttentionGrad", "dy", dy, s.B*s.T*s.H*s.D)
	need("AttentionGrad", "y", y, s.B*s.T*s.H*s.D)
	need("AttentionGrad", "lse", lse, s.B*s.H*s.T)
	if len(y) > 0 {
		attentionGradJobs.run(s.B*s.H, 1, attentionGradJob{dq, dk, dv, dy, y, lse, q, k, v, s})
	}
}

func (s AttentionShape) check(op string, q, k, v []float32) {
	needDims(op, s.B, s.T, s.S, s.H, s.D, s.QB, s.QT, s.KB, s.KS)
	if s.T > s.S {
		panic("kernels: " + op + ": more queries than keys")
	}
	if s.B*s.T*s.H*s.D == 0 {
		return
	}
	needReach(op, "q", q, (s.B-1)*s.QB+(s.T-1)*s.QT, s.H*s.D)
	needReach(op, "k", k, (s.B-1)*s.KB+(s.S-1)*s.KS, s.H*s.D)
	needReach(op, "v", v, (s.B-1)*s.KB+(s.S-1)*s.KS, s.H*s.D)
}

// tile returns how many queries go through one product: 64 while their scores
// stay within 256 KiB of cache, fewer for long contexts.
func (s AttentionShape) tile() int { return min(64, max(8, 1<<16/s.S)) }

// query, key and row return where head h of a row starts in q, in k and v, and in y.
func (s AttentionShape) query(b, t, h int) int { return b*s.QB + t*s.QT + h*s.D }
func (s AttentionShape) key(b, h int) int      { return b*s.KB + h*s.D }
func (s AttentionShape) row(b, t, h int) int   { return ((b*s.T+t)*s.H + h) * s.D }

// scale is 1/√D.
func (s AttentionShape) scale() float32 { return float32(1 / math.Sqrt(float64(s.D))) }

// floatBuffers lends scratch slices, so that warm calls allocate nothing.
var floatBuffers = sync.Pool{New: func() any { return new([]float32) }}

// borrow returns a scratch slice of n floats, not cleared, and its owner for
// floatBuffers.Put.
func borrow(n int) (owner *[]float32, x []float32) {
	owner = floatBuffers.Get().(*[]float32)
	if cap(*owner) < n {
		*owner = make([]float32, n)
	}
	return owner, (*owner)[:n]
}

type attentionJob struct {
	y, lse, q, k, v []float32
	s               AttentionShape
	tile, tiles     int
}

var attentionJobs jobs[attentionJob, *attentionJob]

func (j *attentionJob) span(lo, hi int) {
	s, width := &j.s, j.s.H*j.s.D
	owner, scratch := borrow(j.tile * s.S)
	for i := lo; i < hi; i++ {
		b, h, t0 := i/j.tiles/s.H, i/j.tiles%s.H, i%j.tiles*j.tile
		rows := min(j.tile, s.T-t0)
		keys := s.S - s.T + t0 + rows
		p := scratch[:rows*keys]
		MatMulNTStrided(p, keys, j.q[s.query(b, t0, h):], s.QT, j.k[s.key(b, h):], s.KS, rows, keys, s.D, false)
		for r := range rows {
			row, seen := p[r*keys:(r+1)*keys], keys-rows+r+1
			sum := softmaxRow(row[:seen], row[:seen], s.scale())
			clear(row[seen:])
			if j.lse != nil {
				j.lse[(b*s.H+h)*s.T+t0+r] = sum
			}
		}
		MatMulNNStrided(j.y[s.row(b, t0, h):], width, p, keys, j.v[s.key(b, h):], s.KS, rows, s.D, keys, false)
	}
	floatBuffers.Put(owner)
}

type attentionGradJob struct {
	dq, dk, dv, dy, y, lse, q, k, v []float32
	s                               AttentionShape
}

var attentionGradJobs jobs[attentionGradJob, *attentionGradJob]

func (j *attentionGradJob) span(lo, hi int) {
	tile := j.s.tile()
	owner, scratch := borrow(2 * tile * j.s.S)
	for i := lo; i < hi; i++ {
		for t0 := 0; t0 < j.s.T; t0 += tile {
			j.block(scratch, i/j.s.H, i%j.s.H, t0, min(tile, j.s.T-t0))
		}
	}
	floatBuffers.Put(owner)
}

// block does the queries t0 … t0+rows-1 of one head.
func (j *attentionGradJob) block(scratch []float32, b, h, t0, rows int) {
	s, width := &j.s, j.s.H*j.s.D
	keys := s.S - s.T + t0 + rows
	p, ds := scratch[:rows*keys], scratch[rows*keys:2*rows*keys]
	query, key, out := s.query(b, t0, h), s.key(b, h), s.row(b, t0, h)
	MatMulNTStrided(p, keys, j.q[query:], s.QT, j.k[key:], s.KS, rows, keys, s.D, false)
	MatMulNTStrided(ds, keys, j.dy[out:], width, j.v[key:], s.KS, rows, keys, s.D, false)
	for r := range rows {
		seen, at := keys-rows+r+1, out+r*width
		pr, dr := p[r*keys:(r+1)*keys], ds[r*keys:(r+1)*keys]
		expShift(pr[:seen], pr[:seen], s.scale(), j.lse[(b*s.H+h)*s.T+t0+r])
		clear(pr[seen:])
		clear(dr[seen:])
		d := dot(j.dy[at:at+s.D], j.y[at:at+s.D])
		softmaxBack(dr[:seen], pr[:seen], d, s.scale())
	}
	MatMulTNStrided(j.dv[key:], s.KS, p, keys, j.dy[out:], width, keys, s.D, rows, true)
	MatMulNNStrided(j.dq[query:], s.QT, ds, keys, j.k[key:], s.KS, rows, s.D, keys, true)
	MatMulTNStrided(j.dk[key:], s.KS, ds, keys, j.q[query:], s.QT, keys, s.D, rows, true)
}
