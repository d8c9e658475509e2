package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets tests run this program as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("WORKBENCH_TEST_MAIN") != "" {
		registerToys()
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// process is this program with arguments, to be started.
func process(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), "WORKBENCH_TEST_MAIN=1")
	return c
}

var littleRun = []string{"train", "--set", "dim=32,layers=2", "--corpus", "grammar", "--steps", "60", "--batch", "8", "--context", "64",
	"--val-every", "20", "--val-tokens", "512", "--checkpoint-every", "7", "--seed", "5"}

func modelBytes(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// logLines reads a log whole.
func logLines(dir string) (lines [][]byte, parsed []logLine, err error) {
	err = eachLogLine(dir, func(line []byte, l logLine) error {
		lines, parsed = append(lines, bytes.Clone(line)), append(parsed, l)
		return nil
	})
	return lines, parsed, err
}

// trained runs littleRun to its end and returns the folder.
func trained(t *testing.T, more ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	if _, _, err := call(append(append(littleRun, more...), "--out", dir)...); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTrain(t *testing.T) {
	dir := trained(t, "--threads", "1")
	two := trained(t, "--threads", "2")
	if !bytes.Equal(modelBytes(t, dir), modelBytes(t, two)) {
		t.Error("one and two threads train other weights")
	}
	lines, parsed, err := logLines(dir)
	if err != nil || len(lines) != 1+60+3+1 {
		t.Fatalf("%d lines: %v", len(lines), err)
	}
	last := parsed[len(parsed)-1]
	sum, err := sha256File(filepath.Join(dir, modelFile))
	if err != nil || !last.Done || *last.Steps != 60 || last.SHA256 != sum {
		t.Errorf("last line %s, the file's sum %s (%v)", lines[len(lines)-1], sum, err)
	}
	for _, want := range []string{`"step":60,"loss":`, `"grad_norm":`, `"lr":`, `"tokens_per_second":`, `"val_loss":`, `"val_bits_per_byte":`} {
		if !bytes.Contains(bytes.Join(lines, nil), []byte(want)) {
			t.Errorf("the log lacks %s", want)
		}
	}
	before := modelBytes(t, dir)
	if _, _, err := call("train", "--resume", dir); err != nil || !bytes.Equal(before, modelBytes(t, dir)) {
		t.Errorf("a finished run is not left alone: %v", err)
	}
	if _, _, err := call(append(littleRun, "--out", dir)...); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("a second run in the same folder: %v", err)
	}
}

// A run killed at any moment and taken up again ends in the same bytes.
func TestTrainKilled(t *testing.T) {
	want := modelBytes(t, trained(t))
	dir := filepath.Join(t.TempDir(), "run")
	args := append(littleRun, "--out", dir)
	kills := 0
	for wait := 30 * time.Millisecond; ; wait += 7 * time.Millisecond {
		c := process(args...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- c.Wait() }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("after %d kills: %v", kills, err)
			}
		case <-time.After(wait):
			c.Process.Kill()
			<-done
			kills++
			if _, err := os.Stat(filepath.Join(dir, jobFile)); err == nil {
				args = []string{"train", "--resume", dir}
			}
			continue
		}
		break
	}
	if kills < 3 {
		t.Errorf("only %d kills", kills)
	}
	if !bytes.Equal(want, modelBytes(t, dir)) {
		t.Errorf("after %d kills the weights are others", kills)
	}
	_, parsed, err := logLines(dir)
	if err != nil || len(parsed) != 1+60+3+1 {
		t.Errorf("%d lines in the log: %v", len(parsed), err)
	}
}

// Ctrl-C keeps what is done and says how to go on.
func TestTrainInterrupted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	var errs bytes.Buffer
	c := process(append(littleRun, "--steps", "100000", "--checkpoint-every", "0", "--out", dir)...)
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, parsed, _ := logLines(dir); len(parsed) > 5 {
			break
		}
	}
	c.Process.Signal(syscall.SIGINT)
	if err := c.Wait(); err == nil || !strings.Contains(errs.String(), "workbench train --resume "+dir) {
		t.Fatalf("%v: %s", err, errs.String())
	}
	j, err := readJob(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, sessionFile)); err != nil || j.Plan.Steps != 100000 {
		t.Errorf("kept: %v, %+v", err, j)
	}
}

func TestTrainDiverges(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	_, _, err := call(append(littleRun, "--lr", "1e30", "--clip", "0", "--checkpoint-every", "1", "--warmup", "0", "--out", dir)...)
	if err == nil || !strings.Contains(err.Error(), "diverged at step") || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v", err)
	}
}

func TestResumeMistakes(t *testing.T) {
	empty := t.TempDir()
	text := filepath.Join(empty, "text.txt")
	os.WriteFile(text, bytes.Repeat([]byte("a text of its own. "), 400), 0o666)
	dir := filepath.Join(empty, "run")
	c := process("train", "--set", "dim=16,layers=1", "--corpus", text, "--steps", "100000", "--context", "16", "--out", dir)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if _, err := os.Stat(filepath.Join(dir, logFile)); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.Process.Kill()
	c.Wait()
	os.WriteFile(text, bytes.Repeat([]byte("another text now. "), 400), 0o666)
	for _, x := range []struct{ args, says string }{
		{"train --resume " + empty, "no training run in"},
		{"train --resume " + dir, "it has changed"},
		{"train --resume " + dir + " --lr 1", "leave out --lr"},
		{"train --tokenizer klingon", "klingon"},
		{"train --order documents", "--documents TEXT"},
		{"train --documents x --order stream", "leave out --order stream"},
		{"train --mix 1,x", "--mix"},
		{"train --steps 0", "steps"},
		{"train --arch rwkv9", "rwkv4"},
		{"train --held-out 1", "--held-out"},
	} {
		if _, _, err := call(strings.Fields(x.args)...); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: error %v, want %q", x.args, err, x.says)
		}
	}
}

func TestEval(t *testing.T) {
	model := filepath.Join(trained(t), modelFile)
	out, _, err := call("eval", "--model", model, "--corpus", "grammar", "--context", "64", "--tokens", "4096")
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Tokens     int     `json:"tokens"`
		Loss       float64 `json:"loss_nats"`
		Bits       float64 `json:"bits_per_byte"`
		Perplexity float64 `json:"perplexity"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Tokens != 4096 || !(r.Bits > 1 && r.Bits < 6) || math.Abs(r.Loss-r.Bits*math.Ln2) > 1e-9 || math.Abs(r.Perplexity-math.Exp(r.Loss)) > 1e-9 {
		t.Errorf("%+v", r)
	}
	for _, x := range []struct{ args, says string }{
		{"eval", "--model"},
		{"eval --model " + model + " --context 0", "--context"},
		{"eval --model " + model + " --corpus /absent", "absent"},
	} {
		if _, _, err := call(strings.Fields(x.args)...); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: error %v, want %q", x.args, err, x.says)
		}
	}
}
