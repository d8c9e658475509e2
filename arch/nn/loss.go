package nn

import (
	"fmt"

	"workbench/kernels"
)

// CrossEntropy is the mean of -log softmax(logits)[target] in nats, a scalar.
// logits is [...,V] with one row for each target; rows with a negative target
// are masked.
func CrossEntropy(g *Graph, logits *Tensor, targets []int32) *Tensor {
	R, V := rows(logits), logits.Dim(-1)
	checkTargets(R, targets)
	nll, lse := g.floats(R), g.floats(R)
	kernels.CrossEntropy(nll, lse, logits.Data, targets, R, V)
	n, sum := 0, 0.0
	for i, t := range targets {
		if t >= 0 {
			n++
			sum += float64(nll[i])
		}
	}
	y := g.Tensor(1)
	y.Data[0] = float32(sum / float64(max(n, 1)))
	if g.record {
		record(g, y, crossEntropyOp{logits, y, lse, g.keep(targets), max(n, 1)})
	}
	return y
}

type crossEntropyOp struct {
	logits, y *Tensor
	lse       []float32
	targets   []int32
	n         int // targets that are not masked
}

func (o *crossEntropyOp) back(g *Graph) {
	if d := g.grad(o.logits); d != nil {
		kernels.CrossEntropyGrad(d, o.logits.Data, o.lse, o.targets, o.y.Grad[0]/float32(o.n), len(o.lse), o.logits.Dim(-1))
	}
}

// NLL returns -log softmax(logits)[target] of every row, in nats.
func NLL(g *Graph, logits *Tensor, targets []int32) []float32 {
	R, V := rows(logits), logits.Dim(-1)
	checkTargets(R, targets)
	nll, lse := g.floats(R), g.floats(R)
	kernels.CrossEntropy(nll, lse, logits.Data, targets, R, V)
	return nll
}

func checkTargets(R int, targets []int32) {
	if R != len(targets) {
		panic(fmt.Sprintf("nn: CrossEntropy: %d targets for %d rows", len(targets), R))
	}
}

// L2Wrap adds RWKV's extra gradient to logits [...,V]: the largest logit of
// each of the n rows that are not masked is pulled towards 0 by share·1e-4/n of
// itself. It adds nothing to the loss.
// Source: BlinkDL/RWKV-LM RWKV-v4neo/src/model.py, class L2Wrap.
func L2Wrap(g *Graph, logits *Tensor, targets []int32, share float32) {
	checkTargets(rows(logits), targets)
	if g.record {
		record(g, nil, l2WrapOp{logits, g.keep(targets), share})
	}
}

type l2WrapOp struct {
	logits  *Tensor
	targets []int32
	share   float32
}

func (o *l2WrapOp) back(g *Graph) {
	d, V := g.grad(o.logits), o.logits.Dim(-1)
	if d == nil {
		return
	}
	pull := o.share * 1e-4 / float32(max(1, Counted(o.targets)))
	for from, n := 0, len(o.targets); from < n; {
		to := from
		for to < n && o.targets[to] >= 0 {
			to++
		}
		if to > from {
			kernels.L2WrapGrad(d[from*V:to*V], o.logits.Data[from*V:to*V], pull, to-from, V)
		}
		from = to + 1
	}
}

// Counted is the number of targets that are not masked (not negative).
func Counted(targets []int32) (n int) {
	for _, t := range targets {
		if t >= 0 {
			n++
		}
	}
	return n
}
