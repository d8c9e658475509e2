package experiments

import (
	"context"
	"fmt"

	"workbench/arch/archtest"
	"workbench/experiments/workload"
)

// maxDeviation is the largest difference of a logit between one call and token by
// token, over the largest logit, that rounding in float32 explains. Keys and
// values that are rounded in the cache, as no single call rounds them, add theirs.
func maxDeviation(a arm) float64 {
	layers, _ := a.Config["layers"].(float64)
	return 1e-4 + archtest.CacheBound(layers, a.Config["cache"])
}

// gate refuses to measure the cost of a model that does not compute the same
// token by token as in one call, on this machine, before anything is timed. A
// model is tried once a run. The error is why its cells fail, or ctx's.
func (r *runner) gate(ctx context.Context, p *Part, a arm) error {
	key := hash(a.Arch, a.Config)
	if why, tried := r.gated[key]; tried {
		return why
	}
	j := job{p, a, &workload.Check{Names: []string{workload.Streaming}}, workload.Cell{What: workload.Streaming, Seed: r.run.Seed}}
	r.progress.At(fmt.Sprintf("%s %s %s", p.Name, a.Label, workload.Streaming), 0, r.rest(0))
	rec, err := r.ask(ctx, j, nil)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		if x, ok := rec.Value(workload.Streaming); !ok || !(x <= maxDeviation(a)) {
			err = fmt.Errorf("no cost is measured of a model that fails its check %s on this machine: the deviation is %.2g, the most is %.2g", workload.Streaming, x, maxDeviation(a))
		}
	}
	r.gated[key] = err
	return err
}
