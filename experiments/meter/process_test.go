package meter

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func numCPU() int { return runtime.NumCPU() }

// tree writes files below a new folder and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestStatus(t *testing.T) {
	p := proc(tree(t, map[string]string{
		"self/status": "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nVmBad:\tmany kB\nVmNeg:\t-1 kB\nVmHuge:\t99999999999999999999 kB\n",
	}))
	if v, err := p.status("VmHWM"); v != 2<<20 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	for _, key := range []string{"VmBad", "VmNeg", "VmHuge", "VmMissing"} {
		if _, err := p.status(key); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := proc(t.TempDir()).status("VmHWM"); err == nil {
		t.Error("no file, no error")
	}
}

func TestMarks(t *testing.T) {
	// user nice system idle iowait irq softirq steal guest guest_nice
	p := proc(tree(t, map[string]string{"stat": "cpu  100 1 20 5000 7 3 4 50 9 9\ncpu0 1 1\n", "loadavg": "1.25 0.5 0.1 1/100 42\n"}))
	busy, steal, err := p.cpuTicks()
	if busy != 1280*time.Millisecond || steal != 500*time.Millisecond || err != nil {
		t.Errorf("%v, %v, %v", busy, steal, err)
	}
	if l, err := p.loadAverage(); l != 1.25 || err != nil {
		t.Errorf("%v, %v", l, err)
	}
	at := time.Unix(0, 0)
	u, err := clocks{at: at, cpu: 1, busy: 2, steal: 3}.until(clocks{at: at.Add(10), cpu: 4, busy: 9, steal: 8})
	if err != nil || u != (usage{wall: 10, cpu: 3, others: 4, steal: 5}) {
		t.Errorf("%+v, %v", u, err)
	}
	for _, bad := range []string{"", "cpu 1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n", "cpu a b c d e f g h i\n", "cpu -1 2 3 4 5 6 7 8 9\n"} {
		p := proc(tree(t, map[string]string{"stat": bad, "loadavg": bad}))
		if _, _, err := p.cpuTicks(); err == nil {
			t.Errorf("stat %q accepted", bad)
		}
		if _, err := p.clocks().until(readClocks()); err == nil {
			t.Errorf("a mark without a clock: %q", bad)
		}
	}
}

func TestUsageWarnings(t *testing.T) {
	n := time.Duration(numCPU())
	quiet := usage{wall: 10 * time.Second, cpu: time.Second, others: 50 * time.Millisecond, steal: 90 * time.Millisecond}
	if w := quiet.warnings(); len(w) != 0 {
		t.Errorf("%q", w)
	}
	loud := usage{wall: 10 * time.Second, others: n * time.Second, steal: n * 2 * time.Second}
	w := strings.Join(loud.warnings(), "\n")
	if !strings.Contains(w, "hypervisor took 20 %") || !strings.Contains(w, "processes took 10 %") {
		t.Errorf("%q", w)
	}
}

func TestProcessHere(t *testing.T) {
	before := readClocks()
	spin(30 * time.Millisecond)
	if cpu, err := CPUTime(); runtime.GOOS == "linux" && (err != nil || cpu < 20*time.Millisecond) {
		t.Errorf("%v, %v", cpu, err)
	}
	held := make([]byte, 8<<20)
	for i := range held {
		held[i] = 1
	}
	if h := heap(); h < 8<<20 {
		t.Errorf("heap %d holds 8 MiB", h)
	}
	runtime.KeepAlive(held)
	if runtime.GOOS != "linux" {
		if _, err := RSS(); err == nil || !strings.Contains(err.Error(), runtime.GOOS) {
			t.Errorf("%v", err)
		}
		return
	}
	if u, err := before.since(); err != nil || u.wall <= 0 || u.cpu <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	free, err := Free()
	if err != nil || free < 1<<20 {
		t.Errorf("%d, %v", free, err)
	}
	if l, err := system.loadAverage(); err != nil || l < 0 {
		t.Errorf("%v, %v", l, err)
	}
}
