package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFinishedRunIsRendered: a run that was killed after its last record, or
// while its report was written, ends with the report and exit status 0.
func TestFinishedRunIsRendered(t *testing.T) {
	dir := t.TempDir()
	study, out := filepath.Join(dir, "s.yaml"), filepath.Join(dir, "run")
	if err := os.WriteFile(study, []byte("name: s\narch: [{use: rnn, dim: 8, layers: 1}]\ncorpus: grammar\nmeasure: {check: [modes]}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if b, err := process("run", study, "--profile", "smoke", "--out", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	report := filepath.Join(out, "report.html")
	before, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(report); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := call("run", "--resume", out)
	if err != nil || strings.TrimSpace(stdout) != report || !strings.Contains(stderr, "is finished") {
		t.Errorf("printed %q, said %q, %v", stdout, stderr, err)
	}
	if after, err := os.ReadFile(report); err != nil || string(after) != string(before) {
		t.Errorf("the report is another than at first: %v", err)
	}
}
