package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"workbench/arch"
	"workbench/arch/settings"
	"workbench/arch/tokenizer"
	"workbench/experiments/corpus"
	"workbench/experiments/train"
	"workbench/kernels"
)

var trainCommand = command{
	name:  "train",
	short: "Train one model on a text; a run that is interrupted or killed goes on with --resume.",
	example: "workbench train --arch rwkv4 --set dim=128,layers=4 --corpus book.txt --steps 2000 --out runs/book\n" +
		"workbench train --resume runs/book",
	mode:  resumed("train", "threads"),
	rules: trainRules,
	setup: func(fs *flag.FlagSet) body {
		job := trainJob{Plan: train.Default}
		p := &job.Plan
		fs.StringVar(&job.Arch, "arch", "rwkv4", "`ARCH`: see workbench list")
		set := fs.String("set", "", "its configuration, `key=value,...` (dim=256,layers=6)")
		var texts list
		fs.Var(&texts, "corpus", "`FILE`, folder or name of the text: see workbench list; may be given several times (default go)")
		mix := fs.String("mix", "", "how often windows are of each text, `3,1,...` (default: by their lengths)")
		fs.StringVar(&job.Tokenizer, "tokenizer", "bytes", "`NAME`: bytes, chars, world or a vocabulary file")
		fs.Float64Var(&job.HeldOut, "held-out", 0.1, "`FRACTION` of the text, its end, that is evaluated on")
		fs.IntVar(&p.Steps, "steps", p.Steps, "`N` optimiser steps")
		fs.IntVar(&p.Batch, "batch", p.Batch, "`N` windows a batch")
		fs.IntVar(&p.Context, "context", p.Context, "`N` tokens a window; where none is given fewer, if the model or the text has not so many")
		fs.IntVar(&p.ContextFrom, "context-from", 0, "`N` tokens a window at first, doubling up to --context (default: --context all the time)")
		fs.IntVar(&p.ContextSteps, "context-steps", 0, "`N` steps until windows have --context tokens")
		fs.StringVar(&p.Order, "order", "random", "`NAME`: random windows, epochs, documents, or stream, which carries the state along a text")
		fs.StringVar(&job.Documents, "documents", "", "`TEXT` that ends a document (\\n\\n, either kind of line end; \\t, \\r, \\\\): rows are then documents, whole or in pieces of --context tokens, and so they are evaluated")
		fs.Float64Var(&p.Dropout, "dropout", 0, "`SHARE` dropped of what a layer passes on, in training")
		fs.BoolVar(&p.Recompute, "recompute", false, "compute layers again for the gradient: less memory, more time")
		fs.IntVar(&p.Accumulate, "accumulate", 1, "`N` batches a step")
		fs.Float64Var(&p.LR, "lr", p.LR, "highest learning `RATE`")
		minLR := fs.Float64("min-lr", -1, "learning `RATE` at the end (default a tenth of --lr, constant: none)")
		fs.IntVar(&p.Warmup, "warmup", -1, "`N` steps of linear warm-up (default a twentieth of --steps, at most 100)")
		fs.StringVar(&p.Schedule, "schedule", p.Schedule, "`NAME` after the warm-up: cosine, exponential or constant")
		fs.Float64Var(&p.Beta1, "beta1", p.Beta1, "AdamW's `BETA` of the mean")
		fs.Float64Var(&p.Beta2, "beta2", p.Beta2, "AdamW's `BETA` of the square")
		fs.Float64Var(&p.WeightDecay, "weight-decay", p.WeightDecay, "`RATE` of decay, of matrices alone; 0 is Adam")
		fs.Float64Var(&p.Clip, "clip", p.Clip, "largest `NORM` of the gradient, 0: no limit")
		fs.BoolVar(&p.LayerLR, "layer-lr", false, "RWKV's own rates: time_decay twice, time_first three times --lr")
		fs.BoolVar(&p.L2Wrap, "l2wrap", false, "the extra gradient of RWKV's trainer, which keeps logits small")
		fs.IntVar(&p.EvalEvery, "val-every", p.EvalEvery, "`N` steps between evaluations, 0: only at the ends")
		fs.IntVar(&p.EvalTokens, "val-tokens", p.EvalTokens, "about `N` held-out tokens an evaluation, in rows evenly over them")
		fs.IntVar(&p.Patience, "patience", 0, "end after `N` evaluations without a better one, 0: never")
		fs.IntVar(&job.CheckpointEvery, "checkpoint-every", 100, "`N` steps between checkpoints, 0: only at the end")
		fs.Uint64Var(&p.Seed, "seed", p.Seed, "`SEED` of the initial weights and of the windows")
		out := fs.String("out", "", "`DIR` of the run (default runs/train-ARCH-TIME)")
		resume := fs.String("resume", "", "`DIR` of a run to go on with; all else is taken from there")
		nthreads := fs.Int("threads", 0, "`N` threads, 0: all; they change no number")
		return func(args []string, o output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if err := checkThreads(*nthreads); err != nil {
				return usageError{err}
			}
			if *nthreads > 0 {
				kernels.SetThreads(*nthreads)
			}
			if *resume != "" {
				return resumeTraining(*resume, o)
			}
			config, err := settings.Parse(*set)
			if err != nil {
				return usageError{fmt.Errorf("--set: %w", err)}
			}
			if p.Weights, err = parseWeights(*mix); err != nil {
				return usageError{err}
			}
			if err := job.checkGiven(given(fs), *minLR, len(texts)); err != nil {
				return usageError{err}
			}
			if job.Corpora = trainTexts(texts); len(texts) == 0 {
				job.Corpora = trainTexts([]string{corpus.Default})
			}
			if job.Documents != "" {
				job.Documents = unescape(job.Documents)
				if p.Order != "random" && p.Order != "documents" {
					return usageError{fmt.Errorf("--documents makes the order that of documents: leave out --order %s", p.Order)}
				}
				p.Order = "documents"
			} else if p.Order == "documents" {
				return usageError{errors.New("--order documents needs what ends one: --documents TEXT")}
			}
			job.defaults(*minLR)
			job.anyContext = !given(fs)("context")
			return job.begin(config, *out, o)
		}
	},
}

// unescape reads what a shell's plain quotes cannot hold.
func unescape(s string) string {
	return strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`).Replace(s)
}

// trainJob is what decides a run, as train.json in its folder keeps it.
type trainJob struct {
	Arch            string         `json:"arch"`
	Config          map[string]any `json:"config"` // resolved
	Corpora         []trainText    `json:"corpora"`
	Tokenizer       string         `json:"tokenizer"`
	TokenizerSHA256 string         `json:"tokenizer_sha256"`
	HeldOut         float64        `json:"held_out"`
	Documents       string         `json:"documents,omitempty"` // what ends one
	CheckpointEvery int            `json:"checkpoint_every"`
	Plan            train.Plan     `json:"plan"`

	vocabulary tokenizer.Tokenizer
	anyContext bool // none was asked for
}

// trainText is one of the texts.
type trainText struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

func trainTexts(names []string) (texts []trainText) {
	for _, n := range names {
		texts = append(texts, trainText{Name: n})
	}
	return texts
}

// parseWeights reads "3,1".
func parseWeights(s string) (w []float64, err error) {
	for i, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) {
		x, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("--mix: number %d, %q, is no weight: give one a text, separated by commas", i+1, word)
		}
		w = append(w, x)
	}
	return w, nil
}

// open reads the texts, and their vocabulary.
func (j *trainJob) open() (texts []*corpus.Text, err error) {
	var all []byte
	for _, t := range j.Corpora {
		text, err := corpus.OpenText(t.Name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
		if j.Tokenizer == "chars" {
			all = append(all, text.Data...)
		}
	}
	j.vocabulary, err = trainVocabulary(j.Tokenizer, all)
	return texts, err
}

// defaults fills in what follows from other flags.
func (j *trainJob) defaults(minLR float64) {
	p := &j.Plan
	if p.Warmup < 0 {
		p.Warmup = min(p.Steps/20, 100)
	}
	switch {
	case minLR >= 0:
		p.MinLR = minLR
	case p.Schedule == "constant":
		p.MinLR = 0
	default:
		p.MinLR = p.LR / 10
	}
}

// check tells what is wrong with the settings.
func (j *trainJob) check() error {
	if !(j.HeldOut > 0 && j.HeldOut < 1) || j.CheckpointEvery < 0 {
		return fmt.Errorf("--held-out %v and --checkpoint-every %d: give a fraction between 0 and 1, and 0 or more steps", j.HeldOut, j.CheckpointEvery)
	}
	return j.Plan.Check()
}

// begin makes the run's folder and trains.
func (j *trainJob) begin(config map[string]any, dir string, o output) error {
	if err := j.check(); err != nil {
		return usageError{err}
	}
	texts, err := j.open()
	if err != nil {
		return err
	}
	j.TokenizerSHA256 = j.vocabulary.SHA256()
	if _, ok := config["vocab"]; !ok {
		config["vocab"] = j.vocabulary.Vocab()
	}
	if err := j.fits(config); err != nil {
		return err
	}
	m, resolved, err := arch.New(j.Arch, config, j.Plan.Seed)
	if err != nil {
		return usageError{err}
	}
	j.Config = resolved
	for i := range j.Corpora {
		if j.Corpora[i].Name, err = steady(j.Corpora[i].Name, func(name string) bool { return corpus.Find(name) != nil }); err != nil {
			return err
		}
		j.Corpora[i].SHA256 = texts[i].SHA256
	}
	if j.Tokenizer, err = steady(j.Tokenizer, func(name string) bool { return slices.Contains([]string{"bytes", "chars", "world"}, name) }); err != nil {
		return err
	}
	s, err := j.session(m, texts)
	if err != nil {
		return err
	}
	folder, dir, err := claimNew(dir, j.Arch)
	if err != nil {
		return err
	}
	defer folder.Release()
	if err := writeJob(dir, j); err != nil {
		return err
	}
	return j.train(s, dir, o)
}

// steady is the name if it is one of those known, else its absolute path.
func steady(name string, known func(name string) bool) (string, error) {
	if known(name) {
		return name, nil
	}
	return filepath.Abs(name)
}

func (j *trainJob) session(m arch.Model, texts []*corpus.Text) (*train.Session, error) {
	training, held, err := j.split(texts)
	if err != nil {
		return nil, err
	}
	if j.anyContext {
		j.fitContext(m, training)
	}
	if j.Documents != "" {
		training = corpus.Pieces(training, j.Plan.Context)
	}
	return train.NewTextSession(m, training, held, j.Plan)
}

// split gives the texts, or their documents, to train on and to evaluate on.
func (j *trainJob) split(texts []*corpus.Text) (training, held []corpus.Tokens, err error) {
	for _, text := range texts {
		if j.Documents != "" {
			docs, err := text.Documents(j.vocabulary, corpus.Ending(j.Documents))
			if err != nil {
				return nil, nil, fmt.Errorf("--documents: %w", err)
			}
			a, b := corpus.SplitDocuments(docs, j.HeldOut)
			training, held = append(training, a...), append(held, b...)
			continue
		}
		tokens, err := text.Tokens(j.vocabulary)
		if err != nil {
			return nil, nil, err
		}
		a, b := tokens.Split(j.HeldOut)
		training, held = append(training, a), append(held, b)
	}
	return training, held, nil
}

// fitContext shortens a context that nobody asked for to what the model reads
// and the shortest text has.
func (j *trainJob) fitContext(m arch.Model, training []corpus.Tokens) {
	p := &j.Plan
	if limit := arch.Context(m); limit > 0 {
		p.Context = min(p.Context, limit)
	}
	if p.ContextFrom > 0 {
		return // what it doubles up to
	}
	rows := 1
	if p.Order == "stream" {
		rows = p.Batch
	}
	most := math.MaxInt
	for _, t := range training {
		most = min(most, t.Len()/rows-1)
	}
	if j.Documents == "" && most > 0 {
		p.Context = min(p.Context, most)
	}
}

// train runs a session in its folder, to the end or until it is interrupted.
func (j *trainJob) train(s *train.Session, dir string, o output) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log, err := openTrainLog(dir, s.Made(), len(s.Curve) > 0)
	if err != nil {
		return err
	}
	defer log.close()
	view := newTrainView(s, o.stderr)
	kept := s.Made()
	err = s.Run(ctx, train.Hooks{
		Progress: func(p train.Progress) {
			view.step(p)
			log.step(p)
		},
		Evaluated: func(p train.Point) error {
			view.point(p)
			return log.point(p)
		},
		Made: func(steps int) error {
			if j.CheckpointEvery > 0 && steps%j.CheckpointEvery == 0 && steps < s.Steps {
				kept = steps
				return j.keep(s, dir, log)
			}
			return nil
		},
	})
	view.End()
	switch {
	case errors.Is(err, context.Canceled):
		if err := j.keep(s, dir, log); err != nil {
			return err
		}
		return fmt.Errorf("interrupted after step %d, which is kept: workbench train --resume %s", s.Made(), dir)
	case errors.As(err, new(*train.Diverged)) && kept > 0:
		return fmt.Errorf("%w; the checkpoint of step %d is kept in %s", err, kept, dir)
	case errors.As(err, new(*train.Diverged)):
		return fmt.Errorf("%w; %s holds no checkpoint", err, dir)
	case err != nil:
		return err
	}
	return j.finish(s, dir, log, o)
}

// finish keeps a session that has come to its end, and says so.
func (j *trainJob) finish(s *train.Session, dir string, log *trainLog, o output) error {
	if err := j.keep(s, dir, log); err != nil {
		return err
	}
	sum, err := sha256File(filepath.Join(dir, modelFile))
	if err != nil {
		return err
	}
	if err := log.done(s.Made(), sum); err != nil {
		return err
	}
	fmt.Fprintf(o.stderr, "held-out %.4f bits a byte after step %d, %d MiB of activations and their gradients, weights sha256 %s\n",
		s.Score, s.Made(), s.ArenaBytes>>20, sum)
	_, err = fmt.Fprintln(o.stdout, filepath.Join(dir, modelFile))
	return err
}
