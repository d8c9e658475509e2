// Package metertest simulates sources of energy for tests: trees of counters and
// sensors as on real machines, the power that a meter must find in them, and
// counting in real time.
package metertest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Range is the max_energy_range_uj of a real machine, in µJ.
const Range = 262_143_328_850

// A Zone is one counter of powercap.
type Zone struct {
	ID, Name string
	Start    uint64  // µJ
	Max      uint64  // µJ, 0 for Range
	Watts    float64 // 0: the counter stands still
	Denied   bool    // the counter cannot be read
}

// A Meter is one file that shows an energy in µJ, or a power in µW.
type Meter struct {
	Path  string // under /sys
	Start uint64 // µJ
	Watts float64
	Power bool // shows the power
}

// A Tree is the sources of one machine.
type Tree struct {
	Name   string
	Zones  []Zone
	Meters []Meter
	Files  map[string]string // other files, by their paths under /sys
	// Watts is the power of the machine with each part counted once; 0 where no
	// meter can know it because of the zone Lost.
	Watts float64
	Lost  string
}

// Trees are the kinds of machines in use whose counters give the total.
func Trees() []Tree {
	pkg := Zone{ID: "intel-rapl:0", Name: "package-0", Start: 123, Watts: 50}
	core := Zone{ID: "intel-rapl:0:0", Name: "core", Start: 7e6, Watts: 38}
	return []Tree{
		{Name: "one package", Zones: []Zone{pkg}, Watts: 50},
		{Name: "package, core, uncore", Watts: 50,
			Zones: []Zone{pkg, core, {ID: "intel-rapl:0:1", Name: "uncore", Start: 5, Watts: 4}}},
		{Name: "two packages, dram", Watts: 50 + 6 + 50 + 3, Zones: []Zone{pkg, {ID: "intel-rapl:0:0", Name: "dram", Start: 9, Watts: 6},
			{ID: "intel-rapl:1", Name: "package-1", Start: 123, Watts: 50}, {ID: "intel-rapl:1:0", Name: "dram", Start: 9, Watts: 3}}},
		{Name: "psys", Zones: []Zone{pkg, core, {ID: "intel-rapl:1", Name: "psys", Start: 17, Watts: 81}}, Watts: 50},
		{Name: "psys alone", Zones: []Zone{{ID: "intel-rapl:0", Name: "psys", Start: 17, Watts: 81}}, Watts: 81},
		{Name: "mirrored dies", Watts: 50, Zones: []Zone{
			{ID: "intel-rapl:0", Name: "package-0-die-0", Start: 4e9, Watts: 50}, {ID: "intel-rapl:0:0", Name: "core", Start: 5, Watts: 20},
			{ID: "intel-rapl:1", Name: "package-0-die-1", Start: 4e9, Watts: 50}, {ID: "intel-rapl:1:0", Name: "core", Start: 5, Watts: 20}}},
		{Name: "mmio twins", Zones: []Zone{{ID: "intel-rapl-mmio:0", Name: "package-0", Start: 999, Watts: 50}, pkg, core}, Watts: 50},
		{Name: "memory without permission", Lost: "package-0/dram", Zones: []Zone{pkg, {ID: "intel-rapl:0:0", Name: "dram", Denied: true}}},
		{Name: "wrap", Zones: []Zone{{ID: "intel-rapl:0", Name: "package-0", Start: 29e6, Max: 30e6, Watts: 50}}, Watts: 50},
		{Name: "stuck counter", Zones: []Zone{{ID: "intel-rapl:0", Name: "package-0", Start: 4e9}}, Lost: "package-0"},
		{Name: "second package stuck", Zones: []Zone{pkg, {ID: "intel-rapl:1", Name: "package-1", Start: 4e9}}, Lost: "package-1"},
		{Name: "memory not counted", Zones: []Zone{pkg, {ID: "intel-rapl:0:0", Name: "dram"}}, Watts: 50},
		{Name: "hwmon counters", Watts: 40 + 30, Files: amdEnergy, Meters: amdCounters},
		{Name: "powercap and hwmon of one package", Watts: 50, Zones: []Zone{pkg}, Files: amdEnergy, Meters: amdCounters},
		{Name: "powercap and a battery", Watts: 50, Zones: []Zone{pkg}, Files: laptop, Meters: laptopPower},
	}
}

var (
	amdEnergy = map[string]string{"class/hwmon/hwmon1/name": "amd_energy", "class/hwmon/hwmon1/energy1_label": "Ecore000",
		"class/hwmon/hwmon1/energy2_label": "Esocket0", "class/hwmon/hwmon1/energy3_label": "Esocket1"}
	amdCounters = []Meter{{Path: "class/hwmon/hwmon1/energy1_input", Start: 9e6, Watts: 8}, {Path: "class/hwmon/hwmon1/energy2_input", Start: 4e9, Watts: 40},
		{Path: "class/hwmon/hwmon1/energy3_input", Start: 7e9, Watts: 30}}
	laptop      = map[string]string{"class/power_supply/BAT0/type": "Battery", "class/power_supply/BAT0/status": "Discharging"}
	laptopPower = []Meter{{Path: "class/power_supply/BAT0/power_now", Watts: 12, Power: true}}
)

// Sampled are the kinds of machines in use where a sampled power gives the
// total.
func Sampled() []Tree {
	return []Tree{
		{Name: "power meter", Watts: 210, Files: map[string]string{"class/hwmon/hwmon0/name": "power_meter"},
			Meters: []Meter{{Path: "class/hwmon/hwmon0/power1_average", Watts: 210, Power: true}}},
		{Name: "power meter and graphics card", Watts: 210, Files: map[string]string{"class/hwmon/hwmon0/name": "amdgpu", "class/hwmon/hwmon2/name": "power_meter"},
			Meters: []Meter{{Path: "class/hwmon/hwmon0/power1_average", Watts: 33, Power: true}, {Path: "class/hwmon/hwmon0/power1_input", Watts: 31, Power: true},
				{Path: "class/hwmon/hwmon2/power1_average", Watts: 210, Power: true}}},
		{Name: "processor's sensor and battery", Watts: 20, Files: merged(laptop, map[string]string{"class/hwmon/hwmon0/name": "fam15h_power"}),
			Meters: append([]Meter{{Path: "class/hwmon/hwmon0/power1_input", Watts: 20, Power: true}}, laptopPower...)},
		{Name: "battery", Watts: 12, Files: laptop, Meters: laptopPower},
		{Name: "two batteries", Watts: 12, Files: merged(laptop, map[string]string{"class/power_supply/BAT1/type": "Battery", "class/power_supply/BAT1/status": "Not charging",
			"class/power_supply/BAT1/power_now": "0", "class/power_supply/hidpp/type": "Battery", "class/power_supply/hidpp/scope": "Device",
			"class/power_supply/hidpp/status": "Discharging", "class/power_supply/hidpp/power_now": "3000000", "class/power_supply/AC/type": "Mains"}),
			Meters: laptopPower},
		{Name: "battery's current", Watts: 11.4, Files: merged(laptop, map[string]string{"class/power_supply/BAT0/voltage_now": "11400000", "class/power_supply/BAT0/current_now": "-1000000"})},
	}
}

func merged(a, b map[string]string) map[string]string {
	a = maps.Clone(a)
	maps.Copy(a, b)
	return a
}

// Named is the tree of Trees with that name.
func Named(name string) Tree {
	for _, t := range append(Trees(), Sampled()...) {
		if t.Name == name {
			return t
		}
	}
	panic("metertest: no tree " + name)
}

// Value is the counter in µJ after running for d.
func (z Zone) Value(d time.Duration) uint64 {
	limit := z.Max
	if limit == 0 {
		limit = Range
	}
	return (z.Start + uint64(z.Watts*d.Seconds()*1e6)) % limit
}

// A Feeder advances the counters of a tree in real time.
type Feeder struct {
	counters   map[*os.File]func(time.Duration) []byte // content after running for so long
	done, over chan struct{}

	mu   sync.Mutex
	last time.Time      // time of the last write
	late [][2]time.Time // intervals in which the counters were older than lateAfter
}

const lateAfter = 3 * time.Millisecond

// Feed writes the tree into dir, which stands in for /sys, and updates its
// counters every millisecond until Stop.
func (t Tree) Feed(dir string) (*Feeder, error) {
	f := &Feeder{counters: map[*os.File]func(time.Duration) []byte{}, done: make(chan struct{}), over: make(chan struct{})}
	for _, z := range t.Zones {
		file, err := z.create(filepath.Join(dir, "class/powercap", z.ID))
		if err != nil {
			return nil, err
		}
		if file != nil {
			f.counters[file] = z.text
		}
	}
	for _, m := range t.Meters {
		path := filepath.Join(dir, m.Path)
		if err := write(path, m.text(0)); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		f.counters[file] = m.text
	}
	for path, text := range t.Files {
		if err := write(filepath.Join(dir, path), []byte(text+"\n")); err != nil {
			return nil, err
		}
	}
	go f.feed()
	return f, nil
}

func (f *Feeder) feed() {
	defer close(f.over)
	raisePriority()
	begin := time.Now()
	f.last = begin
	for {
		select {
		case <-f.done:
			return
		default:
		}
		pause(time.Millisecond)
		for file, text := range f.counters {
			file.WriteAt(text(time.Since(begin)), 0) // an error means that the test has removed its folder
		}
		f.mu.Lock()
		now := time.Now()
		if now.Sub(f.last) > lateAfter {
			f.late = append(f.late, [2]time.Time{f.last, now})
		}
		f.last = now
		f.mu.Unlock()
	}
}

// Late reports whether the counters were more than three milliseconds behind at
// any time in an interval: on a busy machine the feeder may not run.
func (f *Feeder) Late(from, to time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.late, func(span [2]time.Time) bool { return span[1].After(from) && span[0].Before(to) })
}

// Stop stops the updates.
func (f *Feeder) Stop() {
	close(f.done)
	<-f.over
	for file := range f.counters {
		file.Close()
	}
}

// text is the content of the counter file, of fixed length so that one write
// replaces it.
func (z Zone) text(d time.Duration) []byte { return fmt.Appendf(nil, "%020d\n", z.Value(d)) }

// Value is what the meter shows after running for d.
func (m Meter) Value(d time.Duration) uint64 {
	if m.Power {
		return uint64(m.Watts * 1e6)
	}
	return m.Start + uint64(m.Watts*d.Seconds()*1e6)
}

func (m Meter) text(d time.Duration) []byte { return fmt.Appendf(nil, "%020d\n", m.Value(d)) }

func write(path string, text []byte) error {
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644))
}

// create makes the folder of the zone and opens its counter. The counter of a
// zone that cannot be read is a folder, because root can read any file.
func (z Zone) create(dir string) (*os.File, error) {
	limit := z.Max
	if limit == 0 {
		limit = Range
	}
	err := errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "name"), []byte(z.Name+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "enabled"), []byte("1\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "max_energy_range_uj"), fmt.Appendln(nil, limit), 0o644))
	if err != nil {
		return nil, err
	}
	counter := filepath.Join(dir, "energy_uj")
	if z.Denied {
		return nil, os.Mkdir(counter, 0o755)
	}
	if err := os.WriteFile(counter, z.text(0), 0o644); err != nil {
		return nil, err
	}
	return os.OpenFile(counter, os.O_WRONLY, 0)
}
