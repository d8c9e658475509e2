package nn

import "workbench/kernels"

// Keys7 makes of the key k and the in-context rate a, both [B,T,C], what
// RWKV-7's memory removes, what it puts there and its key; see kernels.Keys7.
// A nil a is 1, key is then k; where kk is nil, nothing is removed, and remove
// and replace are nil.
func Keys7(g *Graph, k, a, kk, ka *Tensor, heads int) (remove, replace, key *Tensor) {
	R, C := rows(k), k.Dim(-1)
	key = k
	if a != nil {
		key = g.like(k)
	} else if kk == nil {
		return nil, nil, key
	}
	var scale []float32
	if kk != nil {
		remove, replace = g.like(k), g.like(k)
		if g.record {
			scale = g.floats(R * heads)
		}
	}
	made := key.Data
	if a == nil {
		made = nil
	}
	kernels.Keys7(data(remove), data(replace), made, scale, k.Data, data(a), data(kk), data(ka), R, heads, C/heads)
	if g.record {
		record(g, nil, keys7Op{k, a, kk, ka, remove, replace, key, scale, heads})
	}
	return remove, replace, key
}

type keys7Op struct {
	k, a, kk, ka, remove, replace, key *Tensor
	scale                              []float32
	heads                              int
}

func (o *keys7Op) back(g *Graph) {
	var da, dkk, dka, dremove, dreplace, dkey []float32
	if o.a != nil {
		da, dka, dkey = g.gradOrScratch(o.a), g.grad(o.ka), g.grad(o.key)
	}
	if o.kk != nil {
		dkk, dremove, dreplace = g.grad(o.kk), g.grad(o.remove), g.grad(o.replace)
	}
	C := o.k.Dim(-1)
	kernels.Keys7Grad(g.grad(o.k), da, dkk, dka, dremove, dreplace, dkey, data(o.remove), o.scale,
		o.k.Data, data(o.a), data(o.kk), data(o.ka), rows(o.k), o.heads, C/o.heads)
}

// gradOrScratch is the gradient to add into, scratch where t wants none.
func (g *Graph) gradOrScratch(t *Tensor) []float32 {
	if d := g.grad(t); d != nil {
		return d
	}
	d := g.floats(t.Len())
	clear(d)
	return d
}

// Gate7 is what follows RWKV-7's memory x [B,T,C]: the bonus of the present
// token (rk [C], nil: none) and the output gate (gate, nil: none); see
// kernels.Gate7.
func Gate7(g *Graph, x, r, key, rk, v, gate *Tensor, heads int) *Tensor {
	if rk == nil && gate == nil {
		return x
	}
	R, C := rows(x), x.Dim(-1)
	y := g.like(x)
	var bonus []float32
	if g.record && rk != nil {
		bonus = g.floats(R * heads)
	}
	kernels.Gate7(y.Data, bonus, x.Data, r.Data, key.Data, data(rk), v.Data, data(gate), R, heads, C/heads)
	if g.record {
		record(g, y, gate7Op{x, r, key, rk, v, gate, y, bonus, heads})
	}
	return y
}

type gate7Op struct {
	x, r, key, rk, v, gate, y *Tensor
	bonus                     []float32
	heads                     int
}

func (o *gate7Op) back(g *Graph) {
	var dr, dkey, drk, dv, dgate []float32
	if o.rk != nil {
		dr, dkey, drk, dv = g.grad(o.r), g.grad(o.key), g.grad(o.rk), g.grad(o.v)
	}
	if o.gate != nil {
		dgate = g.grad(o.gate)
	}
	C := o.x.Dim(-1)
	kernels.Gate7Grad(g.grad(o.x), dr, dkey, drk, dv, dgate, o.y.Grad, o.bonus,
		o.x.Data, o.r.Data, o.key.Data, data(o.rk), o.v.Data, data(o.gate), rows(o.x), o.heads, C/o.heads)
}

// WKV7Keep is WKV7 that removes nothing: y = r·S with S ← diag(e^w)·S + kᵀv
// done first. That is RWKV-6's memory, which reads before it writes, with
// r⊙e^w for r, and the present token besides.
func WKV7Keep(g *Graph, w, r, k, v *Tensor, heads int, s *Tensor) *Tensor {
	one, zero := g.constant(k.Dim(-1), 1), g.constant(k.Dim(-1), 0)
	past := WKV6(g, w, zero, expMul(g, w, r), k, v, heads, s)
	return Gate7(g, past, r, k, one, v, nil, heads)
}

// constant is a vector [n] of x.
func (g *Graph) constant(n int, x float32) *Tensor {
	t := g.Tensor(n).Fill(x)
	t.Const = true
	return t
}

// expMul is e^w⊙x.
func expMul(g *Graph, w, x *Tensor) *Tensor {
	y := g.like(x)
	kernels.ExpMul(y.Data, w.Data, x.Data)
	if g.record {
		record(g, y, expMulOp{w, x, y})
	}
	return y
}

type expMulOp struct{ w, x, y *Tensor }

func (o *expMulOp) back(g *Graph) {
	kernels.ExpMulGrad(g.gradOrScratch(o.w), g.grad(o.x), o.y.Grad, o.y.Data, o.w.Data)
}
