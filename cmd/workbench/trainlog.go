package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"workbench/arch/checkpoint"
	"workbench/arch/files"
	"workbench/experiments/train"
	"workbench/kernels"
	"workbench/reports"
)

// The files of a training run's folder.
const (
	jobFile     = "train.json"
	sessionFile = "session.safetensors" // the weights, their moments and where the run stands
	modelFile   = "model.safetensors"
	logFile     = "log.jsonl"
)

// keep writes the session and then the model alone.
func (j *trainJob) keep(s *train.Session, dir string) error {
	if err := s.Save(filepath.Join(dir, sessionFile)); err != nil {
		return err
	}
	config, err := json.Marshal(j.Config)
	if err != nil {
		return err
	}
	notes := vocabularyNotes(j.Tokenizer, j.vocabulary)
	notes["arch"], notes["config"] = j.Arch, string(config)
	return checkpoint.Save(filepath.Join(dir, modelFile), s.Model, notes)
}

func writeJob(dir string, j *trainJob) error {
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return files.Write(filepath.Join(dir, jobFile), append(b, '\n'))
}

func readJob(dir string) (*trainJob, error) {
	path := filepath.Join(dir, jobFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("no training run in %s: %w", dir, err)
	}
	var j trainJob
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := j.Plan.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &j, nil
}

// logLine is any line of log.jsonl.
type logLine struct {
	Step            *int     `json:"step,omitempty"`
	Loss            *float64 `json:"loss,omitempty"`
	GradNorm        *float64 `json:"grad_norm,omitempty"`
	LR              *float64 `json:"lr,omitempty"`
	TokensPerSecond *float64 `json:"tokens_per_second,omitempty"`
	ValLoss         *float64 `json:"val_loss,omitempty"`
	ValBPB          *float64 `json:"val_bits_per_byte,omitempty"`
	Done            bool     `json:"done,omitempty"`
	Steps           *int     `json:"steps,omitempty"`
	SHA256          string   `json:"weights_sha256,omitempty"`
}

// logLines reads the whole lines of a log; a torn last one is left out.
func logLines(dir string) (lines [][]byte, parsed []logLine, err error) {
	f, err := os.Open(filepath.Join(dir, logFile))
	if os.IsNotExist(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return lines, parsed, nil
		}
		if err != nil {
			return nil, nil, err
		}
		var l logLine
		if json.Unmarshal(line, &l) == nil {
			lines, parsed = append(lines, line), append(parsed, l)
		}
	}
}

// drawCurves draws the training runs of folders in one picture, in the first.
func drawCurves(dirs, formats []string, out output) error {
	var runs []reports.Curve
	for _, dir := range dirs {
		j, err := readJob(dir)
		if err != nil {
			return err
		}
		_, lines, err := logLines(dir)
		if err != nil {
			return err
		}
		c := reports.Curve{Label: fmt.Sprintf("%s, dim %v, layers %v, rate %g", j.Arch, j.Config["dim"], j.Config["layers"], j.Plan.LR)}
		for _, l := range lines {
			if l.Step != nil && l.ValBPB != nil {
				c.Step, c.BPB = append(c.Step, *l.Step), append(c.BPB, *l.ValBPB)
			}
		}
		if len(c.Step) == 0 {
			return fmt.Errorf("%s has no evaluation yet", dir)
		}
		runs = append(runs, c)
	}
	drawn := 0
	for _, format := range formats {
		if format != "png" && format != "svg" {
			continue // the page and the tables are those of studies
		}
		path, err := reports.Curves(dirs[0], format, runs)
		if err != nil {
			return err
		}
		fmt.Fprintln(out.stdout, path)
		drawn++
	}
	if drawn == 0 {
		return usageError{errors.New("training runs are drawn as png or svg")}
	}
	return nil
}

func trainLogDone(dir string) (bool, error) {
	_, parsed, err := logLines(dir)
	return err == nil && len(parsed) > 0 && parsed[len(parsed)-1].Done, err
}

// trainLog writes log.jsonl.
type trainLog struct {
	f   *os.File
	err error // the first of a step's line, told at the next chance
}

// openTrainLog goes on with a log after that many steps: what a run wrote
// beyond its checkpoint is written again. begun tells that the evaluation at
// step 0 is among them.
func openTrainLog(dir string, made int, begun bool) (*trainLog, error) {
	lines, parsed, err := logLines(dir)
	if err != nil {
		return nil, err
	}
	var keep []byte
	for i, l := range parsed {
		if begun && l.Step != nil && *l.Step <= made {
			keep = append(keep, lines[i]...)
		}
	}
	path := filepath.Join(dir, logFile)
	if err := files.Write(path, keep); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	return &trainLog{f: f}, err
}

func (l *trainLog) write(line logLine) error {
	b, err := json.Marshal(line)
	if err == nil && l.err == nil {
		_, err = l.f.Write(append(b, '\n'))
	}
	if l.err == nil {
		l.err = err
	}
	return l.err
}

func (l *trainLog) step(p train.Progress) {
	_ = l.write(logLine{Step: &p.Step, Loss: &p.Loss, GradNorm: &p.GradNorm, LR: &p.LR, TokensPerSecond: &p.TokensPerSecond})
}

func (l *trainLog) point(p train.Point) error {
	return l.write(logLine{Step: &p.Step, ValLoss: &p.ValLoss, ValBPB: &p.ValBPB})
}

func (l *trainLog) done(steps int, sum string) error {
	if err := l.write(logLine{Done: true, Steps: &steps, SHA256: sum}); err != nil {
		return err
	}
	return l.f.Sync()
}

func (l *trainLog) close() { l.f.Close() }

func sha256File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// trainView tells a person how far training is.
type trainView struct {
	w           io.Writer
	s           *train.Session
	peak        float64 // GFLOP/s of multiply-adds on all threads
	begun, said time.Time
	first       int // steps made before
	width       int // of the terminal, 0: none
}

func newTrainView(s *train.Session, w io.Writer) *trainView {
	now := time.Now()
	v := &trainView{w: w, s: s, peak: kernels.FMAPeak(50 * time.Millisecond), begun: now, said: now, first: s.Made()}
	if f, ok := w.(*os.File); ok {
		v.width, _, _ = term.GetSize(int(f.Fd())) // 0 where it is none
	}
	return v
}

func (v *trainView) step(p train.Progress) {
	now := time.Now()
	every := 2 * time.Second
	if v.width > 0 {
		every = 200 * time.Millisecond
	}
	if now.Sub(v.said) < every {
		return
	}
	v.said = now
	gone, steps := now.Sub(v.begun), p.Step-v.first
	left := time.Duration(float64(gone) / float64(steps) * float64(p.Steps-p.Step)).Round(time.Second)
	flops := float64(v.s.Work().Operations) / gone.Seconds() / 1e9
	v.draw(float64(p.Step)/float64(p.Steps), fmt.Sprintf("step %d of %d  about %s left  loss %.4f  %.0f tokens/s  %.0f %% of the FMA peak",
		p.Step, p.Steps, left, p.Loss, p.TokensPerSecond, 100*flops/v.peak))
}

// draw shows a line: on a terminal behind a bar, in place of the one before.
func (v *trainView) draw(share float64, line string) {
	if v.width == 0 {
		fmt.Fprintln(v.w, line)
		return
	}
	const bar = 12
	full := int(share * bar)
	line = "[" + strings.Repeat("#", full) + strings.Repeat(".", bar-full) + "] " + line
	fmt.Fprintf(v.w, "\r\x1b[K%.*s", v.width-1, line)
}

// clear takes a bar away.
func (v *trainView) clear() {
	if v.width > 0 {
		fmt.Fprint(v.w, "\r\x1b[K")
	}
}

func (v *trainView) point(p train.Point) {
	v.clear()
	fmt.Fprintf(v.w, "step %d  held-out %.4f bits a byte (%.4f nats a token), training loss %.4f nats\n", p.Step, p.ValBPB, p.ValLoss, p.TrainLoss)
}
