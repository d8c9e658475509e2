package nn

import (
	"fmt"

	"workbench/kernels"
)

// columns are the channels of a tensor [B,T,…] from channel from on: queries,
// keys or values that lie side by side in one tensor.
type columns struct {
	t    *Tensor
	from int
}

func (c columns) data() []float32 { return c.t.Data[c.from:] }

// grad is the gradient of the columns, or scratch where the tensor gets none.
func (c columns) grad(g *Graph) []float32 {
	d := g.grad(c.t)
	if d == nil {
		d = g.floats(c.t.Len())
		clear(d)
	}
	return d[c.from:]
}

// Heads is the number H of query heads, the number KV of key and value heads
// that they share, and the number Window of last positions that a query sees
// (0: all).
type Heads struct{ H, KV, Window int }

// in returns the channels D of a head in a row of queries, keys and values, side
// by side.
func (h Heads) in(op string, row int) (D int) {
	if all := h.H + 2*h.KV; row%all != 0 {
		panic(fmt.Sprintf("nn: %s: %d channels are not %d heads of queries and twice %d", op, row, h.H, h.KV))
	}
	return row / (h.H + 2*h.KV)
}

// Attention is causal multi-head attention over packed qkv [B,T,(H+2·KV)·D],
// continuing from cache and growing it; see kernels.Attention. A nil cache
// starts from no positions and stores none.
func Attention(g *Graph, qkv *Tensor, h Heads, cache *KVCache) *Tensor {
	D := h.in("Attention", qkv.Dim(2))
	return attend(g, columns{qkv, 0}, columns{qkv, h.H * D}, columns{qkv, (h.H + h.KV) * D}, h.H*D, h, cache)
}

// GroupedAttention is Attention over q [B,T,H·D], k and v [B,T,KV·D].
func GroupedAttention(g *Graph, q, k, v *Tensor, h Heads, cache *KVCache) *Tensor {
	if k.Dim(2)*h.H != q.Dim(2)*h.KV || v.Dim(2) != k.Dim(2) {
		panic(fmt.Sprintf("nn: GroupedAttention: %v, %v and %v are not %d and %d heads", q.Shape, k.Shape, v.Shape, h.H, h.KV))
	}
	return attend(g, columns{q, 0}, columns{k, 0}, columns{v, 0}, q.Dim(2), h, cache)
}

func attend(g *Graph, q, k, v columns, C int, h Heads, cache *KVCache) *Tensor {
	B, T := q.t.Dim(0), q.t.Dim(1)
	if C%h.H != 0 {
		panic(fmt.Sprintf("nn: Attention: %d channels do not split into %d heads", C, h.H))
	}
	y := g.Tensor(B, T, C)
	row, keyRow := q.t.Dim(2), k.t.Dim(2)
	s := kernels.AttentionShape{B: B, T: T, S: T, H: h.H, D: C / h.H, HKV: h.KV, W: h.Window,
		QB: T * row, QT: row, KB: T * keyRow, KS: keyRow}
	in, inCache := kernels.QKV{K: k.data(), V: v.data()}, false
	if cache != nil {
		in, s.S, inCache = cache.add(g, k, v)
		s.KB, s.KS = h.KV*s.D, B*h.KV*s.D
	}
	in.Q = q.data()
	pairs := int64(B) * pairsSeen(s)
	g.Work.Operations += 4 * pairs * int64(C)
	if !g.record {
		kernels.Attention(y.Data, nil, in, s)
		return y
	}
	if inCache {
		in.K, in.V = g.floatsOf(in.K, in.KHalf), g.floatsOf(in.V, in.VHalf)
		in.KHalf, in.VHalf = kernels.Half{}, kernels.Half{}
	}
	lse := g.floats(B * h.H * T)
	kernels.Attention(y.Data, lse, in, s)
	record(g, y, attentionOp{q, k, v, y, in, lse, s, cache != nil, 10 * pairs * int64(C)})
	return y
}

// floatsOf is a copy of x, or of h where that is not none, expanded.
func (g *Graph) floatsOf(x []float32, h kernels.Half) []float32 {
	if h.Type == kernels.F32 {
		return g.copyOf(x)
	}
	y := g.floats(len(h.Bits))
	h.Expand(y)
	return y
}

// pairsSeen counts the visible pairs of a query and a key in one sequence.
func pairsSeen(s kernels.AttentionShape) int64 {
	T, past := int64(s.T), int64(s.S-s.T)
	n := T*past + T*(T+1)/2
	if hidden := int64(s.S - s.W); s.W > 0 && hidden > 0 { // keys hidden from the last query; one less for each query before
		n -= hidden * (hidden + 1) / 2
		if before := hidden - T; before > 0 {
			n += before * (before + 1) / 2
		}
	}
	return n
}

type attentionOp struct {
	q, k, v    columns
	y          *Tensor
	in         kernels.QKV
	lse        []float32
	shape      kernels.AttentionShape
	cached     bool
	operations int64
}

// back adds to the gradients of q, k and v. Keys and values from a cache get
// theirs in scratch, of which only the positions of this call are used.
func (o *attentionOp) back(g *Graph) {
	s := o.shape
	g.Work.Operations += o.operations
	d := kernels.QKV{Q: o.q.grad(g), K: o.k.grad(g), V: o.v.grad(g)}
	if !o.cached {
		kernels.AttentionGrad(d, o.y.Grad, o.y.Data, o.lse, o.in, s)
		return
	}
	all := kernels.QKV{Q: d.Q, K: g.floats(len(o.in.K)), V: g.floats(len(o.in.V))}
	clear(all.K)
	clear(all.V)
	kernels.AttentionGrad(all, o.y.Grad, o.y.Data, o.lse, o.in, s)
	row, C := o.k.t.Dim(2), s.HKV*s.D
	for t := range s.T {
		for b := range s.B {
			from, to := (s.S-s.T+t)*s.KS+b*s.KB, (b*s.T+t)*row
			kernels.Accumulate(d.K[to:to+C], all.K[from:from+C])
			kernels.Accumulate(d.V[to:to+C], all.V[from:from+C])
		}
	}
}

// theta is the base of RoPE's angles.
const theta = 10000

// RoPE rotates the queries and keys of packed qkv [B,T,(H+2·KV)·D] by their
// positions, which start at pos (rotate-half, base 10000).
// Source: Su et al., arXiv 2104.09864.
func RoPE(g *Graph, qkv *Tensor, h Heads, pos int) *Tensor {
	row := qkv.Dim(2)
	s := kernels.RoPEShape{B: qkv.Dim(0), T: qkv.Dim(1), H: h.H + h.KV, D: h.in("RoPE", row), Stride: row, Pos: pos, Theta: theta}
	y := g.like(qkv)
	copy(y.Data, qkv.Data)
	kernels.RoPE(y.Data, qkv.Data, s)
	if g.record {
		record(g, y, ropeOp{qkv, y, s})
	}
	return y
}

type ropeOp struct {
	qkv, y *Tensor
	shape  kernels.RoPEShape
}

func (o *ropeOp) back(g *Graph) {
	d, dy, row := g.grad(o.qkv), o.y.Grad, o.qkv.Dim(2)
	kernels.RoPEGrad(d, dy, o.shape)
	for at := o.shape.H * o.shape.D; at < len(d); at += row { // values are not rotated
		n := row - o.shape.H*o.shape.D
		kernels.Accumulate(d[at:at+n], dy[at:at+n])
	}
}

// Rotation is a convention of rotary embeddings: pairs of channels are
// neighbours, or i and i+D/2.
type Rotation struct {
	Theta float64
	Pairs bool
}

// Rotate rotates the heads of x [B,T,H·D] by their positions, which start at
// pos, in place: no other operation may read x, and the operation that made x
// must not need it for its gradient. See kernels.RoPE and RoPEPairs.
func Rotate(g *Graph, x *Tensor, heads, pos int, r Rotation) *Tensor {
	rotate := kernels.RoPE
	if r.Pairs {
		rotate = kernels.RoPEPairs
	}
	C := x.Dim(2)
	s := kernels.RoPEShape{B: x.Dim(0), T: x.Dim(1), H: heads, D: C / heads, Stride: C, Pos: pos, Theta: r.Theta}
	rotate(x.Data, x.Data, s)
	if g.record {
		record(g, x, rotateOp{x, s, r.Pairs})
	}
	return x
}

type rotateOp struct {
	x     *Tensor
	shape kernels.RoPEShape
	pairs bool
}

// back rotates the gradient backwards, in place too.
func (o *rotateOp) back(g *Graph) {
	rotate := kernels.RoPEGrad
	if o.pairs {
		rotate = kernels.RoPEPairsGrad
	}
	mark := g.Mark()
	d := o.x.Grad
	dy := g.copyOf(d)
	clear(d)
	rotate(d, dy, o.shape)
	g.arena.rewind(mark)
}
