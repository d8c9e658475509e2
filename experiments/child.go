package experiments

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A child is a process that is one cell.
type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	replies chan reply // closed when the process's output ends
	stderr  tail
	exited  chan struct{}
	status  error // of Wait, once exited is closed
	timeout time.Duration
}

// startChild starts `exe cell`.
func startChild(exe string, timeout time.Duration) (*child, error) {
	c := &child{cmd: exec.Command(exe, "cell"), replies: make(chan reply), exited: make(chan struct{}), timeout: timeout}
	c.cmd.Stderr = &c.stderr
	c.cmd.SysProcAttr = dieWithParent()
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.in = in
	started := make(chan error)
	go func() {
		// Note: on Linux the child gets its death signal when the thread that
		// started it ends, so this thread stays until the child has ended.
		runtime.LockOSThread()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.read(out)
		c.status = c.cmd.Wait()
		close(c.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("cannot start a measuring process: %w", err)
	}
	return c, nil
}

// maxReply bounds a line from a child in bytes.
const maxReply = 64 << 20

// read passes the lines of a child on until they end.
func (c *child) read(out io.Reader) {
	defer close(c.replies)
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 64<<10), maxReply)
	for lines.Scan() {
		var r reply
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			r = reply{Error: fmt.Sprintf("unreadable reply: %v", err)}
		}
		c.replies <- r
	}
	io.Copy(io.Discard, out)
}

// died is the error of a child that has ended: nothing more can be asked of it.
type died struct{ reason string }

// Error implements error.
func (d *died) Error() string { return d.reason }

// ask sends a request and waits for the answer. An error of type *died means
// that the child is gone; any other that it could not do what was asked.
func (c *child) ask(ctx context.Context, r request, note func(progressNote)) (reply, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return reply{}, err
	}
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	go c.in.Write(append(line, '\n')) // Note: a child that cannot take it ends, which shows below.
	for {
		select {
		case answer, ok := <-c.replies:
			switch {
			case !ok:
				<-c.exited
				return reply{}, &died{c.death()}
			case answer.Progress != nil:
				if note != nil {
					note(*answer.Progress)
				}
			case answer.Error != "":
				return answer, errors.New(answer.Error)
			default:
				return answer, nil
			}
		case <-timer.C:
			c.kill()
			return reply{}, &died{fmt.Sprintf("timed out: %q took longer than %v", r.Op, c.timeout)}
		case <-ctx.Done():
			c.kill()
			return reply{}, ctx.Err()
		}
	}
}

// close lets the child end by itself and kills it when it does not.
func (c *child) close() {
	c.in.Close()
	c.wait(2 * time.Second)
}

func (c *child) kill() { c.wait(0) }

// wait waits for the child's end, killing it after that time.
func (c *child) wait(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-c.replies: // nobody wants them any more
		case <-c.exited:
			return
		case <-timer.C:
			c.cmd.Process.Kill()
		}
	}
}

// death says in words how the child ended.
func (c *child) death() string {
	how := "ended before it answered"
	var exit *exec.ExitError
	switch {
	case errors.As(c.status, &exit) && signalOf(exit) != "":
		how = "process died: " + signalOf(exit)
	case c.status != nil:
		how = "process died: " + c.status.Error()
	}
	if last := c.stderr.reason(); last != "" {
		how += ": " + last
	}
	return how
}

// signalNames are the signals that end a process, those of every system.
var signalNames = map[syscall.Signal]string{
	syscall.SIGABRT: "SIGABRT", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE", syscall.SIGHUP: "SIGHUP", syscall.SIGILL: "SIGILL",
	syscall.SIGINT: "SIGINT", syscall.SIGKILL: "SIGKILL", syscall.SIGPIPE: "SIGPIPE", syscall.SIGQUIT: "SIGQUIT", syscall.SIGSEGV: "SIGSEGV",
	syscall.SIGTERM: "SIGTERM", syscall.SIGTRAP: "SIGTRAP", syscall.SIGALRM: "SIGALRM",
}

// signalOf says which signal ended a process, "" where none did.
func signalOf(exit *exec.ExitError) string {
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return ""
	}
	s := status.Signal()
	name := firstOf(signalNames[s], fmt.Sprintf("signal %d", s))
	if s == syscall.SIGKILL {
		return "killed (" + name + "), perhaps for want of memory"
	}
	return fmt.Sprintf("%v (%s)", s, name)
}

// tail keeps the beginning and the end of what is written to it.
type tail struct {
	mu          sync.Mutex
	first, last []byte
}

const tailBytes = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := tailBytes - len(t.first); room > 0 {
		t.first = append(t.first, p[:min(room, len(p))]...)
	}
	t.last = append(t.last, p...)
	if cut := len(t.last) - tailBytes; cut > 0 {
		t.last = append(t.last[:0], t.last[cut:]...)
	}
	return len(p), nil
}

// cause matches how the Go runtime begins to say why it ends: a panic, an error
// of its own, or a signal that it received.
var cause = regexp.MustCompile(`^(panic: |fatal error: |SIG[A-Z0-9]+: )`)

// reason is the line that says why the process failed, else the last one. The
// runtime's register dump and stacks come after it.
func (t *tail) reason() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, text := range [][]byte{t.first, t.last} {
		for l := range bytes.Lines(text) {
			if cause.Match(l) {
				return string(bytes.TrimSpace(l))
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(string(t.last)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
