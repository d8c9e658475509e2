package meter

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// boxed is a machine with 8 GiB free, whose process runs in a control group two
// levels deep with a limit of 4 GB of address space.
func boxed(t *testing.T) machine {
	root := tree(t, map[string]string{
		"proc/meminfo":     "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n",
		"proc/self/status": "VmSize:\t 1000000 kB\nVmData:\t 100000 kB\n",
		"proc/self/limits": "Limit                     Soft Limit           Hard Limit           Units     \n" +
			"Max data size             unlimited            unlimited            bytes     \n" +
			"Max address space         4096000000           unlimited            bytes     \n",
		"proc/self/cgroup": "12:cpu,cpuacct:/x\n4:memory:/jobs/one\n0::/user/one\n",
		"proc/self/mountinfo": "30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" +
			"34 30 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n" +
			"40 30 0:37 /user /sys/fs/cgroup/unified rw,relatime shared:1 - cgroup2 cgroup2 rw\n",
		"sys/fs/cgroup/memory/jobs/one/memory.limit_in_bytes": "9223372036854771712\n", // none
		"sys/fs/cgroup/memory/jobs/one/memory.usage_in_bytes": "1048576\n",
		"sys/fs/cgroup/memory/jobs/memory.limit_in_bytes":     "3221225472\n",
		"sys/fs/cgroup/memory/jobs/memory.usage_in_bytes":     "2147483648\n",
		"sys/fs/cgroup/memory/jobs/memory.stat":               "cache 5\ntotal_inactive_file 1073741824\n",
		"sys/fs/cgroup/unified/one/memory.max":                "1073741824\n",
		"sys/fs/cgroup/unified/one/memory.current":            "536870912\n",
		"sys/fs/cgroup/unified/memory.max":                    "max\n",
		"sys/fs/cgroup/unified/memory.current":                "536870912\n",
	})
	return machine{proc(filepath.Join(root, "proc")), filepath.Join(root, "sys")}
}

func TestMemoryAtHand(t *testing.T) {
	want := map[string]int64{
		"this machine's": 8 << 30,
		"of the limit of its control group /jobs":  2 << 30, // file pages are reclaimable
		"of the limit of its control group /one":   512 << 20,
		"of its limit of address space, ulimit -v": 4096000000 - 1000000<<10,
	}
	rooms := boxed(t).atHand()
	for _, r := range rooms {
		if want[r.Bound] != r.Free {
			t.Errorf("%s: %d, want %d", r.Bound, r.Free, want[r.Bound])
		}
		delete(want, r.Bound)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
	if rooms := (machine{proc(t.TempDir()), t.TempDir()}).atHand(); rooms != nil {
		t.Errorf("a system that reports nothing: %v", rooms)
	}
}

func TestNeed(t *testing.T) {
	need := Need{What: "a model", Parts: []Part{{"weights", 100 << 20, "a smaller dim"}, {"state", 300 << 20, "a smaller --batch"}}}
	if err := need.Within([]Room{{512 << 20, "this machine's", false}}); err != nil {
		t.Errorf("400 MiB of 512: %v", err)
	}
	for _, c := range []struct {
		room Room
		want string
	}{
		{Room{400 << 20, "this machine's", false},
			"a model needs at least 400.0 MiB of memory (weights 100.0 MiB, state 300.0 MiB) and 400.0 MiB are free (this machine's): take a smaller --batch"},
		{Room{512 << 20, "of ulimit -v", true}, "raise that limit, or take a smaller --batch"},
	} {
		if err := need.Within([]Room{c.room}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.room, err)
		}
	}
	need.Reserved = 8 << 40
	if err := need.Within([]Room{{512 << 20, "this machine's", false}}); err != nil {
		t.Errorf("reserved address space counts as memory: %v", err)
	}
	if err := need.Within([]Room{{1 << 40, "ulimit -v", true}}); err == nil {
		t.Error("what is reserved does not count as address space")
	}
	if runtime.GOOS == "linux" && (Need{What: "all", Parts: []Part{{"weights", 1e300, "less"}}}).Fits() == nil {
		t.Error("more than any machine has fits")
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[float64]string{0: "0 KiB", 1: "1 KiB", 1 << 20: "1.0 MiB", 1.5 * (1 << 30): "1.5 GiB", 1e30: "8.7e+11 EiB"} {
		if got := Size(bytes); got != want {
			t.Errorf("%v: %s, want %s", bytes, got, want)
		}
	}
}
