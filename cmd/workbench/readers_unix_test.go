//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A device in place of any file that is named on the command line ends in one
// line, at once.
func TestDevices(t *testing.T) {
	dir := t.TempDir()
	model := saveModel(t, dir, "rwkv4", map[string]any{"dim": 8, "layers": 1, "vocab": 256})
	endless := filepath.Join(dir, "endless.json")
	if err := os.Symlink("/dev/zero", endless); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join(dir, "golden")
	if err := os.Mkdir(golden, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"case.json", "cases.json", "init.json"} {
		if err := os.Symlink("/dev/zero", filepath.Join(golden, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range []string{
		"logits --tokens 1 --model " + endless, "convert --out " + dir + "/x --in " + endless, "bench decode --model " + endless,
		"eval --model " + model + " --corpus " + endless, "eval --model " + model + " --tokenizer " + endless,
		"generate --model " + model + " --tokenizer " + endless, "generate --model " + model + " --state-in " + endless,
		"logits --tokens 1 --model " + model + " --state-in " + endless,
		"train --corpus " + endless, "train --tokenizer " + endless, "run --corpus " + endless + " --out " + dir + "/run",
		"verify " + golden,
	} {
		begun := time.Now()
		_, _, err := call(strings.Fields(args)...)
		if took := time.Since(begun); err == nil || status(err) != 1 || took > 5*time.Second {
			t.Errorf("%s: %v after %v", args, err, took)
		}
		if err != nil && !strings.HasPrefix(args, "verify") && !strings.Contains(err.Error(), "a device and should be a file") {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// pipe is a named pipe that data is written to once.
func pipe(t *testing.T, data []byte) string {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	go func() {
		if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
			f.Write(data)
			f.Close()
		}
	}()
	return path
}

// A pipe does where a file is read once, and is refused where it is not.
func TestPipes(t *testing.T) {
	model := saveModel(t, t.TempDir(), "rwkv4", map[string]any{"dim": 8, "layers": 1, "vocab": 256})
	text := filepath.Join(t.TempDir(), "text")
	data := []byte(strings.Repeat("a line\n", 400))
	if err := os.WriteFile(text, data, 0o666); err != nil {
		t.Fatal(err)
	}
	want, _, err := call("eval", "--model", model, "--corpus", text)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := call("eval", "--model", model, "--corpus", pipe(t, data)); err != nil || got != want {
		t.Errorf("a text from a pipe: %q, %v, want %q", got, err, want)
	}
	vocabulary := []byte("1 'a' 1\n2 'b' 1\n")
	if _, _, err := call("eval", "--model", model, "--corpus", text, "--tokenizer", pipe(t, vocabulary)); err == nil || strings.Contains(err.Error(), "pipe") && strings.Contains(err.Error(), "should be") {
		t.Errorf("a vocabulary from a pipe, without some letters of the text: %v", err)
	}
	for _, args := range [][]string{{"logits", "--tokens", "1", "--model"}, {"run", "--out", filepath.Join(t.TempDir(), "run"), "--corpus"}} {
		path := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(path, 0o666); err != nil {
			t.Skipf("no pipes here: %v", err)
		}
		if _, _, err := call(append(args, path)...); err == nil || !strings.Contains(err.Error(), "a pipe") {
			t.Errorf("%v of a pipe: %v", args, err)
		}
	}
}
