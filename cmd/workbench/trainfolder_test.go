package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"workbench/arch/files"
)

// tinyRun trains in a moment.
var tinyRun = tinyRunOn("grammar")

func tinyRunOn(text string) []string {
	return []string{"train", "--arch", "rnn", "--set", "dim=8,layers=1", "--corpus", text, "--steps", "30", "--batch", "2", "--context", "16",
		"--val-every", "10", "--val-tokens", "64", "--checkpoint-every", "7"}
}

func mustCall(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	out, errs, err := call(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out, errs
}

// TestTrainFolderIsClaimed: while a training works in a folder no other does.
func TestTrainFolderIsClaimed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := process(append(tinyRun, "--steps", "20000", "--out", dir)...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, sessionFile)); err == nil {
			break
		}
	}
	for _, args := range [][]string{append(tinyRun, "--out", dir), {"train", "--resume", dir}} {
		_, _, err := call(args...)
		if !errors.As(err, new(*files.InUse)) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", c.Process.Pid)) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestNewFolders: two runs of one second have two folders, and a folder that
// holds another run is none.
func TestNewFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	var dirs []string
	for range 3 {
		f, dir, err := claimNew("", "rnn")
		if err != nil {
			t.Fatal(err)
		}
		if err := writeJob(dir, &trainJob{}); err != nil {
			t.Fatal(err)
		}
		if len(dirs) > 0 { // the first is still at work
			f.Release()
		}
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	if len(slices.Compact(dirs)) != 3 {
		t.Errorf("folders %v", dirs)
	}
	os.Mkdir("study", 0o777)
	os.WriteFile("study/"+studyFile, nil, 0o666)
	if _, _, err := call(append(tinyRun, "--out", "study")...); !errors.Is(err, errHoldsRun) {
		t.Errorf("a folder of a study: %v", err)
	}
	if entries, err := os.ReadDir("study"); err != nil || len(entries) != 1 {
		t.Errorf("the study's folder holds %v, %v", entries, err)
	}
}

// TestResumeOfFinished: it says so and leaves all as it is; a model that was
// lost or damaged is made again, and a run that was cut off before the log's
// last line ended.
func TestResumeOfFinished(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	mustCall(t, append(tinyRun, "--out", dir)...)
	model, log := filepath.Join(dir, modelFile), filepath.Join(dir, logFile)
	want := modelBytes(t, dir)
	lines, _ := os.ReadFile(log)
	out, errs := mustCall(t, "train", "--resume", dir)
	if !strings.Contains(errs, "finished, after step 30") || out != model+"\n" {
		t.Errorf("%q, %q", out, errs)
	}
	for what, spoil := range map[string]func(){
		"lost":              func() { os.Remove(model) },
		"damaged":           func() { os.WriteFile(model, append([]byte{1}, want[1:]...), 0o666) },
		"of a step before":  func() { os.WriteFile(log, lines[:bytes.LastIndex(lines, []byte(`{"done"`))], 0o666); os.Remove(model) },
		"not yet in a line": func() { os.WriteFile(log, lines[:len(lines)-5], 0o666) },
	} {
		spoil()
		mustCall(t, "train", "--resume", dir)
		if again, _ := os.ReadFile(log); !bytes.Equal(want, modelBytes(t, dir)) || !bytes.Equal(again, lines) {
			t.Errorf("a model %s: other weights or another log", what)
		}
	}
}

// TestResumeFromDamage: the checkpoint before a damaged one is used with a
// word; without one, the error names the file.
func TestResumeFromDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	// Long enough that an earlier session is kept beside the last.
	mustCall(t, append(tinyRun, "--steps", "2000", "--out", dir)...)
	want := modelBytes(t, dir)
	session := filepath.Join(dir, sessionFile)
	b, err := os.ReadFile(session)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	for _, name := range []string{logFile, modelFile} {
		os.Remove(filepath.Join(dir, name))
	}
	os.WriteFile(session, b, 0o666)
	_, errs := mustCall(t, "train", "--resume", dir)
	if !strings.Contains(errs, session+" is damaged") || !strings.Contains(errs, "is used, of step ") || !bytes.Equal(want, modelBytes(t, dir)) {
		t.Errorf("%s", errs)
	}
	os.Remove(filepath.Join(dir, logFile))
	os.Remove(filepath.Join(dir, "session.previous.safetensors"))
	os.WriteFile(session, b, 0o666)
	if _, _, err := call("train", "--resume", dir); err == nil || !strings.Contains(err.Error(), session) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("no good checkpoint: %v", err)
	}
	os.Remove(session)
	if _, errs := mustCall(t, "train", "--resume", dir); !strings.Contains(errs, "starts at step 0") || !bytes.Equal(want, modelBytes(t, dir)) {
		t.Errorf("no checkpoint: %s", errs)
	}
}

// TestTrainFilesAreBounded: what stands in a folder under the names of a run's
// files and is none is refused.
func TestTrainFilesAreBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	mustCall(t, append(tinyRun, "--out", dir)...)
	job, err := os.ReadFile(filepath.Join(dir, jobFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte // nil: a device
		says string
	}{
		{logFile, nil, "a device"}, {logFile, bytes.Repeat([]byte("x"), 1<<20), "is no log"},
		{jobFile, nil, "a device"}, {jobFile, make([]byte, 2<<20), "more than"},
		{jobFile, bytes.Replace(job, []byte(`"held_out": 0.1`), []byte(`"held_out": 5`), 1), "--held-out 5"},
	} {
		path := filepath.Join(dir, c.name)
		os.Remove(path)
		if c.data == nil {
			if err := os.Symlink(os.DevNull, path); err != nil {
				t.Skip(err)
			}
		} else if err := os.WriteFile(path, c.data, 0o666); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"train --resume ", "report --format svg "} {
			if _, _, err := call(strings.Fields(args + dir)...); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s%s: %v, want %q", args, c.name, err, c.says)
			}
		}
	}
}

// TestDivergedStep: the step that a message names is the one that the log
// would have shown next, or shows last.
func TestDivergedStep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	_, _, err := call(append(tinyRun, "--lr", "1e30", "--clip", "0", "--warmup", "0", "--val-every", "0", "--out", dir)...)
	_, parsed, failed := logLines(dir)
	if err == nil || failed != nil || len(parsed) == 0 {
		t.Fatal(err, failed, parsed)
	}
	if last := *parsed[len(parsed)-1].Step; !strings.Contains(err.Error(), fmt.Sprintf("diverged at step %d:", last+1)) {
		t.Errorf("the log ends at step %d: %v", last, err)
	}
}

// TestDefaultContext: a context that was not asked for fits the model and the
// text.
func TestDefaultContext(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	os.WriteFile(text, []byte(strings.Repeat("abc ", 20)), 0o666)
	for _, args := range [][]string{{"--arch", "transformer", "--set", "dim=8,layers=1,heads=1,context=24"}, {"--arch", "rnn", "--set", "dim=8,layers=1", "--corpus", text}} {
		dir := filepath.Join(t.TempDir(), "run")
		mustCall(t, append(append([]string{"train", "--corpus", "grammar", "--steps", "1", "--batch", "2", "--val-tokens", "16", "--out", dir}, args...), "--held-out", "0.2")...)
		mustCall(t, "train", "--resume", dir)
		mustCall(t, "eval", "--model", filepath.Join(dir, modelFile), "--corpus", text)
	}
}

// evalLine is what eval prints.
type evalLine struct {
	Tokens int
	Loss   float64 `json:"loss_nats"`
}

func TestEvalDocuments(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	os.WriteFile(text, []byte(strings.Repeat("one two\r\n\r\nthree\r\n\r\n", 40)), 0o666)
	run := filepath.Join(dir, "run")
	mustCall(t, append(tinyRunOn(text), "--documents", `\n\n`, "--out", run)...)
	score := func(args ...string) (line evalLine, errs string) {
		out, errs := mustCall(t, append([]string{"eval", "--model", filepath.Join(run, modelFile)}, args...)...)
		if err := json.Unmarshal([]byte(out), &line); err != nil {
			t.Fatal(err)
		}
		return line, errs
	}
	asTrained, errs := score("--corpus", text)
	asked, quiet := score("--corpus", text, "--documents", `\r\n\r\n`, "--context", "16")
	if asTrained.Tokens != 40*(10+8) || asked != asTrained || !strings.Contains(errs, `documents that end in "\n\n"`) || strings.Contains(quiet, "documents") {
		t.Errorf("%+v, %+v; %q, %q", asTrained, asked, errs, quiet)
	}
	if windows, _ := score("--corpus", text, "--documents", ""); windows.Tokens != 40*20-1 {
		t.Errorf("windows: %+v", windows)
	}
	plain := filepath.Join(dir, "plain")
	os.WriteFile(plain, []byte("one line\n"), 0o666)
	if line, errs := score("--corpus", plain); line.Tokens != 8 || !strings.Contains(errs, "nowhere") {
		t.Errorf("a text without an end: %+v, %q", line, errs)
	}
	for _, args := range [][]string{{"eval", "--model", filepath.Join(run, modelFile), "--corpus", plain, "--documents", "|"}, append(tinyRunOn(plain), "--documents", "|", "--out", dir+"/x")} {
		if _, _, err := call(args...); err == nil || !strings.Contains(err.Error(), "nowhere") || !strings.Contains(err.Error(), "plain") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
