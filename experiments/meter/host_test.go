package meter

import (
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestDescribeFiles(t *testing.T) {
	root := tree(t, map[string]string{
		"proc/cpuinfo":              "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t\t: fpu avx avx2 fma f16c hypervisor\n\nprocessor\t: 1\nmodel name\t: Other\n",
		"proc/meminfo":              "MemTotal:  1024 kB\n",
		"proc/sys/kernel/osrelease": "6.1.0-test\n",
		"sys/devices/system/cpu/cpu0/cache/index0/level": "1\n", "sys/devices/system/cpu/cpu0/cache/index0/type": "Data\n", "sys/devices/system/cpu/cpu0/cache/index0/size": "32K\n",
		"sys/devices/system/cpu/cpu0/cache/index3/level": "3\n", "sys/devices/system/cpu/cpu0/cache/index3/type": "Unified\n", "sys/devices/system/cpu/cpu0/cache/index3/size": "16M\n",
		"sys/devices/system/cpu/cpu0/cache/index4/level": "4\n", "sys/devices/system/cpu/cpu0/cache/index4/size": "what\n",
	})
	h := machine{proc(root + "/proc"), root + "/sys"}.describe()
	if h.CPU != "Some CPU @ 3 GHz" || h.MemBytes != 1<<20 || !strings.HasSuffix(h.OS, " 6.1.0-test") || h.Cores < 1 || h.Go != runtime.Version() {
		t.Errorf("%+v", h)
	}
	if !reflect.DeepEqual(h.Features, []string{"avx", "avx2", "fma", "f16c"}) {
		t.Errorf("features %v", h.Features)
	}
	if !reflect.DeepEqual(h.Caches, map[string]int64{"L1d": 32 << 10, "L3": 16 << 20}) {
		t.Errorf("caches %v", h.Caches)
	}
	if w := strings.Join(h.Warnings, "\n"); !strings.Contains(w, "virtual machine") {
		t.Errorf("%q", w)
	}
	if h := (machine{"/nowhere", "/nowhere"}).describe(); h.CPU != "unknown "+runtime.GOARCH {
		t.Errorf("%+v", h)
	}
}

func TestSettings(t *testing.T) {
	const cpu = "sys/devices/system/cpu/"
	for name, c := range map[string]struct {
		files map[string]string
		want  string // what the warnings hold, "-…" what they do not
	}{
		"powersave":    {map[string]string{cpu + "cpu0/cpufreq/scaling_governor": "powersave"}, `governor is "powersave"`},
		"performance":  {map[string]string{cpu + "cpu0/cpufreq/scaling_governor": "performance"}, "-governor"},
		"no governor":  {nil, "governor cannot be read"},
		"turbo on":     {map[string]string{cpu + "intel_pstate/no_turbo": "0"}, "turbo is on"},
		"turbo off":    {map[string]string{cpu + "intel_pstate/no_turbo": "1"}, "-turbo"},
		"boost on":     {map[string]string{cpu + "cpufreq/boost": "1"}, "turbo is on"},
		"boost off":    {map[string]string{cpu + "cpufreq/boost": "0"}, "-turbo"},
		"no turbo":     {nil, "whether turbo is on cannot be read"},
		"loaded":       {map[string]string{"proc/loadavg": "900 1 1"}, "load average is 900"},
		"not loaded":   {map[string]string{"proc/loadavg": "0.00 9 9"}, "-load average"},
		"quota":        {map[string]string{"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "50000 100000"}, "limits this process to 0.5"},
		"no quota":     {map[string]string{"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "max 100000"}, "-control group"},
		"quota v1":     {map[string]string{"proc/self/cgroup": "3:memory:/\n2:cpu,cpuacct:/x\n", "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "25000", "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000"}, "to 0.25"},
		"no quota v1":  {map[string]string{"proc/self/cgroup": "2:cpu:/x\n", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000"}, "-control group"},
		"broken group": {map[string]string{"proc/self/cgroup": "nonsense\n0::/../../..\n", "sys/fs/cgroup/cpu.max": "0 0"}, "-control group"},
	} {
		root := tree(t, c.files)
		w := strings.Join(machine{proc(root + "/proc"), root + "/sys"}.warnings(), "\n")
		want, absent := strings.CutPrefix(c.want, "-")
		if strings.Contains(w, want) == absent {
			t.Errorf("%s: %q", name, w)
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"32K": 32 << 10, "2M": 2 << 20, "512": 512, "": 0, "K": 0, "-1K": 0, "99999999999999M": 0} {
		if got := parseSize(s); got != want {
			t.Errorf("%q = %d, want %d", s, got, want)
		}
	}
}

func TestDescribeHere(t *testing.T) {
	start := time.Now()
	h := Describe(true)
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	for what, m := range map[string]map[string]float64{"FMA peak": h.FMAPeak, "bandwidth": h.ReadGBs} {
		if v := m["1"]; !(v > 0.01 && v < 1e5) || len(m) > 2 {
			t.Errorf("%s: %v", what, m)
		}
	}
	if h.NoiseFloor == nil || !(*h.NoiseFloor >= 0) || math.IsInf(*h.NoiseFloor, 0) {
		t.Errorf("noise floor %v, warnings %q", h.NoiseFloor, h.Warnings)
	}
	if len(h.Energy) < 2 {
		t.Errorf("energy %+v", h.Energy)
	}
	t.Logf("%+v, floor %v", h, value(h.NoiseFloor))
}
