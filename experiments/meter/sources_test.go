package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"workbench/experiments/meter/metertest"
	"workbench/experiments/record"
)

// byDomain returns the entry of a domain.
func byDomain(t *testing.T, es []record.Energy, domain string) record.Energy {
	t.Helper()
	i := slices.IndexFunc(es, func(s record.Energy) bool { return s.Domain == domain })
	if i < 0 {
		t.Fatalf("no %s in %+v", domain, es)
	}
	return es[i]
}

// TestSampled checks that a machine without counters has the energy of its
// sensors, the whole counted once, in windows that are long enough.
func TestSampled(t *testing.T) {
	for _, tree := range metertest.Sampled() {
		t.Run(tree.Name, func(t *testing.T) {
			f := newFake(t).plant(tree)
			e := f.open()
			if e.Least() != 0 {
				t.Errorf("a sampled power lengthens windows to %v", e.Least())
			}
			f.show(0.2)
			e.Idle(2 * time.Second)
			for _, d := range []time.Duration{2 * time.Second, 7 * time.Second} {
				got := slices.Collect(maps.Values(f.measure(e, d)))
				total := record.Measured(got)
				if total == nil || total.Tier != record.TierSampled {
					t.Fatalf("%+v", got)
				}
				wantJ(t, "total", total.Joules, tree.Watts*d.Seconds())
				if total.NetJ != nil && tree.Name != "battery's current" {
					wantJ(t, "net", total.NetJ, tree.Watts*0.8*d.Seconds())
				}
			}
			for _, s := range f.measure(e, 1900*time.Millisecond) {
				if s.Tier == record.TierSampled {
					wantNone(t, s, "sample_ms")
				}
			}
		})
	}
}

// TestInvariants checks on every machine that energy is never negative, that net
// is at most gross, and that the power is the energy of a token times the tokens
// of a second.
func TestInvariants(t *testing.T) {
	for _, tree := range append(metertest.Trees(), metertest.Sampled()...) {
		t.Run(tree.Name, func(t *testing.T) {
			f := newFake(t).plant(tree)
			e := f.open()
			idle := e.Idle(2 * time.Second)
			const tokens, d = 30, 4 * time.Second
			f.show(1)
			m := &joules{energy: e}
			m.Begin()
			for range 8 {
				f.work(d / 8)
				e.poll()
			}
			r := &record.Record{}
			m.End(Work{Tokens: tokens, Duration: d, CPU: d}).add(r)
			TakeIdle(r, idle)
			for _, v := range r.Values {
				if v.Value != nil && *v.Value < 0 || v.Value == nil && v.Reason == "" {
					t.Errorf("%+v", v)
				}
			}
			gross, ok := r.Value("joules_per_token")
			if ok != (tree.Watts > 0) {
				t.Fatalf("%+v", r.Values)
			}
			if !ok {
				return
			}
			if watts := gross * tokens / d.Seconds(); !near(watts, tree.Watts) {
				t.Errorf("%g J/token are %g W, want %g", gross, watts, tree.Watts)
			}
			net, ok := r.Value("net_joules_per_token")
			if v := r.Find("net_joules_per_token"); net > gross || !ok && v.Reason == "" {
				t.Errorf("net %g of %g: %+v", net, gross, v)
			}
		})
	}
}

func near(a, b float64) bool { return a > b-1e-5 && a < b+1e-5 }

// TestLeftOut checks that what another source counts again is listed with the
// reason, and not added.
func TestLeftOut(t *testing.T) {
	for _, c := range []struct{ tree, domain, reason string }{
		{"powercap and hwmon of one package", "cpu by hwmon energy", "left out of the total: powercap counts the same"},
		{"powercap and a battery", "machine by battery", "left out of the total: the whole machine, a part of which powercap counts"},
		{"processor's sensor and battery", "machine by battery", "a part of which hwmon power counts"},
	} {
		f := newFake(t).plant(metertest.Named(c.tree))
		e := f.open()
		s := byDomain(t, e.Sources(), c.domain)
		if s.Total || s.Tier == record.TierNone || !strings.Contains(s.Reason, c.reason) {
			t.Errorf("%s: %+v", c.tree, s)
		}
		if s := f.measure(e, 2*time.Second)[c.domain]; s.Joules == nil {
			t.Errorf("%s: %+v", c.tree, s)
		}
	}
	f := newFake(t).plant(metertest.Named("hwmon counters"))
	e := f.open()
	if s := byDomain(t, e.Sources(), "cpu by powercap"); s.Tier != record.TierNone || !strings.Contains(s.Reason, "no RAPL counters") {
		t.Errorf("%+v", s)
	}
	wantJ(t, "a core", f.measure(e, time.Second)["amd_energy Ecore000"].Joules, 8)
}

// TestLockedHwmon checks that a locked counter names the command that unlocks it.
func TestLockedHwmon(t *testing.T) {
	f := newFake(t).plant(metertest.Named("hwmon counters"))
	f.denied["hwmon1"] = true
	total := f.open().Sources()[0]
	wantNone(t, total, "sudo chmod a+r "+filepath.Join(f.root, "class/hwmon/hwmon1/energy*_input"))
	wantNone(t, total, "no RAPL counters")
}

// TestTwoChips checks that channels of two chips of one name are told apart.
func TestTwoChips(t *testing.T) {
	f := newFake(t)
	for _, dir := range []string{"class/hwmon/hwmon3", "class/hwmon/hwmon4"} {
		f.file(dir+"/name", "amdgpu").meter(dir+"/power1_average", showing{busy: 30, power: true})
	}
	got := f.measure(f.open(), 2*time.Second)
	wantJ(t, "the first", got["amdgpu power1"].Joules, 60)
	wantJ(t, "the second", got["amdgpu power1 (hwmon4)"].Joules, 60)
	wantNone(t, got[DomainTotal], "no RAPL counters")
}

// TestBothPowers checks that a sensor that shows its power and its mean is one.
func TestBothPowers(t *testing.T) {
	s := newFake(t).plant(metertest.Named("power meter and graphics card")).open().Sources()
	if got := byDomain(t, s, "amdgpu power1"); len(s) != 5 || got.Total {
		t.Errorf("%+v", s)
	}
}

// TestInterpolated checks that a power that changes between samples counts with
// the mean of both.
func TestInterpolated(t *testing.T) {
	f := newFake(t).plant(metertest.Named("battery"))
	e := f.open()
	f.show(0)
	w := e.Start()
	for range 5 {
		f.work(500 * time.Millisecond)
		e.poll()
	}
	wantJ(t, "total", w.Stop()[0].Joules, 12*2+12*0.5/2)
}

// TestGap checks that a window has no energy where no sample was taken for too
// long, and the next one has.
func TestGap(t *testing.T) {
	f := newFake(t).plant(metertest.Named("battery"))
	e := f.open()
	f.show(1)
	w := e.Start()
	f.work(maxGap + time.Millisecond)
	wantNone(t, w.Stop()[0], "passed between two samples")
	wantJ(t, "the next window", f.measure(e, 2*time.Second)[DomainMachine].Joules, 24)
}

// TestBatteryStates checks that a battery counts only while the machine lives on
// it, and that what it shows is a power.
func TestBatteryStates(t *testing.T) {
	const status, power, current = "class/power_supply/BAT0/status", "class/power_supply/BAT0/power_now", "class/power_supply/BAT0/current_now"
	for reason, files := range map[string]map[string]string{
		"BAT0 is charging: unplug":    {status: "Charging", power: "5000000"},
		"does not discharge":          {status: "Full", power: "5000000"},
		"the power cannot be read":    {},
		"power_now is not a number":   {power: "much", current: "1000000"},
		"voltage_now: no such file":   {current: "1000000"},
		"the sensor shows 0 W":        {power: "0"},
		"shows 3e+04 W, more than 20": {power: "30000000000"},
	} {
		f := newFake(t).file("class/power_supply/BAT0/type", "Battery").file(status, "Discharging")
		for path, text := range files {
			f.file(path, text)
		}
		total := f.open().Sources()[0]
		wantNone(t, total, "no RAPL counters")
		wantNone(t, total, reason)
	}
	f := newFake(t).plant(metertest.Named("battery"))
	e := f.open()
	f.file(status, "Charging")
	wantNone(t, f.measure(e, 2*time.Second)[DomainMachine], "charging")
}

// A fakeEvent counts in units of a quarter of a joule.
type fakeEvent struct {
	f      *fake
	watts  float64
	closed *int
}

func (c fakeEvent) value() (uint64, error) { return uint64(c.watts * 4 * c.f.cpu.Seconds()), nil }
func (c fakeEvent) close()                 { *c.closed++ }

// power adds the RAPL events of a machine of two packages.
func (f *fake) power() *fake {
	const dir = "bus/event_source/devices/power/"
	f.file(dir+"type", "23").file(dir+"cpumask", "0,18")
	for i, name := range []string{"energy-cores", "energy-pkg", "energy-ram", "energy-psys"} {
		f.file(dir+"events/"+name, fmt.Sprintf("event=%#02x", i+1)).file(dir+"events/"+name+".scale", "0.25").file(dir+"events/"+name+".unit", "Joules")
	}
	f.file("devices/system/cpu/cpu0/topology/physical_package_id", "0").file("devices/system/cpu/cpu18/topology/physical_package_id", "1")
	return f
}

// TestPerf checks that the events count where the powercap tree is absent or
// locked, and only there.
func TestPerf(t *testing.T) {
	closed, opened := 0, 0
	watts := map[uint64]float64{1: 40, 2: 60, 3: 8, 4: 200}
	machine := func(f *fake) *fake {
		f.perf = func(unit uint32, event uint64, cpu int) (perfCounter, error) {
			if opened++; unit != 23 || cpu != 0 && cpu != 18 {
				t.Errorf("unit %d on CPU %d", unit, cpu)
			}
			return fakeEvent{f, watts[event], &closed}, nil
		}
		return f.power()
	}
	check := func(f *fake, reason string) {
		t.Helper()
		e := f.open()
		got := f.measure(e, 2*time.Second)
		wantJ(t, "total", got[DomainTotal].Joules, 2*(60+8+60+8))
		wantJ(t, "memory", got["package-1/dram"].Joules, 16)
		if s := got[DomainTotal]; s.Tier != record.TierCounter || !strings.Contains(s.Source, "perf_event: package-0 + package-0/dram + package-1") {
			t.Errorf("%+v", s)
		}
		wantNone(t, got["cpu by powercap"], reason)
		e.Close()
		e.Close()
		if opened != 7 || closed != 7 {
			t.Errorf("%d opened, %d closed", opened, closed)
		}
		opened, closed = 0, 0
	}
	check(machine(newFake(t)), "no RAPL counters")
	locked := machine(newFake(t).plant(metertest.Named("package, core, uncore")))
	locked.denied["intel-rapl:0"] = true
	check(locked, "sudo chmod a+r")
	f := machine(newFake(t).plant(metertest.Named("one package")))
	wantJ(t, "powercap", f.measure(f.open(), time.Second)[DomainTotal].Joules, 50)
	if opened != 0 {
		t.Errorf("%d events opened beside powercap", opened)
	}
}

// TestPerfLocked checks that locked and broken events say why, with the command
// that unlocks them.
func TestPerfLocked(t *testing.T) {
	const dir = "bus/event_source/devices/power/"
	for reason, change := range map[string]func(f *fake){
		"sudo sysctl kernel.perf_event_paranoid=0": func(f *fake) {
			f.perf = func(uint32, uint64, int) (perfCounter, error) { return nil, fmt.Errorf("perf: %w", fs.ErrPermission) }
		},
		"the event cannot be opened": func(f *fake) {
			f.perf = func(uint32, uint64, int) (perfCounter, error) { return nil, errors.New("no such device") }
		},
		"energy-pkg is not an event":  func(f *fake) { f.file(dir+"events/energy-pkg", "config=2") },
		"unit is not Joules":          func(f *fake) { f.file(dir+"events/energy-pkg.unit", "Watts") },
		"scale is not a part of a j":  func(f *fake) { f.file(dir+"events/energy-pkg.scale", "NaN") },
		"the counter does not move":   func(f *fake) { f.perf = standing(f, 7) },
		"not between 0.1 and 2000 W":  func(f *fake) { f.perf = moving(f) },
		"the event cannot be read: n": func(f *fake) { f.perf = func(uint32, uint64, int) (perfCounter, error) { return broken{}, nil } },
	} {
		f := newFake(t).power()
		f.perf = standing(f, 0)
		change(f)
		total := f.open().Sources()[0]
		wantNone(t, total, "no RAPL counters")
		wantNone(t, total, reason)
	}
	if s := newFake(t).file(dir+"type", "power").open().Sources(); len(s) != 2 {
		t.Errorf("%+v", s)
	}
}

func standing(f *fake, watts float64) openPerf {
	still := newFake(f.t)
	return func(uint32, uint64, int) (perfCounter, error) { return fakeEvent{still, watts, new(int)}, nil }
}

func moving(f *fake) openPerf {
	return func(uint32, uint64, int) (perfCounter, error) { return fakeEvent{f, 3000, new(int)}, nil }
}

type broken struct{}

func (broken) value() (uint64, error) { return 0, errors.New("not today") }
func (broken) close()                 {}

// TestParseCPUs checks lists of processors.
func TestParseCPUs(t *testing.T) {
	for list, want := range map[string][]int{"0": {0}, "0,18": {0, 18}, "2-4,7": {2, 3, 4, 7}, "": nil, "x": nil, "3,-1": {3}, "4-1": nil} {
		if got := parseCPUs(list); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", list, got, want)
		}
	}
	if n := len(parseCPUs("0-65535,0-65535")); n != maxZones {
		t.Errorf("%d processors", n)
	}
}
