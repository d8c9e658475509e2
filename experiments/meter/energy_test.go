package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"workbench/experiments/record"
)

// A fake is a tree of counters and sensors that follow a clock which only sleep
// and work advance.
type fake struct {
	t      *testing.T
	root   string
	now    time.Time
	cpu    time.Duration
	busyW  map[string]float64 // by zone id
	idleW  map[string]float64
	max    map[string]uint64
	uj     map[string]uint64
	denied map[string]bool
	meters map[string]*showing // by path
	perf   openPerf
	env    map[string]string
	reads  atomic.Int64 // number of counter reads
	mu     sync.Mutex   // guards now and the files, which the background goroutine reads
}

func newFake(t *testing.T) *fake {
	f := &fake{
		t: t, root: t.TempDir(), now: time.Unix(1e9, 0),
		busyW: map[string]float64{}, idleW: map[string]float64{}, max: map[string]uint64{},
		uj: map[string]uint64{}, denied: map[string]bool{}, env: map[string]string{}, meters: map[string]*showing{},
	}
	return f
}

// showing is a file that shows an energy or a power, a fifth of it while idle.
type showing struct {
	uj, busy float64
	power    bool
}

// meter adds a counter or a sensor.
func (f *fake) meter(path string, m showing) *fake {
	f.meters[path] = &m
	f.show(1)
	return f
}

// file adds a file.
func (f *fake) file(path, text string) *fake {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	path = filepath.Join(f.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o644)); err != nil {
		f.t.Fatal(err)
	}
	return f
}

// show writes what the meters show at a part of their power.
func (f *fake) show(part float64) {
	for path, m := range f.meters {
		v := m.uj
		if m.power {
			v = m.busy * part * 1e6
		}
		f.file(path, fmt.Sprint(uint64(math.Round(v))))
	}
}

// run lets the meters run at a part of their power.
func (f *fake) run(d time.Duration, part float64) {
	for _, m := range f.meters {
		m.uj += m.busy * part * d.Seconds() * 1e6
	}
	f.show(part)
}

// zone adds a counter that starts at uj and draws busy and idle watts.
func (f *fake) zone(id, name string, uj, max uint64, busy, idle float64) *fake {
	f.busyW[id], f.idleW[id], f.max[id], f.uj[id] = busy, idle, max, uj
	f.write(id, "name", name)
	f.write(id, "max_energy_range_uj", fmt.Sprint(max))
	f.write(id, "energy_uj", fmt.Sprint(uj))
	return f
}

func (f *fake) write(id, name, text string) {
	f.t.Helper()
	f.file(filepath.Join("class/powercap", id, name), text)
}

func (f *fake) advance(d time.Duration, watts map[string]float64) {
	f.mu.Lock()
	f.now = f.now.Add(d)
	f.mu.Unlock()
	for id, w := range watts {
		f.uj[id] = (f.uj[id] + uint64(math.Round(w*d.Seconds()*1e6))) % f.max[id]
		f.write(id, "energy_uj", fmt.Sprint(f.uj[id]))
	}
}

func (f *fake) work(d time.Duration) {
	f.cpu += d
	f.run(d, 1)
	f.advance(d, f.busyW)
}

func (f *fake) sleep(d time.Duration) {
	f.run(d, 0.2)
	f.advance(d, f.idleW)
}

func (f *fake) open() *Energy {
	e := newEnergy(environment{
		sysfs: f.root,
		read: func(path string) (string, error) {
			if filepath.Base(path) == "energy_uj" {
				f.reads.Add(1)
			}
			if f.denied[filepath.Base(filepath.Dir(path))] && (filepath.Base(path) == "energy_uj" || strings.HasSuffix(path, "_input")) {
				return "", &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			return readFile(path)
		},
		env: func(k string) string { return f.env[k] },
		now: func() time.Time {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.now
		},
		spin: f.work, sleep: f.sleep,
		cpu: func() (time.Duration, error) { return f.cpu, nil },
		perf: func(unit uint32, event uint64, cpu int) (perfCounter, error) {
			if f.perf == nil {
				return nil, errors.New("no events here")
			}
			return f.perf(unit, event, cpu)
		},
	})
	f.t.Cleanup(e.Close)
	return e
}

// measure returns the entries of d of work by domain, after checking the
// invariants of every entry.
func (f *fake) measure(e *Energy, d time.Duration) map[string]record.Energy {
	f.t.Helper()
	f.show(1)
	w := e.Start()
	for left := d; left > 0; left -= sampleEvery {
		f.work(min(left, sampleEvery))
		e.poll()
	}
	out := map[string]record.Energy{}
	for _, s := range w.Stop() {
		if _, twice := out[s.Domain]; twice {
			f.t.Errorf("domain %s twice", s.Domain)
		}
		out[s.Domain] = s
		if s.WindowNS != d.Nanoseconds() || s.Source == "" {
			f.t.Errorf("%+v", s)
		}
		if s.Joules == nil && (s.Reason == "" || s.NetJ != nil) {
			f.t.Errorf("n/a without a reason: %+v", s)
		}
		if s.Joules != nil && (*s.Joules < 0 || s.Tier == record.TierNone) {
			f.t.Errorf("%+v: %v J", s, *s.Joules)
		}
		if s.NetJ != nil && *s.NetJ > *s.Joules {
			f.t.Errorf("%s: net %v above gross %v", s.Domain, *s.NetJ, *s.Joules)
		}
		if s.Tier == record.TierEstimated && s.NetJ != nil {
			f.t.Error("an estimate has no net")
		}
	}
	if est := out[DomainEstimate]; est.Tier != record.TierEstimated {
		f.t.Errorf("the estimate: %+v", est)
	}
	return out
}

func wantJ(t *testing.T, what string, got *float64, want float64) {
	t.Helper()
	if got == nil || math.Abs(*got-want) > 1e-5 {
		t.Errorf("%s = %v, want %v", what, value(got), want)
	}
}

func value(p *float64) any {
	if p == nil {
		return "n/a"
	}
	return *p
}

func wantNone(t *testing.T, s record.Energy, reason string) {
	t.Helper()
	if s.Joules != nil || s.NetJ != nil || !strings.Contains(s.Reason, reason) {
		t.Errorf("%s: %v J, %s, reason %q; want n/a for %q", s.Domain, value(s.Joules), s.Tier, s.Reason, reason)
	}
}

const big = 262_143_328_850 // a real max_energy_range_uj

func TestOnePackage(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 123, big, 50, 10)
	e := f.open()
	got := f.measure(e, 2*time.Second)
	total := got[DomainTotal]
	wantJ(t, "gross", total.Joules, 100)
	if total.Tier != record.TierCounter || total.NetJ != nil || !strings.Contains(total.Reason, "idle power") || len(got) != 2 {
		t.Errorf("before idle: %+v", got)
	}
	e.Idle(2 * time.Second)
	total = f.measure(e, 3*time.Second)[DomainTotal]
	wantJ(t, "gross", total.Joules, 150)
	wantJ(t, "net", total.NetJ, 120)
	wantJ(t, "idle", total.IdleW, 10)
	wantJ(t, "idle sd", total.IdleSDW, 0)
	if total.Reason != "" || !strings.Contains(total.Source, "package-0") {
		t.Errorf("%+v", total)
	}
	doubled := f.measure(e, 6*time.Second)[DomainTotal]
	wantJ(t, "twice the time", doubled.Joules, 2**total.Joules)
}

func TestNestedZonesAreNotSummed(t *testing.T) {
	f := newFake(t).
		zone("intel-rapl:0", "package-0", 5e6, big, 50, 10).
		zone("intel-rapl:0:0", "core", 7e6, big, 40, 2).
		zone("intel-rapl:0:1", "dram", 9e6, big, 5, 4).
		zone("intel-rapl:1", "package-1", 8e9, big, 30, 10).
		zone("intel-rapl:1:0", "dram", 3e9, big, 3, 2).
		zone("intel-rapl:2", "psys", 1e6, big, 99, 40)
	got := f.measure(f.open(), time.Second)
	wantJ(t, "total", got[DomainTotal].Joules, 50+5+30+3)
	for domain, w := range map[string]float64{
		"package-0": 50, "package-0/core": 40, "package-0/dram": 5, "package-1": 30, "package-1/dram": 3, "psys": 99,
	} {
		wantJ(t, domain, got[domain].Joules, w)
	}
	if s := got[DomainTotal].Source; strings.Contains(s, "core") || strings.Contains(s, "psys") {
		t.Errorf("source %q", s)
	}
}

func TestMMIODuplicate(t *testing.T) {
	f := newFake(t).
		zone("intel-rapl-mmio:0", "package-0", 999, big, 49, 10).
		zone("intel-rapl-mmio:0:0", "dram", 42, big, 5, 1).
		zone("intel-rapl:0", "package-0", 123, big, 50, 10)
	got := f.measure(f.open(), time.Second)
	wantJ(t, "total", got[DomainTotal].Joules, 55)
	e := newFake(t).zone("intel-rapl-mmio:0", "package-0", 999, big, 50, 10).open()
	if s := e.Sources()[0]; s.Tier != record.TierCounter {
		t.Errorf("the mapped register alone: %+v", s)
	}
}

func TestMirroredDie(t *testing.T) {
	// Two zones of one name are one package, whatever they show.
	f := newFake(t).
		zone("intel-rapl:0", "package-0", 123, big, 60, 10).
		zone("intel-rapl:1", "package-0", 7e9, big, 60, 10)
	wantJ(t, "same name", f.measure(f.open(), time.Second)[DomainTotal].Joules, 60)
	// Zones of other names that share one register show the same value, apart
	// from the time between two reads.
	f = newFake(t).
		zone("intel-rapl:0", "package-0-die-0", 4e9, big, 60, 10).
		zone("intel-rapl:0:0", "core", 1e9, big, 20, 10).
		zone("intel-rapl:1", "package-0-die-1", 4e9+900, big, 60, 10).
		zone("intel-rapl:1:0", "core", 1e9, big, 20, 10)
	got := f.measure(f.open(), time.Second)
	wantJ(t, "same value", got[DomainTotal].Joules, 60)
	if len(got) != 4 {
		t.Errorf("%d entries", len(got))
	}
	f = newFake(t).
		zone("intel-rapl:0", "package-0-die-0", 4e9, big, 60, 10).
		zone("intel-rapl:1", "package-0-die-1", 5e9, big, 60, 10)
	wantJ(t, "two real dies", f.measure(f.open(), time.Second)[DomainTotal].Joules, 120)
	f = newFake(t).
		zone("intel-rapl:0", "package-0", 0, big, 60, 10).
		zone("intel-rapl:1", "package-1", 0, big, 30, 10)
	wantJ(t, "two packages from the same value", f.measure(f.open(), time.Second)[DomainTotal].Joules, 90)
}

func TestWrap(t *testing.T) {
	const small = 200_000_000 // 200 J
	f := newFake(t).zone("intel-rapl:0", "package-0", small-15e6, small, 50, 10)
	e := f.open()
	wantJ(t, "across one wrap", f.measure(e, 2*time.Second)[DomainTotal].Joules, 100)
	w := e.Start()
	for range 10 { // 500 J: reads in between see each wrap
		f.work(time.Second)
		e.poll()
	}
	wantJ(t, "across several", w.Stop()[0].Joules, 500)
}

func TestCounterReset(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 9e9, big, 50, 10)
	e := f.open()
	w := e.Start()
	f.work(time.Second)
	f.write("intel-rapl:0", "energy_uj", "17")
	wantNone(t, w.Stop()[0], "wrapped unseen")

	f = newFake(t).zone("intel-rapl:0", "package-0", 9e9, big, 50, 10)
	f.write("intel-rapl:0", "max_energy_range_uj", "nonsense")
	e = f.open()
	w = e.Start()
	f.write("intel-rapl:0", "energy_uj", "17")
	wantNone(t, w.Stop()[0], "range is unknown")
}

func TestStuckCounter(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 0, big, 0, 0)
	got := f.measure(f.open(), time.Second)
	wantNone(t, got[DomainTotal], "does not move")
	if got[DomainTotal].Tier != record.TierNone {
		t.Errorf("%+v", got[DomainTotal])
	}
	for _, w := range []float64{0.01, 5000} {
		f := newFake(t).zone("intel-rapl:0", "package-0", 0, big, w, w)
		wantNone(t, f.measure(f.open(), time.Second)[DomainTotal], "not between")
	}
	// A stuck nested counter does not affect the package.
	f = newFake(t).
		zone("intel-rapl:0", "package-0", 0, big, 50, 10).
		zone("intel-rapl:0:0", "core", 0, big, 0, 0).
		zone("intel-rapl:0:1", "dram", 0, big, 0, 0)
	got = f.measure(f.open(), time.Second)
	wantJ(t, "package", got[DomainTotal].Joules, 50)
	wantNone(t, got["package-0/core"], "does not move")
	if !strings.Contains(got[DomainTotal].Source, "without package-0/dram") {
		t.Errorf("source %q", got[DomainTotal].Source)
	}
}

func TestDenied(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 0, big, 50, 10).zone("intel-rapl:0:0", "core", 0, big, 5, 1)
	f.denied["intel-rapl:0"], f.denied["intel-rapl:0:0"] = true, true
	got := f.measure(f.open(), time.Second)
	command := "sudo chmod a+r " + f.root + "/class/powercap/intel-rapl*/energy_uj"
	wantNone(t, got[DomainTotal], command)
	est := got[DomainEstimate]
	wantJ(t, "estimate", est.Joules, 4)
	if !strings.Contains(est.Reason, command) || !strings.Contains(est.Reason, "between 0.5 and 1.5 of the number") || !strings.Contains(est.Reason, "no independent evidence") {
		t.Errorf("reason %q", est.Reason)
	}
}

func TestUnreadable(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 0, big, 50, 10)
	delete(f.busyW, "intel-rapl:0")
	f.write("intel-rapl:0", "energy_uj", "-5")
	wantNone(t, f.open().Sources()[0], "not a number")
	path := filepath.Join(f.root, "class/powercap/intel-rapl:0/energy_uj")
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	wantNone(t, f.open().Sources()[0], "cannot be read")
}

func TestNoCounters(t *testing.T) {
	f := newFake(t)
	e := f.open()
	if before := f.now; len(e.Idle(time.Minute)) != 2 || f.now != before {
		t.Error("Idle waited without a counter")
	}
	got := f.measure(e, time.Second)
	wantNone(t, got[DomainTotal], "virtual machines")
	wantJ(t, "estimate", got[DomainEstimate].Joules, 4)
	f.zone("intel-rapl", "control type", 0, big, 1, 1).zone("dtpm:0", "other", 0, big, 1, 1).zone("intel-rapl:x", "package-9", 0, big, 1, 1)
	wantNone(t, f.open().Sources()[0], "no RAPL counters")
}

func TestShortWindow(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 0, big, 50, 10)
	e := f.open()
	e.Idle(time.Second)
	wantNone(t, f.measure(e, 99*time.Millisecond)[DomainTotal], "shorter than")
	wantJ(t, "100 ms", f.measure(e, 100*time.Millisecond)[DomainTotal].Joules, 5)
}

func TestCounterDiesLater(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 0, big, 50, 10)
	e := f.open()
	w := e.Start()
	f.work(time.Second)
	f.denied["intel-rapl:0"] = true
	wantNone(t, w.Stop()[0], "sudo chmod")
}

func TestIdleSpread(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 0, big, 50, 10)
	e := f.open()
	step := 0
	e.env.sleep = func(d time.Duration) {
		step++
		f.advance(d, map[string]float64{"intel-rapl:0": 8 + 4*float64(step%2)})
	}
	s := e.Idle(10 * time.Second)[0]
	wantJ(t, "idle", s.IdleW, 10)
	wantJ(t, "sd", s.IdleSDW, 2*math.Sqrt(20./19))
	if step != 20 {
		t.Errorf("%d parts", step)
	}
	if s := newFake(t).zone("intel-rapl:0", "package-0", 0, big, 50, 10).open().Idle(150 * time.Millisecond)[0]; s.IdleW != nil {
		t.Errorf("one part has no spread: %+v", s)
	}
}

func TestEstimate(t *testing.T) {
	f := newFake(t)
	f.env["WORKBENCH_TDP_WATTS"] = "65"
	got := f.measure(f.open(), 2*time.Second)[DomainEstimate]
	wantJ(t, "design power", got.Joules, 130/float64(numCPU()))
	if !strings.Contains(got.Source, "65") || !strings.Contains(got.Reason, "between 0.5 and 1 of the number") || !strings.Contains(got.Reason, "no independent evidence") {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"lots", "-3", "NaN", "1e9"} {
		f.env["WORKBENCH_TDP_WATTS"] = bad
		got := f.measure(f.open(), time.Second)[DomainEstimate]
		wantJ(t, bad, got.Joules, 4)
		if !strings.Contains(got.Reason, "ignored") {
			t.Errorf("%s: %q", bad, got.Reason)
		}
	}
	e := f.open()
	w := e.Start()
	f.sleep(time.Second)
	wantNone(t, w.Stop()[1], "no processor time")
	e.env.cpu = func() (time.Duration, error) { return 0, errors.New("no clock here") }
	w = e.Start()
	if s := w.Stop()[1]; s.Tier != record.TierNone {
		t.Errorf("%+v", s)
	}
}

func TestBackgroundReading(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 0, 1e6, 2, 1) // 1 J: read ten times a second
	e := f.open()
	before := f.reads.Load()
	time.Sleep(350 * time.Millisecond)
	e.Close()
	e.Close()
	time.Sleep(20 * time.Millisecond)
	closed := f.reads.Load()
	if n := closed - before; n < 2 || n > 4 {
		t.Errorf("%d readings in 350 ms", n)
	}
	time.Sleep(150 * time.Millisecond)
	if f.reads.Load() != closed {
		t.Error("readings go on after Close")
	}
}

func TestHere(t *testing.T) {
	e := NewEnergy("")
	defer e.Close()
	w := e.Start()
	spin(120 * time.Millisecond)
	for _, s := range w.Stop() {
		if s.Joules == nil && s.Reason == "" || s.Joules != nil && *s.Joules <= 0 {
			t.Errorf("%+v", s)
		}
	}
}
