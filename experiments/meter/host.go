package meter

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"workbench/experiments/record"
)

// A machine is the /proc and /sys that describe it.
type machine struct {
	proc proc
	sys  string
}

// here is the machine of this process. WORKBENCH_SYSFS names a folder that
// stands in for /sys, in tests and in containers.
func here() machine {
	if dir := os.Getenv("WORKBENCH_SYSFS"); dir != "" {
		return machine{system, dir}
	}
	return machine{system, "/sys"}
}

// Describe returns the machine, its settings and its ceilings, which it
// measures in this process in about 2.5 s, or 0.7 s with quick.
func Describe(quick bool) record.Host {
	m := here()
	before := readClocks()
	h := m.describe()
	measureCeilings(&h, quick)
	e := NewEnergy(m.sys)
	h.Energy = e.Sources()
	e.Close()
	if u, err := before.since(); err == nil {
		h.Warnings = append(h.Warnings, u.warnings()...)
	}
	return h
}

// describe reads the description of the machine.
func (m machine) describe() record.Host {
	info, _ := m.proc.read("cpuinfo") // absent outside Linux
	mem, _ := m.proc.kilobytes("meminfo", "MemTotal")
	h := record.Host{
		CPU: field(info, "model name"), Cores: runtime.NumCPU(), MemBytes: mem,
		OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		Features: features(info), Caches: m.caches(), Warnings: m.warnings(),
	}
	if h.CPU == "" {
		h.CPU = "unknown " + runtime.GOARCH
	}
	if kernel, err := m.proc.read("sys/kernel/osrelease"); err == nil {
		h.OS += " " + kernel
	}
	if m.sys != "/sys" {
		h.Warnings = append(h.Warnings, "WORKBENCH_SYSFS: "+m.sys+" stands in for /sys: energy, caches and clocks are read from it")
	}
	if slices.Contains(flags(info), "hypervisor") {
		h.Warnings = append(h.Warnings, "virtual machine: neighbours and the clock frequency cannot be seen")
	}
	return h
}

// field returns the value of the first "key : value" line of cpuinfo.
func field(info, key string) string {
	for line := range strings.Lines(info) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// flags returns the instruction sets, listed under "flags" on x86 and
// "Features" on ARM.
func flags(info string) []string {
	return strings.Fields(field(info, "flags") + " " + field(info, "Features"))
}

// features returns the instruction sets that matter to arithmetic.
func features(info string) []string {
	var out []string
	have := flags(info)
	for _, f := range []string{
		"sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512dq", "avx512bw", "avx512vl",
		"avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "asimd", "asimdhp", "asimddp", "sve", "sve2", "bf16", "i8mm",
	} {
		if slices.Contains(have, f) {
			out = append(out, f)
		}
	}
	return out
}

// caches returns the sizes in bytes of the caches of the first CPU: "L1d",
// "L1i", "L2", "L3".
func (m machine) caches() map[string]int64 {
	dirs, _ := filepath.Glob(filepath.Join(m.sys, "devices/system/cpu/cpu0/cache/index*")) // the pattern is well-formed
	out := make(map[string]int64)
	for _, d := range dirs {
		level, err1 := readFile(filepath.Join(d, "level"))
		kind, err2 := readFile(filepath.Join(d, "type"))
		text, err3 := readFile(filepath.Join(d, "size"))
		size := parseSize(text)
		if err1 != nil || err2 != nil || err3 != nil || size == 0 {
			continue
		}
		suffix := map[string]string{"Data": "d", "Instruction": "i"}[kind]
		out["L"+level+suffix] = size
	}
	return out
}

// parseSize reads "32K" or "1M" as bytes, 0 if it is neither.
func parseSize(s string) int64 {
	shift := 0
	switch {
	case strings.HasSuffix(s, "K"):
		shift = 10
	case strings.HasSuffix(s, "M"):
		shift = 20
	}
	n, err := strconv.ParseInt(strings.TrimRight(s, "KM"), 10, 40)
	if err != nil || n < 0 {
		return 0
	}
	return n << shift
}

// warnings lists the settings that make timings unsteady.
func (m machine) warnings() []string {
	w := m.clockWarnings()
	cores := runtime.NumCPU()
	if load, err := m.proc.loadAverage(); err == nil && load > 0.5*float64(cores) {
		w = append(w, fmt.Sprintf("the load average is %.1f on %d CPUs: other work is running", load, cores))
	}
	if q := m.quota(); q < float64(cores) {
		w = append(w, fmt.Sprintf("a control group limits this process to %.3g of %d CPUs", q, cores))
	}
	if p := runtime.GOMAXPROCS(0); p != cores {
		w = append(w, fmt.Sprintf("GOMAXPROCS is %d on %d CPUs", p, cores))
	}
	return w
}

// clockWarnings warns of an unsteady clock frequency.
func (m machine) clockWarnings() []string {
	var w []string
	cpu := filepath.Join(m.sys, "devices/system/cpu")
	governors, _ := filepath.Glob(filepath.Join(cpu, "cpu*/cpufreq/scaling_governor")) // the pattern is well-formed
	seen := make(map[string]bool)
	for _, path := range governors {
		g, err := readFile(path)
		if err == nil && g != "performance" && !seen[g] {
			seen[g] = true
			w = append(w, fmt.Sprintf("the clock governor is %q, not \"performance\"", g))
		}
	}
	if len(governors) == 0 {
		w = append(w, "the clock governor cannot be read")
	}
	noTurbo, err1 := readFile(filepath.Join(cpu, "intel_pstate/no_turbo"))
	boost, err2 := readFile(filepath.Join(cpu, "cpufreq/boost"))
	switch {
	case err1 == nil && noTurbo == "0" || err1 != nil && err2 == nil && boost == "1":
		w = append(w, "turbo is on: the clock follows temperature and load")
	case err1 != nil && err2 != nil:
		w = append(w, "whether turbo is on cannot be read")
	}
	return w
}

// quota returns the number of CPUs that the control groups of this process
// allow, +Inf without a limit. The limit of a parent binds its children.
// Source: cgroups(7); cpu.max in version 2, cpu.cfs_quota_us in version 1.
func (m machine) quota() float64 {
	limit := math.Inf(1)
	text, err := m.proc.read("self/cgroup")
	if err != nil {
		return limit
	}
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		mounts := []string{"", "unified"}
		if f[1] != "" {
			if !slices.Contains(strings.Split(f[1], ","), "cpu") {
				continue
			}
			mounts = []string{"cpu", f[1]}
		}
		for _, mount := range mounts {
			for dir := filepath.Clean("/" + f[2]); ; dir = filepath.Dir(dir) {
				limit = min(limit, groupQuota(filepath.Join(m.sys, "fs/cgroup", mount, dir)))
				if dir == "/" {
					break
				}
			}
		}
	}
	return limit
}

// groupQuota returns the limit of one control group in CPUs, +Inf for none.
func groupQuota(dir string) float64 {
	text, err := readFile(filepath.Join(dir, "cpu.max"))
	if err != nil {
		quota, err1 := readFile(filepath.Join(dir, "cpu.cfs_quota_us"))
		period, err2 := readFile(filepath.Join(dir, "cpu.cfs_period_us"))
		if err1 != nil || err2 != nil {
			return math.Inf(1)
		}
		text = quota + " " + period
	}
	var quota, period float64
	if n, _ := fmt.Sscan(text, &quota, &period); n != 2 || !(quota > 0 && period > 0) {
		return math.Inf(1) // "max" or -1: no limit
	}
	return quota / period
}
