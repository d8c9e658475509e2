package kernels

import (
	"math"
	"sync"
)

// AttentionShape is the layout of B sequences of T queries, at positions S-T …
// S-1, and S keys, in H heads of D channels. A row of queries holds H·D floats,
// head after head. A row of keys or values holds HKV·D; query head h reads its
// head h/(H/HKV).
type AttentionShape struct {
	B, T, S, H, D int
	QB, QT        int // the query of (b,t) starts at b·QB + t·QT
	KB, KS        int // the key and the value of (b,s) start at b·KB + s·KS
	HKV           int // a divisor of H; 0 means H
	W             int // window: a query sees its own key and the W-1 before; 0: all before
}

// QKV are the queries, keys and values of attention, or their gradients, in the
// layout of an AttentionShape.
type QKV struct {
	Q, K, V []float32
	// KHalf and VHalf are keys and values of one 16-bit type in place of K and V;
	// these have no gradient.
	KHalf, VHalf Half
}

func (x QKV) keys() keyRows   { return keyRows{x.K, x.KHalf} }
func (x QKV) values() keyRows { return keyRows{x.V, x.VHalf} }

// Attention is causal softmax attention, for every sequence and head, over the
// keys s with S-T+t-W < s ≤ S-T+t:
//
//	p[t,s] = e^(q[t]·k[s]/√D - lse[t]);  y[t] = Σ_s p[t,s]·v[s]
//
// where lse[t] = log Σ_s e^(q[t]·k[s]/√D). y is [B,T,H·D], contiguous; lse is
// [B,H,T] and may be nil. With T = S and no window this takes 2·T²·D operations
// a head, counting visible pairs alone. Scores are held a tile at a time, never
// as [T,S]. With T = 1 the query heads of a group share each read of a key and
// a value, and 16-bit keys and values are expanded in registers.
//
// Rounding keys and values to 16 bits changes y by at most
//
//	(e^(2δ)·(1+ε) - 1)·Σ_s p[t,s]·|v[s]|,  δ = ε·max_s Σ|q[t]|·|k[s]|/√D
//
// with ε = 2^-8 in bf16 and 2^-11 in f16, for keys and values in the range of
// the type's normal numbers (f16: 6.2e-5 … 65504): scores change by up to δ, a
// p by a factor of e^(-2δ) … e^(2δ).
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
		attendOne(y, lse, in.Q, in.keys(), in.values(), s)
		return
	}
	tile := s.tile()
	tiles := (s.T + tile - 1) / tile
	attentionJobs.run(s.B*s.H*tiles, 1, attentionJob{y, lse, in.Q, in.keys(), in.values(), s, tile, tiles})
}

// AttentionGrad adds the gradients of Attention to d, given dy, the gradient of
// y, and the y and lse that Attention returned. With p as above, dp = dy·vᵀ and
// δ = dy·y,
//
//	ds = p·(dp-δ)/√D;  dq += ds·k;  dk += dsᵀ·q;  dv += pᵀ·dy
//
// p is recomputed from lse, a tile at a time: with T = S, 5·T²·D operations a
// head.
func AttentionGrad(d QKV, dy, y, lse []float32, in QKV, s AttentionShape) {
	if in.keys().isHalf() || in.values().isHalf() || d.keys().isHalf() || d.values().isHalf() {
		panic("kernels: AttentionGrad: 16-bit keys and values have no gradient")
	}
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

// check panics where x does not fit the shape, and returns the shape with the
// defaults of HKV and W filled in.
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
	if x.KHalf.Type != x.VHalf.Type {
		panic("kernels: " + op + ": keys and values of two types")
	}
	if x.keys().isHalf() {
		x.KHalf.check(op)
	}
	needRows(op, "k", x.keys().len(), (s.B-1)*s.KB+(s.S-1)*s.KS, s.HKV*s.D)
	needRows(op, "v", x.values().len(), (s.B-1)*s.KB+(s.S-1)*s.KS, s.HKV*s.D)
	return s
}

const (
	attentionRows = 96 // most queries of a tile: a multiple of strips of 6 and of panels of 16
	fewQueries    = 64 // queries of a tile where larger tiles would be too few to share
	// attentionKeys is the most keys of a block: its keys, values, their
	// gradients and the scores of a tile fit into the L2 cache.
	attentionKeys = 192
	// attentionUnits is the least number of work items wanted for an even load:
	// late tiles and early blocks of keys cost more than others.
	attentionUnits = 12
)

// tile returns the number of queries of a tile.
func (s AttentionShape) tile() int {
	if s.B*s.H*((s.T+attentionRows-1)/attentionRows) < attentionUnits {
		return fewQueries
	}
	return attentionRows
}

// block returns the number of keys of a block in the gradient.
func (s AttentionShape) block() int {
	block := attentionKeys
	for block > attentionKeys/4 && s.B*s.HKV*((s.S+block-1)/block) < attentionUnits {
		block /= 2
	}
	return block
}

// group is the number of query heads that share a head of keys and values.
func (s AttentionShape) group() int { return s.H / s.HKV }

// query, key and row return the offset of query head h in q, in k and v, and in
// y.
func (s AttentionShape) query(b, t, h int) int { return b*s.QB + t*s.QT + h*s.D }
func (s AttentionShape) key(b, h int) int      { return b*s.KB + h/s.group()*s.D }
func (s AttentionShape) row(b, t, h int) int   { return ((b*s.T+t)*s.H + h) * s.D }

// first is the first key that query t sees.
func (s AttentionShape) first(t int) int { return max(0, s.S-s.T+t+1-s.W) }

// seenBy returns the range [from, to) of queries that see any of the n keys
// from k0 on.
func (s AttentionShape) seenBy(k0, n int) (from, to int) {
	past := s.S - s.T
	return max(0, k0-past), max(0, min(s.T, k0+n-1+s.W-past))
}

// scale is 1/√D.
func (s AttentionShape) scale() float32 { return float32(1 / math.Sqrt(float64(s.D))) }

// floatBuffers keeps scratch slices for reuse, so that warm calls allocate
// nothing.
var floatBuffers = sync.Pool{New: func() any { return new([]float32) }}

// borrow returns a scratch slice of n floats with undefined contents, and its
// owner for floatBuffers.Put.
func borrow(n int) (owner *[]float32, x []float32) {
	owner = floatBuffers.Get().(*[]float32)
	if cap(*owner) < n {
		*owner = make([]float32, n)
	}
	return owner, (*owner)[:n]
}

type attentionJob struct {
	y, lse, q   []float32
	k, v        keyRows
	s           AttentionShape
	tile, tiles int
}

var attentionJobs jobs[attentionJob, *attentionJob]

// span runs the last tile of a head first, as it sees the most keys.
func (j *attentionJob) span(lo, hi int) {
	for i := lo; i < hi; i++ {
		head, t0 := i/j.tiles, (j.tiles-1-i%j.tiles)*j.tile
		attendTile(j, head/j.s.H, head%j.s.H, t0, min(j.tile, j.s.T-t0))
	}
}

// An item of attentionGradJob is a group of blocks of keys of one key head. The
// first group adds to dq itself, the others to partial sums parts
// [groups-1,B,H,T,D].
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

// queryGrad returns where a group of blocks adds up the gradient of query head
// h, and the distance between its rows.
func (j *attentionGradJob) queryGrad(b, h, group int) (dq []float32, stride int) {
	s := &j.s
	if group == 0 {
		return j.dq[s.query(b, 0, h):], s.QT
	}
	return j.parts[((group-1)*s.B*s.H+b*s.H+h)*s.T*s.D:], s.D
}

// attentionJoinJob adds the partial sums to dq in the order of the groups.
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
