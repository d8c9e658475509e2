package experiments

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"workbench/arch"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/kernels"
)

// ServeCell is what `workbench cell` runs: it reads one JSON request a line,
// does the work of one cell and writes one JSON reply a line. It returns when
// in ends; when that happens while it works, the process exits at once, so
// that no measuring process outlives the program that asked.
func ServeCell(in io.Reader, out io.Writer) error {
	requests := make(chan request)
	var working atomic.Bool
	go func() {
		defer close(requests)
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxReply)
		for lines.Scan() {
			var r request
			if json.Unmarshal(lines.Bytes(), &r) != nil {
				r.Op = "unreadable"
			}
			working.Store(true)
			requests <- r
		}
		if working.Load() {
			os.Exit(1)
		}
	}()
	c := &cell{send: json.NewEncoder(out).Encode}
	for r := range requests {
		answer, err := c.do(r)
		if err != nil {
			answer = reply{Error: err.Error()}
		}
		working.Store(false)
		if err := c.send(answer); err != nil {
			return err
		}
	}
	return nil
}

// A cell is the child's side: one model in one phase.
type cell struct {
	spec   *spec
	model  arch.Model
	task   task // decode, prefill, train
	energy *meter.Energy
	send   func(v any) error

	base   record.Record // what every record of the cell holds
	points map[int]*visited
}

// A task is a phase whose work is timed at several points.
type task interface {
	// reach makes a point the current one for the first time.
	reach(point int) error
	// save prepares for restore(point) of every point.
	save(points []int) error
	// restore makes the point the current one, untimed.
	restore(point int)
	// work does what is timed and returns its tokens. Done again without a
	// restore it goes on where it stopped, or starts over at no cost.
	work() (tokens int, err error)
	// describe adds what the task knows of the current point, and of the work
	// since it was restored.
	describe(r *record.Record)
}

// visited is what the first visit of a point told.
type visited struct {
	peakRSS   *int64
	arena     *int64
	gc, sched *float64
	warnings  []string
	reported  bool // in the point's first record
}

func (c *cell) do(r request) (reply, error) {
	if c.spec == nil && (r.Op != opStart || r.Spec == nil) {
		return reply{}, fmt.Errorf("request %q before %q", r.Op, opStart)
	}
	switch r.Op {
	case opStart:
		return c.start(r.Spec)
	case opRun:
		return c.run()
	case opVisit, opReady, opSample:
		if c.task == nil {
			return reply{}, fmt.Errorf("phase %q has no points", c.spec.Phase)
		}
	}
	switch r.Op {
	case opVisit:
		return c.visit(r.Point)
	case opReady:
		err := c.task.save(r.Points)
		return reply{RSS: peakRSS()}, err
	case opSample:
		return c.sample(r.Point, r.Repeats)
	}
	return reply{}, fmt.Errorf("unknown request %q", r.Op)
}

// start builds the model and what its phase needs.
func (c *cell) start(s *spec) (reply, error) {
	kernels.SetThreads(s.Threads)
	weights := arch.New
	if s.Phase == phaseDecode || s.Phase == phasePrefill {
		weights = arch.Filled
	}
	m, config, err := weights(s.Arch, s.Config, s.Seed)
	if err != nil {
		return reply{}, err
	}
	c.spec, c.model, c.points = s, m, map[int]*visited{}
	c.base = record.Record{Arch: s.Arch, Config: config, Phase: s.Phase, Threads: s.Threads, Impl: kernels.Impl(), Batch: 1}
	c.base.Params, c.base.ParamsNonEmb = arch.Params(m)
	tokens := make([]int32, len(s.Text))
	for i, b := range s.Text {
		tokens[i] = int32(b)
	}
	if len(tokens) == 0 && s.Phase != phaseQuality {
		return reply{}, errors.New("no text to work on")
	}
	switch s.Phase {
	case phaseDecode:
		c.task = newDecode(m, tokens, s.Decode)
	case phasePrefill:
		c.task = newPrefill(m, tokens, s.Prefill)
	case phaseTrain:
		c.task = newTrain(m, s.Text, s.Train, s.Seed)
	case phaseQuality, phaseCheck:
	default:
		return reply{}, fmt.Errorf("unknown phase %q", s.Phase)
	}
	if c.task != nil {
		c.energy = meter.NewEnergy("")
	}
	return reply{Params: c.base.Params, NonEmb: c.base.ParamsNonEmb, Impl: c.base.Impl, RSS: peakRSS()}, nil
}

// visit does a point's work for the first time, which is its warm-up, and
// keeps the process's peak memory meanwhile. Points are visited before
// anything is kept for later, so that the peak is the point's own; a second
// time the work is traced.
func (c *cell) visit(point int) (reply, error) {
	v := &visited{}
	c.points[point] = v
	if err := c.task.reach(point); err != nil {
		return reply{}, err
	}
	debug.FreeOSMemory()
	if err := meter.ResetPeak(); err != nil {
		v.warnings = append(v.warnings, "peak memory is that of the process so far: "+err.Error())
	}
	if _, err := c.task.work(); err != nil {
		return reply{}, err
	}
	if peak, err := meter.RSS(); err == nil {
		v.peakRSS = &peak
	}
	var r record.Record
	c.task.describe(&r)
	v.arena = r.ArenaBytes

	var workErr error
	var unit time.Duration
	gc, sched, err := meter.RuntimeShares(func() {
		begin := time.Now()
		_, workErr = c.task.work()
		unit = time.Since(begin)
	})
	if workErr != nil {
		return reply{}, workErr
	}
	if err == nil {
		v.gc, v.sched = &gc, &sched
	}
	return reply{UnitNS: unit.Nanoseconds(), RSS: peakRSS()}, nil
}

// sample measures a point: its work, repeated, with only the work on the clock.
// Where a counter of energy asks for a longer window, more work is done in it:
// in decoding once more from the point on, so that every token is at the depths
// of the point. What is done between the works is in the window alone.
func (c *cell) sample(point, repeats int) (reply, error) {
	v := c.points[point]
	if v == nil {
		return reply{}, fmt.Errorf("point %d was not visited", point)
	}
	r := c.base
	repeats = max(1, repeats)
	more := 1
	if c.spec.Phase == phaseDecode {
		more = repeats
	}
	c.task.restore(point)
	window, clock := c.energy.Start(), meter.Now()
	err := c.work(&r, repeats)
	for err == nil && !window.Enough() {
		c.task.restore(point)
		err = c.work(&r, more)
	}
	if err != nil {
		return reply{}, err
	}
	use, err := clock.Since()
	r.Energy = window.Stop()
	if err == nil {
		r.Warnings = use.Warnings()
	}
	heap := meter.Heap()
	r.HeapBytes = &heap
	r.PeakRSSBytes, r.ArenaBytes = v.peakRSS, v.arena
	if !v.reported {
		v.reported = true
		r.GCShare, r.SchedShare = v.gc, v.sched
		r.Warnings = append(r.Warnings, v.warnings...)
	}
	return reply{Records: []record.Record{r}}, nil
}

// work does the work of the current point and adds it to r, with the time and
// the processor time it took.
func (c *cell) work(r *record.Record, repeats int) error {
	before, err1 := meter.CPUTime()
	begin := time.Now()
	for range repeats {
		tokens, err := c.task.work()
		if err != nil {
			return err
		}
		r.Tokens += tokens
	}
	r.DurationNS += time.Since(begin).Nanoseconds()
	after, err2 := meter.CPUTime()
	if err1 == nil && err2 == nil {
		cpu := (after - before).Nanoseconds()
		if r.CPUNS != nil {
			cpu += *r.CPUNS
		}
		r.CPUNS = &cpu
	}
	c.task.describe(r)
	return nil
}

// peakRSS is the process's peak memory, 0 where the system does not tell.
func peakRSS() int64 {
	peak, err := meter.RSS()
	if err != nil {
		return 0
	}
	return peak
}

// run does the whole of a quality or check cell.
func (c *cell) run() (reply, error) {
	switch c.spec.Phase {
	case phaseQuality:
		return c.quality()
	case phaseCheck:
		return c.checks()
	}
	return reply{}, fmt.Errorf("phase %q is measured by points", c.spec.Phase)
}
