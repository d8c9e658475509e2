// Package meter holds the instruments: memory, processor time, energy, and the
// ceilings of the machine. What cannot be measured is an error or a reason,
// never 0.
package meter

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"workbench/arch/files"
)

// proc is the root of a proc file system.
type proc string

const system proc = "/proc"

// userHz is the tick of /proc/stat: sysconf(_SC_CLK_TCK), 100 on every Linux
// that Go runs on.
const userHz = 100

// maxFile is the size limit of a file in /proc or /sys, in bytes.
const maxFile = 4 << 20

// RSS returns the peak resident set of this process in bytes (VmHWM).
func RSS() (peak int64, err error) { return system.status("VmHWM") }

// resetPeak resets the peak of RSS to the current resident set.
func resetPeak() error {
	if err := system.present(); err != nil {
		return err
	}
	// Source: proc(5), /proc/pid/clear_refs: 5 resets VmHWM.
	return os.WriteFile(filepath.Join(string(system), "self/clear_refs"), []byte("5"), 0)
}

// heap returns the bytes of objects on the Go heap, including dead objects not
// yet swept, without stopping the world.
func heap() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// clocks is a reading of the processor clocks, of this process and of the whole
// machine.
type clocks struct {
	at    time.Time
	cpu   time.Duration
	busy  time.Duration // all processes, all CPUs
	steal time.Duration // taken by the hypervisor, all CPUs
	err   error
}

// readClocks reads the clocks.
func readClocks() clocks { return system.clocks() }

// usage is what happened between two readings of the clocks: others is the time
// other processes ran and steal the time the hypervisor took, over all CPUs.
type usage struct{ wall, cpu, others, steal time.Duration }

// since returns the use of the processors since that reading.
func (m clocks) since() (usage, error) { return m.until(readClocks()) }

func (m clocks) until(n clocks) (usage, error) {
	if err := errors.Join(m.err, n.err); err != nil {
		return usage{}, err
	}
	u := usage{wall: n.at.Sub(m.at), cpu: n.cpu - m.cpu, steal: n.steal - m.steal}
	// Note: the machine counts in ticks of 10 ms, the process does not.
	u.others = max(0, n.busy-m.busy-u.cpu)
	return u, nil
}

// warnings describes what disturbed a measurement: a hypervisor or other
// processes that took more than 2 % of the processors.
func (u usage) warnings() []string {
	const share = 0.02
	var w []string
	all := u.wall.Seconds() * float64(runtime.NumCPU())
	// Below 10 ticks the machine's clock is too coarse.
	if s := u.steal; s > 100*time.Millisecond && s.Seconds() > share*all {
		w = append(w, fmt.Sprintf("the hypervisor took %.0f %% of the processors", 100*s.Seconds()/all))
	}
	if o := u.others; o > 100*time.Millisecond && o.Seconds() > share*all {
		w = append(w, fmt.Sprintf("other processes took %.0f %% of the processors", 100*o.Seconds()/all))
	}
	return w
}

func (p proc) present() error {
	if p == system && runtime.GOOS != "linux" {
		return fmt.Errorf("not available on %s", runtime.GOOS)
	}
	return nil
}

func (p proc) read(name string) (string, error) {
	if err := p.present(); err != nil {
		return "", err
	}
	return readFile(filepath.Join(string(p), name))
}

// readFile returns the trimmed text of a small file.
func readFile(path string) (string, error) {
	f, err := files.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	return strings.TrimSpace(string(b)), err
}

func (p proc) status(key string) (int64, error) { return p.kilobytes("self/status", key) }

// kilobytes finds the line "key: N kB" of a file and returns bytes.
func (p proc) kilobytes(name, key string) (int64, error) {
	text, err := p.read(name)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(line, ":")
		if k != key {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 53)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%s/%s: %s is not a size: %q", p, name, key, strings.TrimSpace(v))
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("%s/%s has no %s", p, name, key)
}

func (p proc) loadAverage() (float64, error) {
	text, err := p.read("loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(text, " ")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil || !(v >= 0) {
		return 0, fmt.Errorf("%s/loadavg is not a load: %q", p, text)
	}
	return v, nil
}

func (p proc) clocks() clocks {
	m := clocks{at: time.Now()}
	var err1, err2 error
	m.cpu, err1 = CPUTime()
	m.busy, m.steal, err2 = p.cpuTicks()
	m.err = errors.Join(err1, err2)
	return m
}

// cpuTicks reads the first line of stat: user nice system idle iowait irq
// softirq steal guest guest_nice, in ticks since boot; guest time is within
// user time. Source: proc_stat(5).
func (p proc) cpuTicks() (busy, steal time.Duration, err error) {
	text, err := p.read("stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, 0, fmt.Errorf("%s/stat does not begin with the cpu line: %q", p, line)
	}
	var v [8]uint64
	for i := range v {
		// 50 bits of ticks fit a time.Duration.
		if v[i], err = strconv.ParseUint(f[i+1], 10, 50); err != nil {
			return 0, 0, fmt.Errorf("%s/stat: %w", p, err)
		}
	}
	const tick = time.Second / userHz
	return time.Duration(v[0]+v[1]+v[2]+v[5]+v[6]) * tick, time.Duration(v[7]) * tick, nil
}
