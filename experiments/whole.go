package experiments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"workbench/experiments/record"
	"workbench/experiments/workload"
)

// A job is one cell of a Whole workload.
type job struct {
	part     *Part
	arm      arm
	settings workload.Whole
	cell     workload.Cell
}

// name is that of the job's workload.
func (j job) name() string { return workload.Of(j.settings).Name }

func (j job) id() string {
	return id(j.part.Name, j.arm.Label, j.name(), j.cell.What, j.arm.Config, j.settings)
}

// work identifies what the job computes: jobs of several parts that agree in
// it are run once.
func (j job) work() string {
	return hash(j.name(), j.arm.Arch, j.arm.Config, j.part.Corpus, j.settings, j.cell)
}

// planned is the job as run.json lists it.
func (j job) planned() record.Cell {
	return record.Cell{ID: j.id(), Part: j.part.Name, Arm: j.arm.Label, Workload: j.name(), What: j.cell.What}
}

// jobs are the cells of a part's Whole workloads, in each the seeds outermost,
// so that a run that is broken off leaves whole pairs.
func (p *Part) jobs(arms []arm, seed uint64) (all []job, err error) {
	var seeds []uint64
	for i := range p.Seeds {
		seeds = append(seeds, seed+uint64(i))
	}
	for _, s := range p.Measure {
		whole, ok := s.(workload.Whole)
		if !ok {
			continue
		}
		var jobs []job
		for _, a := range arms {
			cells, err := whole.Cells(a.in(p), seeds)
			if err != nil {
				return nil, p.fault(s, err)
			}
			for _, c := range cells {
				jobs = append(jobs, job{p, a, whole, c})
			}
		}
		slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(a.cell.Seed, b.cell.Seed) })
		all = append(all, jobs...)
	}
	return all, nil
}

// isWhole tells whether the cells of a workload are jobs.
func isWhole(name string) bool {
	w := workload.Find(name)
	if w == nil {
		return false
	}
	_, ok := w.Defaults().(workload.Whole)
	return ok
}

// whole does what is left of jobs: those that come before anything is timed, or
// the others. As many processes run at a time as there are threads and memory
// holds, each with one thread.
func (r *runner) whole(ctx context.Context, first bool) error {
	var work [][]job
	for _, same := range r.jobs {
		if workload.Of(same[0].settings).First == first {
			work = append(work, same)
		}
	}
	queue := make(chan []job)
	workers := r.sideBySide(work)
	errs := make(chan error, workers)
	stop := make(chan struct{})
	var once sync.Once
	for range workers {
		go func() {
			var err error
			for same := range queue {
				if err = r.do(ctx, same); err != nil {
					once.Do(func() { close(stop) })
					break
				}
			}
			errs <- err
		}()
	}
feed:
	for _, same := range work {
		select {
		case queue <- same:
		case <-stop:
			break feed
		}
	}
	close(queue)
	var err error
	for range workers {
		if e := <-errs; err == nil {
			err = e
		}
	}
	return err
}

// do does jobs that compute the same, in a process of their own, and records
// the outcome for every part that asked for it.
func (r *runner) do(ctx context.Context, jobs []job) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	j := jobs[0]
	what := fmt.Sprintf("%s %s %s %s", j.part.Name, j.name(), j.arm.Label, j.cell.What)
	r.progress.At(what, 0, r.rest(0))
	begun := r.now()
	rec, err := r.ask(ctx, j, func(n progressNote) {
		left := r.guess.done(j, float64(n.Done)/float64(max(1, n.Total)), r.now().Sub(begun))
		r.progress.At(what, n.TokensPerS, left/time.Duration(r.threads))
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.guess.done(j, 1, r.now().Sub(begun))
	for _, j := range jobs {
		if err != nil {
			if err := r.fail(j.part, j.arm, j.name(), j.id(), j.cell.What, j.cell.Seed, err); err != nil {
				return err
			}
			continue
		}
		own := *rec
		own.Keys = maps.Clone(rec.Keys)
		own.Keys[record.KeySeed] = j.cell.Seed
		if err := r.keep(own, j.part, j.arm, j.name(), j.id()); err != nil {
			return err
		}
	}
	if err == nil {
		if text := headline(rec); text != "" {
			r.progress.Say("%s: %s, %s", what, text, clock(r.now().Sub(begun)))
		}
	}
	return nil
}

// ask lets a process do a job.
func (r *runner) ask(ctx context.Context, j job, note func(progressNote)) (*record.Record, error) {
	s := newSpec(j.arm, j.settings)
	s.Seed, s.Threads, s.Corpus, s.Tokens = j.cell.Seed, 1, j.part.Corpus, r.tokens(j.part)
	c, err := startChild(r.exe, r.profile.timeout)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if _, err := c.ask(ctx, request{Op: opStart, Spec: s}, nil); err != nil {
		return nil, err
	}
	answer, err := c.ask(ctx, request{Op: opRun, Cells: []workload.Cell{j.cell}}, note)
	if err == nil && len(answer.Records) != 1 {
		err = errors.New("the process sent no record")
	}
	if err != nil {
		return nil, err
	}
	return &answer.Records[0], nil
}

// pending are the jobs without a record, those that compute the same together.
func (r *runner) pending(jobs []job) [][]job {
	var out [][]job
	at := map[string]int{}
	for _, j := range jobs {
		if r.have[j.id()] {
			continue
		}
		w := j.work()
		i, ok := at[w]
		if !ok {
			i, at[w] = len(out), len(out)
			out = append(out, nil)
			r.guess.plan(j)
		}
		out[i] = append(out[i], j)
	}
	return out
}

// headline is the first main quantity of a record that has a number, in words,
// "" where there is none.
func headline(r *record.Record) string {
	for _, v := range r.Values {
		if v.Main && v.Value != nil {
			return fmt.Sprintf("%s %.3f %s", v.Title, *v.Value, v.Unit)
		}
	}
	return ""
}

// pace foretells how long jobs take: their arithmetic over a speed that is
// learned from those under way.
type pace struct {
	mu            sync.Mutex
	planned       float64            // GFLOP of all jobs
	finished      map[string]float64 // GFLOP done, by job
	flops, passed float64            // GFLOP and seconds seen
}

// guessGFLOPS is the speed of one thread before any was seen.
const guessGFLOPS = 30

func (j job) gflop() float64 { return j.settings.Operations(j.arm.in(j.part)) / 1e9 }

func (p *pace) plan(j job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.planned += j.gflop()
}

// done notes that a share of a cell took that long and returns the time left
// for one thread.
func (p *pace) done(j job, share float64, took time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished == nil {
		p.finished = map[string]float64{}
	}
	p.finished[j.id()] = share * j.gflop()
	if took > 0 && share > 0 && j.gflop() > 0 {
		p.flops, p.passed = p.flops+share*j.gflop(), p.passed+took.Seconds()
	}
	return p.left()
}

func (p *pace) left() time.Duration {
	done := 0.0
	for _, x := range p.finished {
		done += x
	}
	speed := float64(guessGFLOPS)
	if p.passed > 0 {
		speed = p.flops / p.passed
	}
	return time.Duration(max(0, p.planned-done) / speed * float64(time.Second))
}

// rest is about how long the run takes after what is under way needs `here`.
func (r *runner) rest(here time.Duration) time.Duration {
	total := here
	if len(r.groups) > 1 && r.profile.timing > 0 {
		total += max(0, r.profile.timing-r.spent-r.share())
	}
	r.guess.mu.Lock()
	defer r.guess.mu.Unlock()
	return total + r.guess.left()/time.Duration(r.threads)
}
