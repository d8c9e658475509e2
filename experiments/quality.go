package experiments

import (
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

// checkCells lists the check cells of a part.
func (r *runner) checkCells(p *Part) []record.Cell {
	var out []record.Cell
	for _, a := range r.arms[p.Name] {
		for _, name := range p.Measure.checks().Of(a.Arch) {
			out = append(out, record.Cell{ID: checkID(p, a, name), Part: p.Name, Arm: a.Label, Workload: phaseCheck, What: name})
		}
	}
	return out
}

func checkID(p *Part, a arm, name string) string {
	return id(p.Name, a.Label, phaseCheck, name, a.Config, nil)
}

// check measures the exact properties of every arm of a part.
func (r *runner) check(ctx context.Context, p *Part) error {
	for _, a := range r.arms[p.Name] {
		names := slices.DeleteFunc(p.Measure.checks().Of(a.Arch), func(name string) bool { return r.have[checkID(p, a, name)] })
		if len(names) == 0 {
			continue
		}
		r.progress.At(fmt.Sprintf("%s check %s", p.Name, a.Label), 0, r.rest(0))
		s := newSpec(a, p.Measure.checks())
		s.Seed, s.Threads, s.Text = r.run.Seed, r.threads, r.text(p)
		var cells []workload.Cell
		for _, name := range names {
			cells = append(cells, workload.Cell{What: name, Seed: s.Seed})
		}
		records, err := r.whole(ctx, s, cells, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for i, name := range names {
			if err != nil || i >= len(records) {
				if err := r.fail(p, a, phaseCheck, checkID(p, a, name), name, r.run.Seed, firstError(err)); err != nil {
					return err
				}
				continue
			}
			if err := r.keep(records[i], p, a, phaseCheck, checkID(p, a, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func firstError(err error) error {
	if err == nil {
		return errors.New("the process sent no record")
	}
	return err
}

// whole runs a cell that is one request, in a process of its own.
func (r *runner) whole(ctx context.Context, s *spec, cells []workload.Cell, note func(progressNote)) ([]record.Record, error) {
	c, err := startChild(r.exe, r.profile.timeout)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if _, err := c.ask(ctx, request{Op: opStart, Spec: s}, nil); err != nil {
		return nil, err
	}
	answer, err := c.ask(ctx, request{Op: opRun, Cells: cells}, note)
	return answer.Records, err
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

// quality trains what is left, as many models at a time as there are threads
// and memory holds, each with one thread.
func (r *runner) quality(ctx context.Context, work [][]job) error {
	queue := make(chan []job)
	workers := r.sideBySide(work)
	errs := make(chan error, workers)
	stop := make(chan struct{})
	var once sync.Once
	for range workers {
		go func() {
			var err error
			for js := range queue {
				if err = r.qualityCell(ctx, js); err != nil {
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

// qualityCell trains and evaluates one model and records it for every part
// that asked for it.
func (r *runner) qualityCell(ctx context.Context, jobs []job) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	j := jobs[0]
	s := newSpec(j.arm, j.part.Measure.Quality)
	s.Seed, s.Threads, s.Corpus = j.seed, 1, j.part.Corpus
	begun := r.now()
	records, err := r.whole(ctx, s, []workload.Cell{{What: j.what(), Seed: j.seed, Keys: map[string]any{"lr": j.lr}}}, func(n progressNote) {
		left := r.guess.done(j, float64(n.Done)/float64(max(1, n.Total)), r.now().Sub(begun))
		r.progress.At(fmt.Sprintf("%s quality %s %s", j.part.Name, j.arm.Label, j.what()), n.TokensPerS, left/time.Duration(r.threads))
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.guess.done(j, 1, r.now().Sub(begun))
	if err == nil && len(records) != 1 {
		err = errors.New("the process sent no record")
	}
	for _, j := range jobs {
		if err != nil {
			if err := r.fail(j.part, j.arm, phaseQuality, j.id(), j.what(), j.seed, err); err != nil {
				return err
			}
			continue
		}
		rec := records[0]
		rec.Keys = maps.Clone(rec.Keys)
		rec.Keys[record.KeySeed] = j.seed
		if err := r.keep(rec, j.part, j.arm, phaseQuality, j.id()); err != nil {
			return err
		}
	}
	if err == nil {
		r.progress.Say("%s quality %s %s: %s, %s", j.part.Name, j.arm.Label, j.what(), headline(&records[0]), clock(r.now().Sub(begun)))
	}
	return nil
}

// headline is the first main quantity of a record that has a number, in words.
func headline(r *record.Record) string {
	for _, v := range r.Values {
		if v.Main && v.Value != nil {
			return fmt.Sprintf("%s %.3f %s", v.Title, *v.Value, v.Unit)
		}
	}
	return "done"
}

// checks are the exact properties that are checked.
func (m *Measure) checks() *workload.Check { return &workload.Check{Names: m.Check} }

// pace foretells how long quality cells take: their arithmetic over a speed
// that is learned from those under way.
type pace struct {
	mu            sync.Mutex
	planned       float64            // GFLOP of all cells
	finished      map[string]float64 // GFLOP done, by cell
	flops, passed float64            // GFLOP and seconds seen
}

// guessGFLOPS is the speed of one thread before any was seen.
const guessGFLOPS = 30

// gflop counts 6 operations a weight and token, and 2 of those for reading
// when only evaluated. Source: Kaplan et al., arXiv 2001.08361.
func (j job) gflop() float64 {
	q := j.part.Measure.Quality
	train := float64(q.Steps) * float64(q.Batch) * float64(q.Context)
	evals := float64(q.Steps)/float64(max(1, q.EvalEvery)) + float64(q.LongContext)
	for _, p := range q.Probes {
		evals += float64(len(p.Every))
	}
	return float64(j.arm.params) * (6*train + 2*evals*float64(q.EvalTokens)) / 1e9
}

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
	if took > 0 && share > 0 {
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
