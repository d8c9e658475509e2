package workload

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"workbench/arch"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/kernels"
)

// Operations and BytesRead are counted by the work itself.
var (
	params      = record.Define(record.Quantity{Name: "params", Title: "parameters", Unit: "parameters", Kind: record.Exact})
	Operations  = record.Define(record.Quantity{Name: "operations_per_token", Title: "operations of matrix products per token", Unit: "FLOP/token", Kind: record.Exact})
	BytesRead   = record.Define(record.Quantity{Name: "bytes_per_token", Title: "weights and state read per token", Unit: "B/token", Kind: record.Exact})
	paramsInner = record.Define(record.Quantity{Name: "params_nonemb", Title: "parameters without embeddings and head", Unit: "parameters", Kind: record.Exact})
)

// A Harness measures one model in one workload, in this process: studies give
// every arm a process of its own with a Harness, `bench` has one.
type Harness struct {
	env    *Env
	axis   string
	climbs bool
	task   Task
	meters *meter.Set
	points map[int]*record.Record // what was read at the first visit
	warm   map[int]bool           // points whose work was done in this process
	// Ceilings asks for the share of the binding ceiling, measured behind every
	// sample.
	Ceilings bool
	ceilings
}

// NewHarness prepares a Timed workload.
func NewHarness(w *Workload, s Settings, e *Env) (*Harness, error) {
	timed, ok := s.(Timed)
	if !ok {
		return nil, fmt.Errorf("workload %s has no points", w.Name)
	}
	if len(e.Tokens) == 0 {
		return nil, errors.New("no text to work on")
	}
	task, err := timed.Start(e)
	if err != nil {
		return nil, err
	}
	return &Harness{env: e, axis: w.Axis.Key, climbs: timed.Climbs(), task: task, meters: meter.Open(), points: map[int]*record.Record{}, warm: map[int]bool{}}, nil
}

// Close ends the instruments.
func (h *Harness) Close() { h.meters.Close() }

// Visit does a point's work for the first times, which is its warm-up: each
// meter that needs the work for itself has it once. Points are visited before
// anything is kept for later, so that the peak of memory is the point's own. It
// returns how long the work takes.
func (h *Harness) Visit(point int) (unit time.Duration, err error) {
	r := &record.Record{Keys: map[string]any{}}
	h.points[point] = r
	most, left := h.atOnce(point), 0
	reach := func() error {
		if left > 0 {
			return nil
		}
		left = most
		return h.task.Reach(point)
	}
	unit, err = h.meters.Once(reach, func() error {
		left--
		_, err := h.task.Work()
		return err
	}, r)
	if err == nil {
		h.task.Describe(r)
		h.warm[point] = true
	}
	return unit, err
}

// Visited is what was read at the first visit of a point.
func (h *Harness) Visited(point int) *record.Record { return h.points[point] }

// Adopt takes what another process of the arm read at its first visit of a
// point, which then is not visited in this one.
func (h *Harness) Adopt(point int, visited *record.Record) { h.points[point] = visited }

// atOnce is how often a point's work may be done from there on.
func (h *Harness) atOnce(point int) int {
	if b, ok := h.task.(Bounded); ok {
		return b.AtOnce(point)
	}
	return math.MaxInt
}

// Ready prepares the points that will be sampled, which are rising. Where memory
// is not asked for it may come before Visit, which then has less to do.
func (h *Harness) Ready(points []int) error { return h.task.Save(points) }

// Sample does a point's work that often, after once as a warm-up in a process
// that has not done it yet, with only the work on the clock: from
// the point on again where it cannot be done so often at once. Where a meter
// asks for a longer sample, more is done: in a workload that climbs, once more
// from the point on, so that every token is at the places of the point.
func (h *Harness) Sample(point, repeats int) (*record.Record, error) {
	visited := h.points[point]
	if visited == nil {
		return nil, fmt.Errorf("point %d was not visited", point)
	}
	r := NewRecord(h.env.Model)
	r.Keys[h.axis] = point
	maps.Copy(r.Keys, visited.Keys)
	repeats, more := max(1, repeats), 1
	if h.climbs {
		more = repeats
	}
	s, most := sample{Harness: h}, h.atOnce(point)
	if !h.warm[point] {
		err := h.task.Reach(point)
		if err == nil {
			_, err = h.task.Work()
		}
		if err != nil {
			return nil, err
		}
		h.warm[point] = true
	}
	h.task.Restore(point)
	h.meters.Begin()
	n := min(repeats, most)
	err := s.work(n)
	for done := n; err == nil && (done < repeats || !h.meters.Enough()); done += n {
		if n = more; done < repeats {
			n = repeats - done
		}
		n = min(n, most)
		h.task.Restore(point)
		err = s.work(n)
	}
	if err != nil {
		return nil, err
	}
	s.done.Operations, s.done.Bytes, s.done.Weights = s.load.Operations, s.load.Bytes, arch.WeightBytes(h.env.Model)
	h.meters.End(s.done, r)
	r.Add(Operations.Of(s.load.Operations / float64(s.done.Tokens)))
	r.Add(BytesRead.Of(s.load.Bytes / float64(s.done.Tokens)))
	if h.Ceilings {
		h.ceilings.add(r, s.done.Duration, s.load)
	}
	r.Samples = s.series
	for _, v := range visited.Values {
		r.Add(v)
	}
	r.Warnings = append(r.Warnings, visited.Warnings...)
	return r, nil
}

// sample is one under way.
type sample struct {
	*Harness
	done   meter.Work
	load   Load
	series []record.Series
}

// work does the work of the current point and adds it up.
func (s *sample) work(repeats int) error {
	before, err1 := meter.CPUTime()
	begin := time.Now()
	for range repeats {
		tokens, err := s.task.Work()
		if err != nil {
			return err
		}
		s.done.Tokens += tokens
	}
	s.done.Duration += time.Since(begin)
	after, err2 := meter.CPUTime()
	s.done.CPU, s.done.NoCPU = s.done.CPU+after-before, errors.Join(s.done.NoCPU, err1, err2)
	load := s.task.Load()
	s.load = Load{s.load.Operations + load.Operations, s.load.Bytes + load.Bytes, load.Set}
	for i, more := range s.task.Series() {
		if i == len(s.series) {
			s.series = append(s.series, more)
			continue
		}
		s.series[i].X, s.series[i].Y = append(s.series[i].X, more.X...), append(s.series[i].Y, more.Y...)
	}
	return nil
}

// NewRecord is a record of a model on this machine's kernels.
func NewRecord(m arch.Model) *record.Record {
	r := &record.Record{Keys: map[string]any{record.KeyThreads: kernels.Threads(), record.KeyImpl: kernels.Impl()}}
	all, inner := arch.Params(m)
	r.Add(params.Of(float64(all)))
	r.Add(paramsInner.Of(float64(inner)))
	return r
}
