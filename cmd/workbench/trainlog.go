package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"workbench/arch/files"
	"workbench/experiments"
	"workbench/experiments/train"
	"workbench/kernels"
)

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

// maxLogLine bounds the bytes of a line that is read.
const maxLogLine = 1 << 16

// eachLogLine calls f with the whole lines of a log; what is no line of a log,
// and a torn last one, is left out. A folder without a log has none.
func eachLogLine(dir string, f func(line []byte, l logLine) error) error {
	file, err := files.Open(filepath.Join(dir, logFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for r := bufio.NewReaderSize(file, maxLogLine); ; {
		line, err := r.ReadSlice('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s is no log: %w", file.Name(), err)
		}
		var l logLine
		if json.Unmarshal(line, &l) != nil {
			continue
		}
		if err := f(line, l); err != nil {
			return err
		}
	}
}

// trainLogEnd is the last line of a finished run's log, else nil.
func trainLogEnd(dir string) (end *logLine, err error) {
	err = eachLogLine(dir, func(_ []byte, l logLine) error {
		if end = nil; l.Done && l.Steps != nil {
			end = &l
		}
		return nil
	})
	return end, err
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
	path := filepath.Join(dir, logFile)
	err := files.Create(path, func(w io.Writer) error {
		return eachLogLine(dir, func(line []byte, l logLine) error {
			if !begun || l.Step == nil || *l.Step > made {
				return nil
			}
			_, err := w.Write(line)
			return err
		})
	})
	if err != nil {
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
	return l.write(logLine{Step: &p.Step, ValLoss: &p.ValLoss, ValBPB: &p.Score})
}

func (l *trainLog) done(steps int, sum string) error {
	if err := l.write(logLine{Done: true, Steps: &steps, SHA256: sum}); err != nil {
		return err
	}
	return l.f.Sync()
}

// sync brings what was written to the disk.
func (l *trainLog) sync() error {
	if l.err != nil {
		return l.err
	}
	return l.f.Sync()
}

func (l *trainLog) close() { l.f.Close() }

func sha256File(path string) (string, error) {
	f, err := files.Open(path)
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
	*experiments.Progress
	s     *train.Session
	peak  float64 // GFLOP/s of multiply-adds on all threads
	begun time.Time
	first int // steps made before
}

func newTrainView(s *train.Session, w io.Writer) *trainView {
	peak := kernels.FMAPeak(50 * time.Millisecond)
	return &trainView{newProgress(w), s, peak, time.Now(), s.Made()}
}

func (v *trainView) step(p train.Progress) {
	gone, steps := time.Since(v.begun), p.Step-v.first
	left := time.Duration(float64(gone) / float64(steps) * float64(p.Steps-p.Step))
	flops := float64(v.s.Work().Operations) / gone.Seconds() / 1e9
	v.At(fmt.Sprintf("step %d of %d  loss %.4f  %.0f %% of the FMA peak", p.Step, p.Steps, p.Loss, 100*flops/v.peak), p.TokensPerSecond, left)
}

func (v *trainView) point(p train.Point) {
	v.Say("step %d  held-out %.4f bits a byte (%.4f nats a token), training loss %.4f nats", p.Step, p.Score, p.ValLoss, p.TrainLoss)
}
