package experiments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"workbench/arch/files"
	"workbench/experiments/corpus"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/experiments/workload"
)

// Options says how a study is run.
type Options struct {
	Profile  string    // smoke | quick | full, or one of the study's own; "" means quick
	Out      string    // folder of the run, created; "" means runs/STUDY-TIME
	Resume   string    // folder of an unfinished run, which decides everything but Progress and Exe
	Seed     uint64    // of the order of samples, the weights and the data; 0 means 1
	Set      []string  // "axis=v1,v2" of the models, "phase.key=v1,v2" of the measurements, "seeds=n"
	Corpus   string    // "" leaves the study's
	Threads  int       // of timing cells, and quality cells at a time; 0 means all cores
	Progress io.Writer // a terminal gets a bar, anything else lines; nil: silent
	Command  string    // the command line that repeats the run, for the report
	Exe      string    // runs `EXE cell`; "" means this program
}

// Run runs a study, or resumes one (s is then not read and may be nil), and
// returns the folder with its records, which no other process may work in
// meanwhile. Cells that fail are records; the error is what kept the run from
// going on. When ctx ends, what is finished is kept and the error tells how to
// resume. A finished run is left as it is.
func Run(ctx context.Context, s *Study, o Options) (dir string, err error) {
	r, err := newRunner(s, o)
	if err != nil {
		return "", err
	}
	defer r.folder.Release()
	defer r.progress.End()
	if r.run.Finished != nil && r.complete() {
		r.progress.Say("the run in %s is finished: nothing is left to measure", r.dir)
		return r.dir, nil
	}
	switch err := r.all(ctx); {
	case err == nil:
		return r.dir, nil
	case ctx.Err() != nil:
		return r.dir, &Interrupted{r.dir, ctx.Err()}
	default:
		return r.dir, fmt.Errorf("%w: what is recorded is kept; go on with: workbench run --resume %s", err, r.dir)
	}
}

// Interrupted is the error of a run whose context ended.
type Interrupted struct {
	Dir string // of what is finished
	Err error  // the context's
}

// Error implements error.
func (e *Interrupted) Error() string {
	return "interrupted: what is finished is kept; go on with: workbench run --resume " + e.Dir
}

// Unwrap returns the context's error.
func (e *Interrupted) Unwrap() error { return e.Err }

// runner is a run under way.
type runner struct {
	study    *Study
	dir      string
	folder   *files.Folder // dir, which is this process's alone
	exe      string
	threads  int
	profile  profile
	progress *Progress
	now      func() time.Time

	arms    map[string][]arm         // by part
	corpora map[string]corpus.Source // by the part's name for it
	idle    []record.Energy
	window  time.Duration // that a counter of energy needs for a sample, 0: none
	spent   time.Duration // on timing groups
	groups  []*timedGroup // not measured yet
	jobs    [][]job       // likewise, those that compute the same together
	guess   *pace
	gated   map[string]error // why a model's cost is not measured, by model

	mu   sync.Mutex // guards what follows: quality cells end side by side
	run  record.Run
	have map[string]bool // cells that have a record without an error
}

func newRunner(s *Study, o Options) (*runner, error) {
	r := &runner{now: time.Now, exe: o.Exe, threads: firstOf(o.Threads, runtime.NumCPU()), have: map[string]bool{}, guess: &pace{}, gated: map[string]error{}}
	if r.exe == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, err
		}
		r.exe = exe
	}
	r.progress = newProgress(o.Progress, lineEvery, r.now)
	if o.Resume != "" {
		if err := r.resume(o.Resume); err != nil {
			return nil, fmt.Errorf("cannot resume %s: %w", o.Resume, err)
		}
	} else if err := r.begin(s, o); err != nil {
		return nil, err
	}
	r.profile = profileOf(r.run.Profile)
	return r, nil
}

// maxSeed leaves room for the successors of a seed among the whole numbers that
// JSON keeps exactly.
const maxSeed = 1<<53 - maxSeeds

// begin takes the folder of a new run, plans it and writes the plan, from which
// it can be resumed, before anything is measured.
func (r *runner) begin(s *Study, o Options) (err error) {
	o.Profile = firstOf(o.Profile, "quick")
	if o.Seed > maxSeed {
		return fmt.Errorf("seed %d: give at most %d, so that records tell its successors apart", o.Seed, uint64(maxSeed))
	}
	if r.study, err = s.resolve(o); err != nil {
		return err
	}
	t := r.study
	r.run = record.Run{Study: t.Name, Title: t.Title, Question: t.Question, Method: t.Method, Predicts: t.Predicts, Profile: o.Profile, Workloads: descriptions(),
		Seed: firstOf(o.Seed, 1), Threads: r.threads, Command: o.Command, StudyYAML: t.YAML(), Claims: t.Claims, Started: r.now()}
	if err := r.claim(o.Out); err != nil {
		return err
	}
	if err := r.lay(); err != nil {
		r.folder.Release()
		return err
	}
	return nil
}

// lay plans all that a new run measures and writes the plan.
func (r *runner) lay() error {
	jobs, err := r.plan()
	if err != nil {
		return err
	}
	for i := range r.study.Parts {
		p := &r.study.Parts[i]
		part := record.Part{Name: p.Name, Title: p.Title, Note: p.Note, Baseline: p.Baseline}
		if len(p.groups(nil)) > 0 {
			part.Placebo = placeboOf(p.Baseline)
		}
		for _, a := range r.arms[p.Name] {
			part.Arms = append(part.Arms, a.Label)
		}
		r.run.Parts = append(r.run.Parts, part)
	}
	r.jobs = r.pending(jobs)
	return r.save()
}

// descriptions are the workloads that the program has.
func descriptions() (out []record.Workload) {
	for _, w := range workload.All() {
		out = append(out, w.Workload)
	}
	return out
}

// claim takes the folder of a new run: out or, where that is "", one called
// after the study and the time, and numbered where others have that name.
func (r *runner) claim(out string) error {
	name := firstOf(out, filepath.Join("runs", r.run.Study+"-"+r.run.Started.Format("20060102-150405")))
	r.dir = name
	for n := 2; ; n++ {
		taken, err := r.take()
		if !taken || out != "" || n > maxNames {
			return err
		}
		r.dir = fmt.Sprintf("%s-%d", name, n)
	}
}

// maxNames bounds the runs of a study that begin within a second.
const maxNames = 100

// take claims r.dir and tells whether another run has it.
func (r *runner) take() (taken bool, err error) {
	if r.folder, err = files.Claim(r.dir, "workbench run"); err != nil {
		return errors.As(err, new(*files.InUse)), err
	}
	empty, err := files.Empty(r.dir)
	if err == nil && !empty {
		taken, err = true, fmt.Errorf("the folder %s is not empty: name another with --out, or go on with --resume %s", r.dir, r.dir)
	}
	if err != nil {
		r.folder.Release()
	}
	return taken, err
}

// expand opens the corpora, makes the arms of every part and refuses what memory
// cannot hold.
func (r *runner) expand() error {
	r.arms, r.corpora = map[string][]arm{}, map[string]corpus.Source{}
	for i := range r.study.Parts {
		p := &r.study.Parts[i]
		if err := r.openCorpus(p.Corpus); err != nil {
			return fmt.Errorf("part %s: corpus: %w", p.Name, err)
		}
		arms, err := p.arms(r.corpora[p.Corpus].Vocab())
		if err != nil {
			return r.study.doc.locate(r.study.doc.inPart(r.run.Profile, p, err))
		}
		r.arms[p.Name] = arms
	}
	return r.fits()
}

// plan lists every cell of the study: r.groups are then the timed groups, and it
// returns the jobs.
func (r *runner) plan() (jobs []job, err error) {
	if err := r.expand(); err != nil {
		return nil, err
	}
	r.groups, r.run.Cells = nil, nil
	for i := range r.study.Parts {
		p := &r.study.Parts[i]
		arms := r.arms[p.Name]
		for _, g := range p.groups(arms) {
			r.run.Cells = append(r.run.Cells, g.cells()...)
			r.groups = append(r.groups, g)
		}
		js, err := p.jobs(arms, r.run.Seed)
		if err != nil {
			return nil, err
		}
		for _, j := range js {
			r.run.Cells = append(r.run.Cells, j.planned())
		}
		jobs = append(jobs, js...)
	}
	return jobs, nil
}

// complete tells that nothing is left to measure.
func (r *runner) complete() bool {
	return len(r.groups) == 0 && len(r.jobs) == 0
}

// all measures what has not been measured.
func (r *runner) all(ctx context.Context) error {
	r.progress.Say("%s, profile %s, into %s", r.run.Study, r.run.Profile, r.dir)
	if err := r.prepare(); err != nil {
		return err
	}
	if err := r.whole(ctx, true); err != nil {
		return err
	}
	for len(r.groups) > 0 {
		g := r.groups[0]
		if err := r.timing(ctx, g); err != nil {
			return err
		}
		r.groups = r.groups[1:]
	}
	if err := r.whole(ctx, false); err != nil {
		return err
	}
	finished := r.now()
	r.run.Finished = &finished
	return r.save()
}

// prepare describes the machine, once a run, and measures its idle power.
func (r *runner) prepare() error {
	if r.run.Host.CPU == "" {
		r.run.Host = describe(r.run.Profile == "smoke")
		r.run.Sources = sources(r.exe)
	}
	if !r.complete() {
		energy := meter.NewEnergy("")
		defer energy.Close()
		r.window, r.idle = energy.Least(), energy.Idle(r.profile.idle)
		r.run.Host.Energy = r.idle
	}
	return r.save()
}

// describe is replaced by tests, for which it takes too long.
var describe = meter.Describe

func (r *runner) openCorpus(name string) error {
	if r.corpora[name] != nil {
		return nil
	}
	if info, err := os.Stat(name); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return fmt.Errorf("%s is a pipe, and every process of a run reads the text: give a file", name)
	}
	source, err := corpus.Open(name)
	if err != nil {
		return err
	}
	r.corpora[name] = source
	c := source.About()
	i := slices.IndexFunc(r.run.Corpora, func(have record.Corpus) bool { return have.Name == c.Name })
	switch {
	case i < 0:
		r.run.Corpora = append(r.run.Corpora, c)
	case r.run.Corpora[i].SHA256 != c.SHA256:
		return fmt.Errorf("%s is not the text the run began with (sha256 %.12s, now %.12s): start a new run", name, r.run.Corpora[i].SHA256, c.SHA256)
	}
	return nil
}

// streamTokens are the tokens of its corpus that timed work reads.
const streamTokens = 64 << 10

func (r *runner) tokens(p *Part) []int32 { return corpus.Stream(r.corpora[p.Corpus], streamTokens) }

// share is the time the next group may take: its part, by points, of what is
// left for all.
func (r *runner) share() time.Duration {
	if r.profile.timing == 0 {
		return 0
	}
	points := 0
	for _, g := range r.groups {
		points += len(g.points)
	}
	return max(time.Second, (r.profile.timing-r.spent)*time.Duration(len(r.groups[0].points))/time.Duration(points))
}

// keep appends a record of a cell and marks the cell as measured.
func (r *runner) keep(rec record.Record, part *Part, a arm, workload, cell string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec.Cell, rec.Time = cell, r.now().UTC()
	keys := map[string]any{record.KeyStudy: r.run.Study, record.KeyPart: part.Name, record.KeyArm: a.Label, record.KeyArch: a.Arch,
		record.KeyWorkload: workload, record.KeySeed: r.run.Seed, record.KeyThreads: r.threads}
	maps.Copy(keys, rec.Keys) // which knows better
	rec.Keys = keys
	if rec.SetConfig(a.Config); rec.Error == "" {
		meter.TakeIdle(&rec, r.idle)
		r.have[cell] = true
	}
	return appendRecord(filepath.Join(r.dir, record.RecordsFile), &rec)
}

// appendRecord is replaced by tests: a disk that is full.
var appendRecord = record.Append

// fail records that a cell could not be measured.
func (r *runner) fail(part *Part, a arm, workload, cell, what string, seed uint64, reason error) error {
	r.progress.Say("failed: %s %s, %s %s: %v", part.Name, a.Label, workload, what, reason)
	rec := record.Record{Keys: map[string]any{record.KeySeed: seed}, Error: firstOf(strings.TrimSpace(reason.Error()), "unknown")}
	return r.keep(rec, part, a, workload, cell)
}

// cut tells what a group leaves out for time.
func (r *runner) cut(g *timedGroup, format string, args ...any) {
	text := g.cutName() + fmt.Sprintf(format, args...)
	r.run.Cuts = append(r.run.Cuts, text)
	r.progress.Say("cut for time: %s", text)
}

// save writes run.json.
func (r *runner) save() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return record.SaveRun(r.dir, &r.run)
}
