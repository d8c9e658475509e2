//go:build unix

package experiments

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"workbench/experiments/workload"
)

// serveFaulty is ServeCell with the fault of FAKE.
func serveFaulty(in io.Reader) error {
	var op, arch, how string
	fmt.Sscan(os.Getenv("FAKE"), &op, &arch, &how)
	read, write := io.Pipe()
	go func() {
		lines, of := bufio.NewScanner(in), ""
		lines.Buffer(nil, maxReply)
		for lines.Scan() {
			var r request
			if json.Unmarshal(lines.Bytes(), &r) == nil && r.Spec != nil {
				of = r.Spec.Arch
				noteStart(r.Spec)
			}
			if r.Op == op && of == arch {
				fail(how)
			}
			write.Write(append(slices.Clone(lines.Bytes()), '\n'))
		}
		write.Close()
	}()
	return ServeCell(read, os.Stdout)
}

// noteStart adds what a process was started for to the file STARTED names.
func noteStart(s *spec) {
	name := os.Getenv("STARTED")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintln(f, s.Workload, s.Arch)
}

func fail(how string) {
	switch how {
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour)
	case "segv", "abort", "term":
		syscall.Kill(os.Getpid(), map[string]syscall.Signal{"segv": syscall.SIGSEGV, "abort": syscall.SIGABRT, "term": syscall.SIGTERM}[how])
		time.Sleep(time.Hour)
	case "panic":
		panic("out of ideas")
	case "nil":
		var p *int
		*p = 1
	case "exit":
		fmt.Fprintln(os.Stderr, "first line\nthe last line")
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	}
}

// beParent starts a busy child and waits to be killed.
func beParent() {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	os.Setenv("FAKE", "start rnn hang")
	c, err := startChild(exe, time.Minute)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.cmd.Process.Pid)
	c.ask(context.Background(), request{Op: opStart, Spec: &spec{Arch: "rnn"}}, nil)
	os.Exit(1)
}

// TestParentKilled: no child outlives a program that is killed.
func TestParentKilled(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "PARENT=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the child does not run: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	for range 100 {
		if gone(pid) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	t.Error("the child outlives its parent")
}

// gone tells that a process has ended, reaped or not.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) != nil
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

// TestReasonOfDeath: a process that dies of a signal is said to, also where the
// Go runtime made an exit status and a register dump of it.
func TestReasonOfDeath(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for how, want := range map[string]string{
		"segv":  "process died: exit status 2: SIGSEGV: segmentation violation",
		"abort": "process died: exit status 2: SIGABRT: abort",
		"term":  "process died: terminated (SIGTERM)",
		"kill":  "process died: killed (SIGKILL), perhaps for want of memory",
		"nil":   "process died: exit status 2: panic: runtime error: invalid memory address or nil pointer dereference",
		"exit":  "process died: exit status 3: the last line",
	} {
		t.Setenv("FAKE", "start rnn "+how)
		c, err := startChild(exe, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.ask(context.Background(), request{Op: opStart, Spec: &spec{Arch: "rnn"}}, nil)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", how, err, want)
		}
	}
}

// TestInputEnds: a child ends when its input does, also while it works.
func TestInputEnds(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c, err := startChild(exe, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	const steps = 10_000_000
	long := specOf("rwkv4", map[string]any{"dim": 64, "layers": 2}, &workload.Quality{Steps: steps, Batch: 4, Context: 64, EvalEvery: steps, EvalTokens: 64})
	long.Corpus = "grammar"
	if _, err := c.ask(context.Background(), request{Op: opStart, Spec: long}, nil); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := c.ask(context.Background(), request{Op: opRun, Cells: []workload.Cell{{Keys: map[string]any{"lr": 1e-3}}}}, nil)
		done <- err
	}()
	time.Sleep(200 * time.Millisecond)
	begun := time.Now()
	c.in.Close()
	if err := <-done; err == nil || time.Since(begun) > time.Second {
		t.Errorf("the child ended after %v with %v", time.Since(begun), err)
	}
}
