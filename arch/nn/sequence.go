package nn

import (
	"fmt"
	"slices"

	"workbench/kernels"
)

// MaxMixes is the most outputs of ShiftMix: RWKV-7's.
const MaxMixes = 6

// ShiftMix is RWKV's token shift: output i is mu[i]⊙x + (1-mu[i])⊙prev, where
// prev is the position before, x [B,T,C], mu[i] [C]. What came before the first
// position is last [B,C], which then holds the last position; a nil last is
// zeros and keeps nothing. Where mu[i] is nil there is no shift: output i is x.
func ShiftMix(g *Graph, x, last *Tensor, mu ...*Tensor) (out [MaxMixes]*Tensor) {
	B, T, C := x.Dim(0), x.Dim(1), x.Dim(2)
	var m, y [MaxMixes][]float32
	n := 0
	for i, w := range mu {
		if out[i] = x; w == nil {
			continue
		}
		out[i] = g.like(x)
		m[n], y[n] = w.Data, out[i].Data
		n++
	}
	if n == 0 {
		return out
	}
	var first []float32
	if last != nil {
		first = last.Data
	}
	kernels.ShiftMix(y[:n], x.Data, first, m[:n], B, T, C)
	if g.record {
		if last != nil {
			first = g.copyOf(first)
		}
		o := shiftMixOp{x: x, first: first, out: out}
		copy(o.mu[:], mu)
		record(g, nil, o)
	}
	if last != nil {
		for b := range B {
			copy(last.Data[b*C:(b+1)*C], x.Data[((b+1)*T-1)*C:])
		}
	}
	return out
}

type shiftMixOp struct {
	x       *Tensor
	first   []float32 // [B,C], before the first position
	mu, out [MaxMixes]*Tensor
}

func (o *shiftMixOp) back(g *Graph) {
	var m, dm, dy [MaxMixes][]float32
	n := 0
	for i, w := range o.mu {
		if w != nil {
			m[n], dm[n], dy[n] = w.Data, g.grad(w), g.grad(o.out[i])
			n++
		}
	}
	x := o.x
	kernels.ShiftMixGrad(g.grad(x), dm[:n], dy[:n], x.Data, o.first, m[:n], x.Dim(0), x.Dim(1), x.Dim(2))
}

// WKV4State is the memory of one RWKV-4 time mixing: the true state is
// (A·eᴾ, B·eᴾ), each [B,C].
type WKV4State struct {
	A *Tensor `s:"aa"`
	B *Tensor `s:"bb"`
	P *Tensor `s:"pp"`
}

// NewWKV4State returns the memory of B sequences that have seen nothing.
func NewWKV4State(B, C int) *WKV4State {
	return &WKV4State{A: New(B, C), B: New(B, C), P: New(B, C).Fill(kernels.WKV4Start)}
}

// WKV4 is the recurrence of RWKV-4 over k, v [B,T,C] with log-decay w [C] and
// bonus u [C], continuing from s and updating it; see kernels.WKV4.
func WKV4(g *Graph, w, u, k, v *Tensor, s *WKV4State) *Tensor {
	B, T, C := k.Dim(0), k.Dim(1), k.Dim(2)
	y := g.like(k)
	var a, b, p []float32
	if s != nil {
		a, b, p = s.A.Data, s.B.Data, s.P.Data
	} else {
		a, b, p = g.floats(B*C), g.floats(B*C), g.floats(B*C)
		clear(a)
		clear(b)
		for i := range p {
			p[i] = kernels.WKV4Start
		}
	}
	if !g.record {
		kernels.WKV4(y.Data, a, b, p, w.Data, u.Data, k.Data, v.Data, B, T, C)
		return y
	}
	var a0, b0, p0 []float32
	if s != nil {
		a0, b0, p0 = g.copyOf(a), g.copyOf(b), g.copyOf(p)
	}
	kernels.WKV4(y.Data, a, b, p, w.Data, u.Data, k.Data, v.Data, B, T, C)
	record(g, y, wkv4Op{w, u, k, v, y, a0, b0, p0})
	return y
}

type wkv4Op struct {
	w, u, k, v, y *Tensor
	a, b, p       []float32 // the state before, nil: nothing
}

func (o *wkv4Op) back(g *Graph) {
	kernels.WKV4Grad(g.grad(o.w), g.grad(o.u), g.grad(o.k), g.grad(o.v), o.y.Grad,
		o.a, o.b, o.p, o.w.Data, o.u.Data, o.k.Data, o.v.Data, o.k.Dim(0), o.k.Dim(1), o.k.Dim(2))
}

func (g *Graph) copyOf(x []float32) []float32 {
	c := g.floats(len(x))
	copy(c, x)
	return c
}

// KVCache is the memory of one attention: every key and value seen, [S,B,C],
// growing by a row a position.
type KVCache struct {
	K *Tensor `s:"k"`
	V *Tensor `s:"v"`
}

// NewKVCache returns an empty cache for B sequences of C channels.
func NewKVCache(B, C int) *KVCache { return &KVCache{K: New(0, B, C), V: New(0, B, C)} }

// Len is the number of positions the cache holds.
func (c *KVCache) Len() int { return c.K.Dim(0) }

// Reserve makes room for that many positions, so that growing to them moves
// nothing.
func (c *KVCache) Reserve(positions int) {
	for _, t := range []*Tensor{c.K, c.V} {
		if n := positions*t.Dim(1)*t.Dim(2) - t.Len(); n > 0 {
			t.Data = slices.Grow(t.Data, n)
		}
	}
}

// push appends the rows of x [B,T,...] that start at column off, C wide.
func push(t *Tensor, x *Tensor, off int) {
	B, T, row, C := x.Dim(0), x.Dim(1), x.Dim(2), t.Dim(2)
	for i := range T {
		for b := range B {
			at := (b*T+i)*row + off
			t.Data = append(t.Data, x.Data[at:at+C]...)
		}
	}
	t.Shape[0] += T
}

// Attention is causal multi-head attention over packed qkv [B,T,3C], heads of
// C/heads channels, continuing from cache and growing it; see
// kernels.Attention. A nil cache starts from nothing and keeps nothing.
func Attention(g *Graph, qkv *Tensor, heads int, cache *KVCache) *Tensor {
	B, T, C := qkv.Dim(0), qkv.Dim(1), qkv.Dim(2)/3
	if C%heads != 0 {
		panic(fmt.Sprintf("nn: Attention: %d channels do not split into %d heads", C, heads))
	}
	y := g.Tensor(B, T, C)
	s := kernels.AttentionShape{B: B, T: T, S: T, H: heads, D: C / heads,
		QB: T * 3 * C, QT: 3 * C, KB: T * 3 * C, KS: 3 * C}
	k, v := qkv.Data[C:], qkv.Data[2*C:]
	past := 0
	if cache != nil {
		past = cache.Len()
		push(cache.K, qkv, C)
		push(cache.V, qkv, 2*C)
		k, v = cache.K.Data, cache.V.Data
		s.S, s.KB, s.KS = past+T, C, B*C
	}
	pairs := int64(B*T) * int64(past+past+T+1) / 2 // of a query and a key it sees
	g.Work.Operations += 4 * pairs * int64(C)
	if !g.record {
		kernels.Attention(y.Data, nil, qkv.Data, k, v, s)
		return y
	}
	if cache != nil {
		k, v = g.copyOf(k), g.copyOf(v)
	}
	lse := g.floats(B * heads * T)
	kernels.Attention(y.Data, lse, qkv.Data, k, v, s)
	record(g, y, attentionOp{qkv, y, k, v, lse, s, past, cache != nil, 10 * pairs * int64(C)})
	return y
}

type attentionOp struct {
	qkv, y     *Tensor
	k, v, lse  []float32
	shape      kernels.AttentionShape
	past       int
	cached     bool
	operations int64
}

// back adds to the gradient of qkv. Keys and values that came from a cache get
// theirs in scratch, of which only this call's positions count.
func (o *attentionOp) back(g *Graph) {
	s, k, v := o.shape, o.k, o.v
	g.Work.Operations += o.operations
	d := g.grad(o.qkv)
	if d == nil {
		return
	}
	C := s.H * s.D
	dk, dv := d[C:], d[2*C:]
	if o.cached {
		dk, dv = g.floats(len(k)), g.floats(len(v))
		clear(dk)
		clear(dv)
	}
	kernels.AttentionGrad(d, dk, dv, o.y.Grad, o.y.Data, o.lse, o.qkv.Data, k, v, s)
	if !o.cached {
		return
	}
	for t := range s.T {
		for b := range s.B {
			from, to := (o.past+t)*s.KS+b*s.KB, b*s.QB+t*s.QT
			kernels.Accumulate(d[to+C:to+2*C], dk[from:from+C])
			kernels.Accumulate(d[to+2*C:to+3*C], dv[from:from+C])
		}
	}
}

// theta is the base of rotary angles.
const theta = 10000

// RoPE rotates the queries and keys of packed qkv [B,T,3C] by their positions,
// the first of which is pos (rotate-half, base 10000).
// Source: Su et al., arXiv 2104.09864.
func RoPE(g *Graph, qkv *Tensor, heads, pos int) *Tensor {
	B, T, C := qkv.Dim(0), qkv.Dim(1), qkv.Dim(2)/3
	D := C / heads
	y := g.like(qkv)
	copy(y.Data, qkv.Data)
	kernels.RoPE(y.Data, qkv.Data, B, T, heads, D, 3*C, pos, theta)
	kernels.RoPE(y.Data[C:], qkv.Data[C:], B, T, heads, D, 3*C, pos, theta)
	if g.record {
		record(g, y, ropeOp{qkv, y, heads, pos})
	}
	return y
}

type ropeOp struct {
	qkv, y     *Tensor
	heads, pos int
}

func (o *ropeOp) back(g *Graph) {
	B, T, C := o.qkv.Dim(0), o.qkv.Dim(1), o.qkv.Dim(2)/3
	d, dy, D := g.grad(o.qkv), o.y.Grad, C/o.heads
	kernels.RoPEGrad(d, dy, B, T, o.heads, D, 3*C, o.pos, theta)
	kernels.RoPEGrad(d[C:], dy[C:], B, T, o.heads, D, 3*C, o.pos, theta)
	for r := range B * T {
		at := r*3*C + 2*C
		kernels.Accumulate(d[at:at+C], dy[at:at+C])
	}
}
