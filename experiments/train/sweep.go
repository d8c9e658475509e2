package train

import (
	"context"
	"errors"
	"fmt"

	"workbench/arch"
	"workbench/experiments/corpus"
)

// A Trial is one run of a sweep.
type Trial struct {
	LR     float64
	Result *Result   // nil where the run diverged
	Err    *Diverged // why, nil otherwise
}

// Sweep trains a fresh model with every learning rate, all else equal (the
// final rate keeps its ratio), and returns the index of the lowest held-out
// bits per byte at the end, ties going to the earlier rate. A run that
// diverges loses; when all do, that is an error.
func Sweep(ctx context.Context, build func() (arch.Model, error), text, heldOut corpus.Tokens, p Plan, lrs []float64,
	progress func(lr float64, s Progress)) (best int, trials []Trial, err error) {
	if err := p.Check(); err != nil {
		return -1, nil, err
	}
	if len(lrs) == 0 {
		return -1, nil, errors.New("a sweep without learning rates")
	}
	best = -1
	for _, lr := range lrs {
		m, err := build()
		if err != nil {
			return -1, trials, err
		}
		q := p
		q.LR, q.MinLR = lr, p.MinLR/p.LR*lr
		var report func(Progress)
		if progress != nil {
			report = func(s Progress) { progress(lr, s) }
		}
		t := Trial{LR: lr}
		t.Result, err = Run(ctx, m, text, heldOut, q, report)
		if errors.As(err, &t.Err) {
			t.Result = nil
		} else if err != nil {
			return -1, trials, fmt.Errorf("learning rate %g: %w", lr, err)
		}
		trials = append(trials, t)
		if t.Err == nil && (best < 0 || t.Result.ValBPB < trials[best].Result.ValBPB) {
			best = len(trials) - 1
		}
	}
	if best < 0 {
		return -1, trials, fmt.Errorf("training diverged with every learning rate of %v", lrs)
	}
	return best, trials, nil
}
