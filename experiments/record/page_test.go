package record

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// example returns the record and the pandas program in README.md.
func example(t *testing.T) (line []byte, program string) {
	t.Helper()
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(json|python)\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, blocks[0][2]); err != nil {
		t.Fatal(err)
	}
	return append(compact.Bytes(), '\n'), string(blocks[1][2])
}

// TestPage checks that the record in README.md is valid, and that README.md
// names only keys that records have.
func TestPage(t *testing.T) {
	line, _ := example(t)
	r, err := parse(line)
	if err != nil {
		t.Fatal(err)
	}
	if x, ok := r.Value("duration_per_token"); !ok || x != 0.00026 || r.Text(KeyArm) != "rwkv4" || r.Series("latency") == nil {
		t.Errorf("%+v", r)
	}
	if v := r.Find("joules_per_token"); v == nil || v.Value != nil || v.Reason == "" {
		t.Errorf("what is not available: %+v", v)
	}
	strict := json.NewDecoder(bytes.NewReader(line))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&Record{}); err != nil {
		t.Error(err)
	}
}

// TestPageInPandas runs the program of README.md where pandas is installed.
func TestPageInPandas(t *testing.T) {
	if exec.Command("python3", "-c", "import pandas").Run() != nil {
		t.Skip("python3 has no pandas here")
	}
	dir := t.TempDir()
	line, program := example(t)
	if err := os.WriteFile(dir+"/"+RecordsFile, line, 0o666); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(program), "\n")
	lines[len(lines)-1] = "print(" + lines[len(lines)-1] + ".iloc[0])"
	c := exec.Command("python3", "-c", strings.Join(lines, "\n"))
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "0.00026") {
		t.Errorf("%v: %s", err, out)
	}
}
