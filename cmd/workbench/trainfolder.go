package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/files"
	"workbench/experiments/train"
)

// The files of a training run's folder.
const (
	jobFile     = "train.json"
	sessionFile = "session.safetensors" // the weights, their moments and where the run stands
	modelFile   = "model.safetensors"
	logFile     = "log.jsonl"
)

// studyFile is that of a study's run, whose folder is no place for a training.
const studyFile = "run.json"

// maxJob bounds the bytes of a train.json.
const maxJob = 1 << 20

// claimNew claims a folder for a new run: the one named, which must not hold a
// run, or one of a name that no other has.
func claimNew(dir, arch string) (*files.Folder, string, error) {
	if dir != "" {
		f, err := claimFree(dir)
		return f, dir, err
	}
	base := filepath.Join("runs", "train-"+arch+"-"+time.Now().Format("20060102-150405"))
	for n := 1; ; n++ {
		dir := base
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", base, n)
		}
		f, err := claimFree(dir)
		if errors.As(err, new(*files.InUse)) || errors.Is(err, errHoldsRun) {
			continue
		}
		return f, dir, err
	}
}

// errHoldsRun is the error of a folder that is taken.
var errHoldsRun = errors.New("holds a run already")

// claimFree claims a folder that holds no run.
func claimFree(dir string) (*files.Folder, error) {
	f, err := files.Claim(dir, "workbench train")
	if err != nil {
		return nil, err
	}
	for _, x := range [][2]string{{jobFile, "go on with --resume " + dir + ", or give another --out"}, {studyFile, "give another --out"}} {
		if _, err := os.Lstat(filepath.Join(dir, x[0])); err == nil {
			f.Release()
			return nil, fmt.Errorf("%s %w: %s", dir, errHoldsRun, x[1])
		}
	}
	return f, nil
}

// keep writes the session, of which the log tells all by then, and then the
// model alone.
func (j *trainJob) keep(s *train.Session, dir string, log *trainLog) error {
	if err := log.sync(); err != nil {
		return err
	}
	if err := s.Save(filepath.Join(dir, sessionFile)); err != nil {
		return err
	}
	config, err := json.Marshal(j.Config)
	if err != nil {
		return err
	}
	notes := vocabularyNotes(j.Tokenizer, j.vocabulary)
	notes["arch"], notes["config"] = j.Arch, string(config)
	notes[contextKey] = fmt.Sprint(j.Plan.Context)
	if j.Documents != "" {
		notes[documentsKey] = j.Documents
	}
	return checkpoint.Save(filepath.Join(dir, modelFile), s.Model, notes)
}

// writeJob makes train.json, which must be new.
func writeJob(dir string, j *trainJob) error {
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return files.WriteNew(filepath.Join(dir, jobFile), append(b, '\n'))
}

func readJob(dir string) (*trainJob, error) {
	path := filepath.Join(dir, jobFile)
	b, err := files.Read(path, maxJob)
	if err != nil {
		return nil, fmt.Errorf("no training run in %s: %w", dir, err)
	}
	var j trainJob
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := j.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &j, nil
}

// resumeTraining goes on with the run of a folder.
func resumeTraining(dir string, o output) error {
	j, err := readJob(dir)
	if err != nil {
		return err
	}
	end, err := trainLogEnd(dir)
	if err != nil {
		return err
	}
	if end != nil {
		model := filepath.Join(dir, modelFile)
		wrong := heldAgainst(model, end.SHA256)
		if wrong == nil {
			fmt.Fprintf(o.stderr, "the run in %s is finished, after step %d: there is nothing to do\n", dir, *end.Steps)
			_, err := fmt.Fprintln(o.stdout, model)
			return err
		}
		fmt.Fprintf(o.stderr, "%v: it is made again\n", wrong)
	}
	folder, err := files.Claim(dir, "workbench train --resume")
	if err != nil {
		return err
	}
	defer folder.Release()
	s, err := j.reopen(dir)
	if err != nil {
		return err
	}
	said, err := s.Resume(filepath.Join(dir, sessionFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintf(o.stderr, "%s holds no checkpoint: the run starts at step 0\n", dir)
	case err != nil:
		return err
	case said != "":
		fmt.Fprintln(o.stderr, said)
	}
	if s.Made() > 0 {
		fmt.Fprintf(o.stderr, "going on after step %d of %d\n", s.Made(), s.Steps)
	}
	return j.train(s, dir, o)
}

// heldAgainst tells how a file differs from the one of that SHA-256.
func heldAgainst(path, want string) error {
	sum, err := sha256File(path)
	if err == nil && sum != want {
		err = fmt.Errorf("%s is damaged: its checksum (sha256) is %.12s…, not %.12s… as the log says", path, sum, want)
	}
	return err
}

// reopen is the session of the run in dir at step 0.
func (j *trainJob) reopen(dir string) (*train.Session, error) {
	texts, err := j.open()
	if err != nil {
		return nil, err
	}
	for i, text := range texts {
		if text.SHA256 != j.Corpora[i].SHA256 {
			return nil, fmt.Errorf("the text %s is not the one that %s was begun with: it has changed", j.Corpora[i].Name, dir)
		}
	}
	if j.vocabulary.SHA256() != j.TokenizerSHA256 {
		return nil, fmt.Errorf("the vocabulary %s is not the one that %s was begun with: it has changed", j.Tokenizer, dir)
	}
	if err := j.fits(j.Config); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, jobFile), unusual(err))
	}
	m, _, err := arch.New(j.Arch, j.Config, j.Plan.Seed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, jobFile), err)
	}
	return j.session(m, texts)
}
