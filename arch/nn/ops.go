package nn

import (
	"fmt"

	"workbench/kernels"
)

// Embedding looks up the rows of table [V,C]: tokens [B,T] to [B,T,C].
func Embedding(g *Graph, table *Tensor, tok Tokens) *Tensor {
	C := table.Dim(1)
	if len(tok.IDs) != tok.B*tok.T {
		panic(fmt.Sprintf("nn: Embedding: %d tokens are not [%d,%d]", len(tok.IDs), tok.B, tok.T))
	}
	g.untrained("Embedding", table)
	y := g.Tensor(tok.B, tok.T, C)
	for i, id := range tok.IDs {
		table.row(y.Data[i*C:(i+1)*C], int(id))
	}
	g.Work.WeightBytes += int64(len(tok.IDs)) * int64(table.Bytes()/table.Dim(0))
	if g.record {
		ids := g.keep(tok.IDs)
		g.back(y, func() {
			if d := g.grad(table); d != nil {
				for i, id := range ids {
					kernels.Accumulate(d[int(id)*C:(int(id)+1)*C], y.Grad[i*C:(i+1)*C])
				}
			}
		})
	}
	return y
}

// keep copies ids, which the caller may overwrite before Backward.
func (g *Graph) keep(ids []int32) []int32 { return append([]int32(nil), ids...) }

// Positions adds rows pos, pos+1, … of table [P,C] to x [B,T,C], in place.
func Positions(g *Graph, table, x *Tensor, pos int) *Tensor {
	B, T, C := x.Dim(0), x.Dim(1), x.Dim(2)
	if pos+T > table.Dim(0) {
		panic(fmt.Sprintf("nn: Positions: %d is beyond the table's %d", pos+T, table.Dim(0)))
	}
	g.untrained("Positions", table)
	row := g.floats(C)
	for t := range T {
		table.row(row, pos+t)
		g.Work.WeightBytes += int64(table.Bytes() / table.Dim(0))
		for b := range B {
			kernels.Accumulate(x.Data[(b*T+t)*C:(b*T+t+1)*C], row)
		}
	}
	if g.record {
		g.back(x, func() {
			if d := g.grad(table); d != nil {
				for b := range B {
					kernels.Accumulate(d[pos*C:(pos+T)*C], x.Grad[b*T*C:(b+1)*T*C])
				}
			}
		})
	}
	return x
}

// Sum is a + b, of small vectors.
func Sum(g *Graph, a, b *Tensor) *Tensor {
	sameLen("Sum", a, b)
	y := g.like(a)
	copy(y.Data, a.Data)
	kernels.Accumulate(y.Data, b.Data)
	if g.record {
		g.back(y, func() {
			for _, t := range []*Tensor{a, b} {
				if d := g.grad(t); d != nil {
					kernels.Accumulate(d, y.Grad)
				}
			}
		})
	}
	return y
}

// LayerNorm normalises the rows of x [...,C] (biased variance, eps 1e-5) and
// applies weight w [C] and bias b [C] (b nil: none).
func LayerNorm(g *Graph, w, b, x *Tensor) *Tensor {
	const eps = 1e-5
	R, C := rows(x), w.Len()
	y := g.like(x)
	var bias []float32
	if b != nil {
		bias = b.Data
	} else {
		bias = g.floats(C)
		clear(bias)
	}
	if !g.record {
		kernels.LayerNorm(y.Data, nil, nil, x.Data, w.Data, bias, R, C, eps)
		return y
	}
	mean, rstd := g.floats(R), g.floats(R)
	kernels.LayerNorm(y.Data, mean, rstd, x.Data, w.Data, bias, R, C, eps)
	g.back(y, func() {
		var db []float32
		if b != nil {
			db = g.grad(b)
		}
		kernels.LayerNormGrad(g.grad(x), g.grad(w), db, y.Grad, x.Data, w.Data, mean, rstd, R, C)
	})
	return y
}

// SigmoidMul is σ(r)⊙x for two tensors.
func SigmoidMul(g *Graph, r, x *Tensor) *Tensor {
	sameLen("SigmoidMul", r, x)
	y := g.like(x)
	kernels.SigmoidMul(y.Data, r.Data, x.Data)
	if g.record {
		g.back(y, func() {
			kernels.SigmoidMulGrad(g.grad(r), g.grad(x), y.Grad, r.Data, x.Data)
		})
	}
	return y
}

// NegExp is -eˣ: RWKV-4's log-decay from its parameter.
func NegExp(g *Graph, x *Tensor) *Tensor {
	y := g.like(x)
	y.Const = x.Const
	kernels.NegExp(y.Data, x.Data)
	if g.record && !y.Const {
		g.back(y, func() {
			if d := g.grad(x); d != nil {
				kernels.NegExpGrad(d, y.Grad, y.Data)
			}
		})
	}
	return y
}
