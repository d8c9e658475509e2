package meter

import "workbench/experiments/record"

func init() {
	Register("processor", 80, func() Meter { return &processor{} }, coresBusy, cpuPerToken)
	Register("runtime", 20, func() Meter { return shares{} }, gcShare, schedShare)
}

var (
	coresBusy   = record.Define(record.Quantity{Name: "cores_busy", Title: "cores busy", Kind: record.Timed})
	cpuPerToken = record.Define(record.Quantity{Name: "cpu_per_token", Title: "processor time per token", Unit: "s/token", Kind: record.Timed, Better: record.Lower})
	gcShare     = record.Define(record.Quantity{Name: "gc_share", Title: "garbage collector's share of processor time", Kind: record.Timed, Better: record.Lower})
	schedShare  = record.Define(record.Quantity{Name: "sched_share", Title: "share of goroutine time spent waiting to run", Kind: record.Timed, Better: record.Lower})
)

// processor measures the processor time of the work, and warns of processor
// time that others took meanwhile.
type processor struct{ begin clocks }

// Begin implements Around.
func (p *processor) Begin() { p.begin = readClocks() }

// End implements Around.
func (p *processor) End(w Work) Reading {
	var out Reading
	if use, err := p.begin.since(); err == nil {
		out.Warnings = use.warnings()
	}
	if w.NoCPU != nil {
		out.Values = []record.Value{coresBusy.Missing(w.NoCPU.Error()), cpuPerToken.Missing(w.NoCPU.Error())}
		return out
	}
	cpu := w.CPU.Seconds()
	out.Values = []record.Value{coresBusy.Of(cpu / w.Duration.Seconds()), cpuPerToken.Of(cpu / float64(w.Tokens))}
	return out
}

// shares traces the Go runtime while the work is done once.
type shares struct{}

// Once implements Once.
func (shares) Once(work func() error) (Reading, error) {
	var workErr error
	gc, sched, err := runtimeShares(func() { workErr = work() })
	if workErr != nil || err != nil {
		return Reading{}, workErr
	}
	return Reading{Values: []record.Value{gcShare.Of(gc), schedShare.Of(sched)}}, nil
}
