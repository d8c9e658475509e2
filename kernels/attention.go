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
// without gaps; lse is [B,H,T] and may be nil. With T = S it takes 2·T²·D
// operations a head, counting only what is seen; scores are held a tile at a
// time, never as [T,S].
// Source: Attention Is All You Need (1706.03762), tiles and running sums:
// FlashAttention (2205.14135).
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
// p is computed again from lse, a tile at a time: with T = S, 5·T²·D
// operations a head.
func AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v []float32, s AttentionShape) {
	s.check("AttentionGrad", q, k, v)
	s.check("AttentionGrad", dq, dk, dv)
	need("AttentionGrad", "dy", dy, s.B*s.T*s.H*s.D)
	need("AttentionGrad", "y", y, s.B*s.T*s.H*s.D)
	need("AttentionGrad", "lse", lse, s.B*s.H*s.T)
	if len(y) == 0 {
		return
	}
	block := s.block()
	groups := min((s.S+block-1)/block, (attentionUnits+s.B*s.H-1)/(s.B*s.H))
	owner, parts := borrow((groups - 1) * s.B * s.H * s.T * s.D)
	attentionGradJobs.run(s.B*s.H*groups, 1, attentionGradJob{dq, dk, dv, dy, y, lse, q, k, v, parts, s, block, groups})
	if groups > 1 {
		attentionJoinJobs.run(s.B*s.H*s.T, rowGrain(groups*s.D), attentionJoinJob{dq, parts, s})
	}
	floatBuffers.Put(owner)
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
	for block > attentionKeys/4 && s.B*s.H*((s.S+block-1)/block) < attentionUnits {
		block /= 2
	}
	return block
}

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

// span takes a head's last tile first: it sees the most keys.
func (j *attentionJob) span(lo, hi int) {
	for i := lo; i < hi; i++ {
		head, t0 := i/j.tiles, (j.tiles-1-i%j.tiles)*j.tile
		attendTile(j, head/j.s.H, head%j.s.H, t0, min(j.tile, j.s.T-t0))
	}
}

// attentionGradJob's item is a group of blocks of keys of one head. The first
// group adds to dq itself, the others to parts [groups-1,B,H,T,D].
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
		dq, stride := j.dq[s.query(head/s.H, 0, head%s.H):], s.QT
		if group > 0 {
			n := s.T * s.D
			at := ((group-1)*s.B*s.H + head) * n
			dq, stride = j.parts[at:at+n], s.D
			clear(dq)
		}
		for k0 := group * j.block; k0 < s.S; k0 += j.groups * j.block {
			attendBack(j, dq, stride, head/s.H, head%s.H, k0, min(j.block, s.S-k0))
		}
	}
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
