package meter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/trace"
	"strings"

	exptrace "golang.org/x/exp/trace"
)

// maxTrace is the size limit of a trace, in bytes: some minutes of a program
// with few goroutines.
const maxTrace = 256 << 20

const (
	fnRegion   = "workbench.fn"
	sweepRange = "GC incremental sweep"
)

// runtimeShares runs fn once under the Go execution tracer and returns two
// shares of the time in fn. gc is the share of the running time of all
// goroutines spent in the garbage collector: in its workers, in assists and
// sweeps by other goroutines, and in stopping the world. sched is the share of
// the running and runnable time of all other goroutines in which they were
// runnable and waited for a processor. Even on an error, fn has run once.
func runtimeShares(fn func()) (gc, sched float64, err error) {
	buf := &boundedBuffer{}
	if err := trace.Start(buf); err != nil {
		fn()
		return 0, 0, fmt.Errorf("tracing the runtime: %w", err)
	}
	func() {
		defer trace.Stop()
		trace.WithRegion(context.Background(), fnRegion, fn)
	}()
	if buf.full {
		return 0, 0, fmt.Errorf("the runtime's trace is longer than %d bytes: trace a shorter part", maxTrace)
	}
	return parseShares(&buf.Buffer)
}

// boundedBuffer keeps the first maxTrace bytes.
type boundedBuffer struct {
	bytes.Buffer
	full bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxTrace {
		b.full = true
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// parseShares reads a trace with one region named fnRegion.
func parseShares(r io.Reader) (gc, sched float64, err error) {
	defer func() {
		// Note: the reader validates the trace, but may still panic on a damaged
		// one.
		if p := recover(); p != nil {
			gc, sched, err = 0, 0, fmt.Errorf("the runtime's trace cannot be read: %v", p)
		}
	}()
	in, err := exptrace.NewReader(r)
	if err != nil {
		return 0, 0, fmt.Errorf("the runtime's trace cannot be read: %w", err)
	}
	a := account{goroutines: make(map[exptrace.GoID]*goroutine)}
	for {
		ev, err := in.ReadEvent()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, 0, fmt.Errorf("the runtime's trace cannot be read: %w", err)
		}
		a.add(ev)
	}
	if !a.ended {
		return 0, 0, errors.New("the runtime's trace does not show the whole function")
	}
	if all := a.gc + a.work; all > 0 {
		gc = float64(a.gc) / float64(all)
	}
	if all := a.work + a.waited; all > 0 {
		sched = float64(a.waited) / float64(all)
	}
	return gc, sched, nil
}

// account sums, within the region and in ns, the running time of the garbage
// collector and of everything else, and the time that runnable goroutines
// waited.
type account struct {
	goroutines       map[exptrace.GoID]*goroutine
	begun, ended     bool
	gc, work, waited int64
}

type goroutine struct {
	state   exptrace.GoState
	since   exptrace.Time
	ranges  map[string]bool // active ranges of the garbage collector
	worker  bool            // belongs to the garbage collector
	ignored bool            // belongs to the tracer
}

func (a *account) of(id exptrace.GoID) *goroutine {
	g := a.goroutines[id]
	if g == nil {
		g = &goroutine{ranges: make(map[string]bool)}
		a.goroutines[id] = g
	}
	return g
}

// settle adds the time of g up to t to the account.
func (a *account) settle(g *goroutine, t exptrace.Time) {
	d := t.Sub(g.since).Nanoseconds()
	g.since = t
	switch {
	case !a.begun || a.ended || g.ignored:
	case g.state == exptrace.GoRunning && (g.worker || len(g.ranges) > 0):
		a.gc += d
	case g.state == exptrace.GoRunning:
		a.work += d
	case g.state == exptrace.GoRunnable && !g.worker:
		a.waited += d
	}
}

func (a *account) settleAll(t exptrace.Time) {
	for _, g := range a.goroutines {
		a.settle(g, t)
	}
}

func (a *account) add(ev exptrace.Event) {
	switch ev.Kind() {
	case exptrace.EventRegionBegin:
		if ev.Region().Type == fnRegion {
			a.settleAll(ev.Time())
			a.begun = true
		}
	case exptrace.EventRegionEnd:
		if ev.Region().Type == fnRegion {
			a.settleAll(ev.Time())
			a.ended = true
		}
	case exptrace.EventLabel:
		l := ev.Label()
		if l.Resource.Kind == exptrace.ResourceGoroutine && strings.HasPrefix(l.Label, "GC (") {
			a.of(l.Resource.Goroutine()).worker = true
		}
	case exptrace.EventRangeBegin, exptrace.EventRangeActive:
		a.addRange(ev, true)
	case exptrace.EventRangeEnd:
		a.addRange(ev, false)
	case exptrace.EventStateTransition:
		a.transition(ev)
	}
}

// addRange tracks when a goroutine enters and leaves work of the garbage
// collector: assists, sweeps and stops of the world. Phases of the collection
// as a whole are not running time of a goroutine.
func (a *account) addRange(ev exptrace.Event, inside bool) {
	r := ev.Range()
	if r.Scope.Kind == exptrace.ResourceNone || !strings.Contains(r.Name, "GC") {
		return
	}
	id := ev.Goroutine()
	if r.Scope.Kind == exptrace.ResourceGoroutine {
		id = r.Scope.Goroutine()
	}
	if id == exptrace.NoGoroutine {
		return
	}
	g := a.of(id)
	a.settle(g, ev.Time())
	if inside {
		g.ranges[r.Name] = true
	} else {
		delete(g.ranges, r.Name)
	}
}

func (a *account) transition(ev exptrace.Event) {
	t := ev.StateTransition()
	if t.Resource.Kind != exptrace.ResourceGoroutine {
		return
	}
	g := a.of(t.Resource.Goroutine())
	from, to := t.Goroutine()
	if from == exptrace.GoNotExist || from == exptrace.GoUndetermined {
		g.since = ev.Time()
		g.classify(t.Stack)
	}
	a.settle(g, ev.Time())
	g.state = to
	if to != exptrace.GoRunning {
		delete(g.ranges, sweepRange) // a sweep belongs to the processor that g has left
	}
	if to == exptrace.GoNotExist {
		delete(a.goroutines, t.Resource.Goroutine())
	}
}

// classify identifies the runtime's own goroutines by the function that they
// started in, the outermost of their stack.
func (g *goroutine) classify(s exptrace.Stack) {
	first := ""
	for f := range s.Frames() {
		first = f.Func
	}
	switch {
	case first == "runtime.gcBgMarkWorker" || first == "runtime.bgsweep" || first == "runtime.bgscavenge":
		g.worker = true
	case strings.HasPrefix(first, "runtime/trace.") || strings.HasPrefix(first, "runtime.trace") || strings.HasPrefix(first, "runtime.(*trace"):
		g.ignored = true
	}
}
