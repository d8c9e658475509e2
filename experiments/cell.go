package experiments

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"workbench/arch"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/experiments/workload"
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
	defer c.close()
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

// A cell is the child's side: one model in one workload.
type cell struct {
	spec     *spec
	workload *workload.Workload
	settings workload.Settings
	config   map[string]any // resolved
	env      workload.Env
	harness  *workload.Harness // of a timed workload
	send     func(v any) error
}

func (c *cell) do(r request) (reply, error) {
	if c.spec == nil && (r.Op != opStart || r.Spec == nil) {
		return reply{}, fmt.Errorf("request %q before %q", r.Op, opStart)
	}
	switch r.Op {
	case opStart:
		return c.start(r.Spec)
	case opRun:
		return c.run(r.Cells)
	case opVisit, opReady, opSample:
		if c.harness == nil {
			return reply{}, fmt.Errorf("workload %q has no points", c.workload.Name)
		}
	}
	switch r.Op {
	case opVisit:
		unit, err := c.harness.Visit(r.Point)
		return reply{UnitNS: unit.Nanoseconds(), RSS: peakRSS(), Visited: c.harness.Visited(r.Point)}, err
	case opReady:
		for point, visited := range r.Visited {
			c.harness.Adopt(point, visited)
		}
		err := c.harness.Ready(r.Points)
		return reply{RSS: peakRSS()}, err
	case opSample:
		rec, err := c.harness.Sample(r.Point, r.Repeats)
		if err != nil {
			return reply{}, err
		}
		rec.SetConfig(c.config)
		return reply{Records: []record.Record{*rec}}, nil
	}
	return reply{}, fmt.Errorf("unknown request %q", r.Op)
}

// start builds the model and what its workload needs.
func (c *cell) start(s *spec) (reply, error) {
	w := workload.Find(s.Workload)
	if w == nil {
		return reply{}, fmt.Errorf("unknown workload %q", s.Workload)
	}
	settings := w.Defaults()
	if err := json.Unmarshal(s.Settings, settings); err != nil {
		return reply{}, fmt.Errorf("settings of %s: %w", s.Workload, err)
	}
	kernels.SetThreads(s.Threads)
	build := arch.New
	if w.Filled {
		build = arch.Filled
	}
	m, config, err := build(s.Arch, s.Config, s.Seed)
	if err != nil {
		return reply{}, err
	}
	c.spec, c.workload, c.settings, c.config = s, w, settings, config
	c.env = workload.Env{Model: m, Arch: s.Arch, Corpus: s.Corpus, Tokens: s.Tokens, Vocab: m.Vocab(), Seed: s.Seed, Folder: s.Folder}
	c.env.Progress = func(done, total int, rate float64) { c.send(reply{Progress: &progressNote{done, total, rate}}) }
	if _, timed := settings.(workload.Timed); timed {
		if c.harness, err = workload.NewHarness(w, settings, &c.env); err != nil {
			return reply{}, err
		}
		c.harness.Ceilings = true
	}
	return reply{RSS: peakRSS()}, nil
}

// close ends the instruments.
func (c *cell) close() {
	if c.harness != nil {
		c.harness.Close()
	}
}

// run does whole cells.
func (c *cell) run(cells []workload.Cell) (reply, error) {
	whole, ok := c.settings.(workload.Whole)
	if !ok {
		return reply{}, fmt.Errorf("workload %q is measured by points", c.workload.Name)
	}
	var answer reply
	for _, part := range cells {
		rec := workload.NewRecord(c.env.Model)
		rec.SetConfig(c.config)
		if err := whole.Run(&c.env, part, rec); err != nil {
			return reply{}, err
		}
		answer.Records = append(answer.Records, *rec)
	}
	return answer, nil
}

// peakRSS is the process's peak memory, 0 where the system does not tell.
func peakRSS() int64 {
	peak, err := meter.RSS()
	if err != nil {
		return 0
	}
	return peak
}
