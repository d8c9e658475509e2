package kernels

import (
	"math"
	"sync"
)

// AttentionShape lays out T queries at positions S-T … S-1 and S keys, in B
// sequences of H heads of D channels. A row is H·D floats, head after head, of
// keys and values HKV·D: query head h reads head h/(H/HKV) of those.
type AttentionShape struct {
	B, T, S, H, D int
	QB, QT        int // the query of (b,t) starts at b·QB + t·QT
	KB, KS        int // the key and the value of (b,s) start at b·KB + s·KS
	HKV           int // a divisor of H; 0 means H
	W             int // a query sees its own key and the W-1 before; 0: all before
}

// QKV are the queries, keys and values of attention, or the gradients of them,
// laid out as an AttentionShape says.
type QKV struct{ Q, K, V []float32 }

// Attention is causal softmax attention, for every sequence and head, over the
// keys s with S-T+t-W < s ≤ S-T+t:
//
//	p[t,s] = e^(q[t]·k[s]/√D - lse[t]);  y[t] = Σ_s p[t,s]·v[s]
//
// lse[t] being the logarithm of the sum that normalises p. y is [B,T,H·D]
// without gaps; lse is [B,H,T] and may be nil. With T = S and no window it takes
// 2·T²·D operations a head, counting only what is seen; scores are held a tile
// at a time, never as [T,S]. With T = 1 all query heads of a group read a key
// and a value while it is in the cache.
// Source: Attention Is All You Need (1706.03762), tiles and running sums:
// FlashAttention (2205.14135); groups: GQA (2305.13245); window: Longformer
// (2004.05150), as in Mistral (2310.06825).
func Attention(y, lse []float32, in QKV, s AttentionShape) {
	s = s.check("Attention", in)
	need("Attention", "y", y, s.B*s.T*s.H*s.D)
	needOrNil("Attention", "lse", lse, s.B*s.H*s.T)
	if len(y) == 0 {
		return
	}
	if s.T == 1 {
		attendOne(y, lse, in.Q, in.K, in.V, s)
		return
	}
	tile := s.tile()
	tiles := (s.T + tile - 1) / tile
	attentionJobs.run(s.B*s.H*tiles, 1, attentionJob{y, lse, in.Q, in.K, in.V, s, tile, tiles})
}

// AttentionGrad adds the gradients of Attention to those of d, given that of y
// and what Attention left. With p as above, dp = dy·vᵀ and δ = dy·y,
//
//	ds = p·(dp-δ)/√D;  dq += ds·k;  dk += dsᵀ·q;  dv += pᵀ·dy
//
// p is computed again from lse, a tile at a time: with T = S, 5·T²·D
// operations a head.
func AttentionGrad(d QKV, dy, y, lse []float32, in QKV, s AttentionShape) {
	s.check("AttentionGrad: gradient", d)
	s = s.check("AttentionGrad", in)
	need("AttentionGrad", "dy", dy, s.B*s.T*s.H*s.D)
	need("AttentionGrad", "y", y, s.B*s.T*s.H*s.D)
	need("AttentionGrad", "lse", lse, s.B*s.H*s.T)
	if len(y) == 0 {
		return
	}
	block := s.block()
	groups := min((s.S+block-1)/block, (attentionUnits+s.B*s.HKV-1)/(s.B*s.HKV))
	owner, parts := borrow((groups - 1) * s.B * s.H * s.T * s.D)
	attentionGradJobs.run(s.B*s.HKV*groups, 1, attentionGradJob{d.Q, d.K, d.V, dy, y, lse, in.Q, in.K, in.V, parts, s, block, groups})
	if groups > 1 {
		attentionJoinJobs.run(s.B*s.H*s.T, rowGrain(groups*s.D), attentionJoinJob{d.Q, parts, s})
	}
	floatBuffers.Put(owner)
}

// check returns the shape with 0 of HKV and W replaced by what it means.
func (s AttentionShape) check(op string, x QKV) AttentionShape {
	needDims(op, s.B, s.T, s.S, s.H, s.D, s.QB, s.QT, s.KB, s.KS, s.HKV, s.W)
	if s.T > s.S {
		panic("kernels: " + op + ": more queries than keys")
	}
	if s.HKV == 0 {
		s.HKV = s.H
	}
	if s.W == 0 || s.W > s.S {
		s.W = s.S
	}
	if s.B*s.T*s.H*s.D == 0 {
		return s
	}
	if s.H%s.HKV != 0 {
		panic("kernels: " + op + ": the query heads do not split into groups")
	}
	needReach(op, "q", x.Q, (s.B-1)*s.QB+(s.T-1)*s.QT, s.H*s.D)
	needReach(op, "k", x.K, (s.B-1)*s.KB+(s.S-1)*s.KS, s.HKV*s.D)
	needReach(op, "v", x.V, (s.B-1)*s.KB+(s.S-1)*s.KS, s.HKV*s.D)
	return s
}

const (
	attentionRows = 96 // the most queries of a tile: whole strips of 6, whole panels of 16
	fewQueries    = 64 // the queries of a tile where there are few tiles
	// attentionKeys is the most keys of a block: with their values, their
	// gradients and the scores of a tile they stay in the second-level cache.
	attentionKeys = 192
	// attentionUnits is how many pieces of work let threads finish together:
	// a late tile or an early block of keys costs more than others.
	attentionUnits = 12
)

// tile returns how many queries go together.
func (s AttentionShape) tile() int {
	if s.B*s.H*((s.T+attentionRows-1)/attentionRows) < attentionUnits {
		return fewQueries
	}
	return attentionRows
}

// block returns how many keys the gradient takes together.
func (s AttentionShape) block() int {
	block := attentionKeys
	for block > attentionKeys/4 && s.B*s.HKV*((s.S+block-1)/block) < attentionUnits {
		block /= 2
	}
	return block
}

// group is how many query heads share a head of keys and values.
func (s AttentionShape) group() int { return s.H / s.HKV }

// query, key and row return where query head h of a row starts in q, in k and
// v, and in y.
func (s AttentionShape) query(b, t, h int) int { return b*s.QB + t*s.QT + h*s.D }
func (s AttentionShape) key(b, h int) int      { return b*s.KB + h/s.group()*s.D }
func (s AttentionShape) row(b, t, h int) int   { return ((b*s.T+t)*s.H + h) * s.D }

// first is the first key that query t sees.
func (s AttentionShape) first(t int) int { return max(0, s.S-s.T+t+1-s.W) }

// seenBy is the queries, from the first to before the last, that see any of n
// keys from k0 on.
func (s AttentionShape) seenBy(k0, n int) (from, to int) {
	past := s.S - s.T
	return max(0, k0-past), max(0, min(s.T, k0+n-1+s.W-past))
}

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

// span takes a head's last tile first: it sees the most keys.
func (j *attentionJob) span(lo, hi int) {
	for i := lo; i < hi; i++ {
		head, t0 := i/j.tiles, (j.tiles-1-i%j.tiles)*j.tile
		attendTile(j, head/j.s.H, head%j.s.H, t0, min(j.tile, j.s.T-t0))
	}
}

// attentionGradJob's item is a group of blocks of keys of one head of keys. The
// first group adds to dq itself, the others to parts [groups-1,B,H,T,D].
type attentionGradJob struct {
	dq, dk, dv, dy, y, lse, q, k, v, parts []float32
	s                                      AttentionShape
	block, groups                          int
}

var attentionGradJobs jobs[attentionGradJob, *attentionGradJob]

func (j *attentionGradJob) span(lo, hi int) {
	s := &j.s
	for i := lo; i < hi; i++ {
		head, group := i/j.groups, i%j.groups
		b, h := head/s.HKV, head%s.HKV*s.group()
		if group > 0 {
			n := s.T * s.D
			at := ((group-1)*s.B*s.H + b*s.H + h) * n
			clear(j.parts[at : at+s.group()*n])
		}
		for k0 := group * j.block; k0 < s.S; k0 += j.groups * j.block {
			attendBack(j, b, h, group, k0, min(j.block, s.S-k0))
		}
	}
}

// queryGrad is where a group of blocks leaves the gradient of the queries of
// head h, rows stride apart.
func (j *attentionGradJob) queryGrad(b, h, group int) (dq []float32, stride int) {
	s := &j.s
	if group == 0 {
		return j.dq[s.query(b, 0, h):], s.QT
	}
	return j.parts[((group-1)*s.B*s.H+b*s.H+h)*s.T*s.D:], s.D
}

// attentionJoinJob adds the parts to dq, groups in order.
type attentionJoinJob struct {
	dq, parts []float32
	s         AttentionShape
}

var attentionJoinJobs jobs[attentionJoinJob, *attentionJoinJob]

func (j *attentionJoinJob) span(lo, hi int) {
	s := &j.s
	for i := lo; i < hi; i++ {
		head, t := i/s.T, i%s.T
		at := s.query(head/s.H, t, head%s.H)
		for part := i * s.D; part < len(j.parts); part += s.B * s.H * s.T * s.D {
			accumulate(j.dq[at:at+s.D], j.parts[part:part+s.D])
		}
	}
}
