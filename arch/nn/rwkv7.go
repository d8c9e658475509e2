package nn

import "workbench/kernels"

// Keys7 computes, from the key k and the in-context rate a, both [B,T,C], the
// removal key, the replacement key and the key of RWKV-7's memory; see
// kernels.Keys7. A nil a stands for 1, and key is then k; where kk is nil,
// nothing is removed, and remove and replace are nil.
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
	o := keys7Op{k, a, kk, ka, remove, replace, key, scale, heads}
	kernels.Keys7(kernels.Keys7Outputs{Remove: data(remove), Replace: data(replace), Key: made}, scale, o.inputs(), R, heads, C/heads)
	if g.record {
		record(g, nil, o)
	}
	return remove, replace, key
}

type keys7Op struct {
	k, a, kk, ka, remove, replace, key *Tensor
	scale                              []float32
	heads                              int
}

func (o *keys7Op) back(g *Graph) {
	d := kernels.Keys7Inputs{K: g.grad(o.k), KK: g.grad(o.kk), KA: g.grad(o.ka)}
	dout := kernels.Keys7Outputs{Remove: g.grad(o.remove), Replace: g.grad(o.replace)}
	if o.a != nil {
		d.A, dout.Key = g.gradOrScratch(o.a), g.grad(o.key)
	}
	kernels.Keys7Grad(d, dout, data(o.remove), o.scale, o.inputs(), rows(o.k), o.heads, o.k.Dim(-1)/o.heads)
}

func (o *keys7Op) inputs() kernels.Keys7Inputs {
	return kernels.Keys7Inputs{K: o.k.Data, A: data(o.a), KK: data(o.kk), KA: data(o.ka)}
}

// gradOrScratch is the gradient to add to, scratch where t gets none.
func (g *Graph) gradOrScratch(t *Tensor) []float32 {
	if d := g.grad(t); d != nil {
		return d
	}
	d := g.floats(t.Len())
	clear(d)
	return d
}

// Gate7 applies to the output x [B,T,C] of RWKV-7's memory the bonus of the
// present token (rk [C], nil: none) and the output gate (nil: none); see
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
	o := gate7Op{x, r, key, rk, v, gate, y, bonus, heads}
	kernels.Gate7(y.Data, bonus, o.inputs(), R, heads, C/heads)
	if g.record {
		record(g, y, o)
	}
	return y
}

type gate7Op struct {
	x, r, key, rk, v, gate, y *Tensor
	bonus                     []float32
	heads                     int
}

func (o *gate7Op) back(g *Graph) {
	d := kernels.Gate7Inputs{X: g.grad(o.x), G: g.grad(o.gate)}
	if o.rk != nil {
		d.R, d.Key, d.RK, d.V = g.grad(o.r), g.grad(o.key), g.grad(o.rk), g.grad(o.v)
	}
	kernels.Gate7Grad(d, o.y.Grad, o.bonus, o.inputs(), rows(o.x), o.heads, o.x.Dim(-1)/o.heads)
}

func (o *gate7Op) inputs() kernels.Gate7Inputs {
	return kernels.Gate7Inputs{X: o.x.Data, R: o.r.Data, Key: o.key.Data, V: o.v.Data, G: data(o.gate), RK: data(o.rk)}
}

// WKV7Keep is WKV7 without removal: y = r·S after S ← diag(e^w)·S + kᵀv. It
// equals RWKV-6's memory, which reads before it writes, with r⊙e^w for r, plus
// the present token.
func WKV7Keep(g *Graph, w, r, k, v *Tensor, heads int, s *Tensor) *Tensor {
	one, zero := g.constant(k.Dim(-1), 1), g.constant(k.Dim(-1), 0)
	past := WKV6(g, w, zero, expMul(g, w, r), k, v, heads, s)
	return Gate7(g, past, r, k, one, v, nil, heads)
}

// constant returns a vector [n] with every element x.
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
