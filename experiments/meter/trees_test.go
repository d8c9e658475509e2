package meter

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"workbench/experiments/meter/metertest"
	"workbench/experiments/record"
)

// plant sets up the fake's counters as in a tree.
func (f *fake) plant(t metertest.Tree) *fake {
	for _, z := range t.Zones {
		limit := z.Max
		if limit == 0 {
			limit = metertest.Range
		}
		f.zone(z.ID, z.Name, z.Start, limit, z.Watts, z.Watts/5)
		f.denied[z.ID] = z.Denied
	}
	for path, text := range t.Files {
		f.file(path, text)
	}
	for _, m := range t.Meters {
		f.meter(m.Path, showing{float64(m.Start), m.Watts, m.Power})
	}
	return f
}

// TestTrees checks that the total of every machine counts each part once, in
// every window, or is n/a with the name of the lost zone.
func TestTrees(t *testing.T) {
	for _, tree := range metertest.Trees() {
		t.Run(tree.Name, func(t *testing.T) {
			f := newFake(t).plant(tree)
			e := f.open()
			idle := record.Total(e.Idle(2*time.Second), record.TierCounter)
			if (e.Least() > 0) != (tree.Watts > 0) || (idle != nil) != (tree.Watts > 0) {
				t.Errorf("windows of %v, idle %+v", e.Least(), idle)
			}
			for range 10 {
				got := f.measure(e, 250*time.Millisecond)
				marked := 0
				for _, s := range got {
					if s.Total && s.Domain != DomainEstimate {
						marked++
					}
				}
				total := got[DomainTotal]
				if marked != 1 || !total.Total || !got[DomainEstimate].Total {
					t.Errorf("%d entries are marked as the total: %+v", marked, got)
				}
				if tree.Watts == 0 {
					wantNone(t, total, tree.Lost+": ")
					continue
				}
				wantJ(t, "total", total.Joules, tree.Watts/4)
				wantJ(t, "net", total.NetJ, tree.Watts/5)
			}
		})
	}
}

// TestSpoiledWindow checks that a counter that jumps or stands still in one
// window invalidates the total of that window alone.
func TestSpoiledWindow(t *testing.T) {
	for reason, spoil := range map[string]func(f *fake){
		"package-1: the counter shows":        func(f *fake) { f.uj["intel-rapl:1"] += 1e10 },
		"package-1: the counter did not move": func(f *fake) { f.busyW["intel-rapl:1"] = 0 },
	} {
		f := newFake(t).plant(metertest.Named("two packages, dram"))
		e := f.open()
		spoil(f)
		got := f.measure(e, time.Second)
		wantNone(t, got[DomainTotal], reason)
		wantJ(t, "package-0", got["package-0"].Joules, 50)
		f.busyW["intel-rapl:1"] = 50
		wantJ(t, "the next window", f.measure(e, time.Second)[DomainTotal].Joules, 109)
	}
}

// TestHiddenName checks that there is no total without a zone whose name cannot
// be read, as it may be any zone.
func TestHiddenName(t *testing.T) {
	f := newFake(t).plant(metertest.Named("two packages, dram"))
	if err := os.Remove(filepath.Join(f.root, "class/powercap/intel-rapl:1/name")); err != nil {
		t.Fatal(err)
	}
	got := f.measure(f.open(), time.Second)
	wantNone(t, got[DomainTotal], "intel-rapl:1: the counter's name cannot be read")
}

// TestRewritten checks that a stand-in for a counter that is empty, while it is
// being rewritten, is read again.
func TestRewritten(t *testing.T) {
	texts := []string{"", "", "17"}
	f := numberFile{path: "energy_uj", read: func(string) (text string, err error) {
		text, texts = texts[0], texts[1:]
		return text, nil
	}}
	if v, lost := f.value(); v != 17 || lost != "" {
		t.Errorf("%d, %q", v, lost)
	}
}

// TestUnlock checks that the command names every counter, in both shapes of the
// tree.
func TestUnlock(t *testing.T) {
	for path, want := range map[string]string{
		"/sys/class/powercap/intel-rapl:0/energy_uj":              "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj",
		"/x/class/powercap/intel-rapl:0/intel-rapl:0:0/energy_uj": "sudo chmod a+r /x/class/powercap/intel-rapl*/energy_uj /x/class/powercap/intel-rapl*/intel-rapl*/energy_uj",
	} {
		if got := unlock(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// TestEnough checks that a window is long enough once a counter resolves its
// energy, and at once where there is no counter.
func TestEnough(t *testing.T) {
	f := newFake(t).plant(metertest.Named("one package"))
	w := f.open().Start()
	for _, want := range []bool{false, true} {
		f.work(enough - time.Millisecond)
		if w.Enough() != want {
			t.Errorf("after %v enough is %v", f.now.Sub(w.at), !want)
		}
	}
	if !newFake(t).open().Start().Enough() {
		t.Error("a window without a counter must last")
	}
}

// TestNegativeNet checks that there is no net energy where the idle power was
// higher.
func TestNegativeNet(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 0, big, 50, 60)
	e := f.open()
	e.Idle(time.Second)
	s := f.measure(e, time.Second)[DomainTotal]
	wantJ(t, "gross", s.Joules, 50)
	if s.NetJ != nil || !strings.Contains(s.Reason, "idle power") {
		t.Errorf("net %v, %q", value(s.NetJ), s.Reason)
	}
}

// TestJumpWhileIdle checks that an implausible idle power is not subtracted.
func TestJumpWhileIdle(t *testing.T) {
	f := newFake(t).plant(metertest.Named("one package"))
	e := f.open()
	e.env.sleep = func(d time.Duration) {
		f.uj["intel-rapl:0"] += 1e10
		f.sleep(d)
	}
	if s := e.Idle(time.Second)[0]; s.IdleW != nil {
		t.Errorf("idle %v W", *s.IdleW)
	}
}

// TestStandIn checks that WORKBENCH_SYSFS stands in for /sys, and that the host
// warns of it.
func TestStandIn(t *testing.T) {
	dir := t.TempDir()
	feeder, err := metertest.Named("package, core, uncore").Feed(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer feeder.Stop()
	t.Setenv("WORKBENCH_SYSFS", dir)
	h := Describe(true)
	total := record.Total(h.Energy, record.TierCounter)
	if total == nil || !strings.HasSuffix(total.Source, ": package-0") || !slices.ContainsFunc(h.Warnings, func(w string) bool { return strings.Contains(w, dir) }) {
		t.Errorf("%+v, warnings %q", h.Energy, h.Warnings)
	}
	e := NewEnergy("")
	defer e.Close()
	w := e.Start()
	for !w.Enough() {
		time.Sleep(time.Millisecond)
	}
	if got := w.Stop()[0]; got.Joules == nil {
		t.Errorf("%+v", got)
	}
}
