package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

const perfEvents = "perf_event"

// A perfCounter is an open event.
type perfCounter interface {
	value() (uint64, error)
	close()
}

// openPerf opens an event of a performance monitoring unit on a processor, for
// all processes.
type openPerf func(unit uint32, event uint64, cpu int) (perfCounter, error)

// perfDomains are the RAPL events and the names that powercap gives them.
// Source: the Linux kernel's arch/x86/events/rapl.c.
var perfDomains = []struct {
	event, domain string
	scope         scope
}{
	{"energy-pkg", "", wholePackage},
	{"energy-psys", "psys", wholePackage},
	{"energy-cores", "core", part},
	{"energy-gpu", "uncore", part},
	{"energy-ram", "dram", part},
}

// findPerf lists the RAPL events of the unit "power", one of each for every
// package (or die), counted on the processor that cpumask names for it. An event
// that cannot be opened is listed as lost. Source: perf_event_open(2); the Linux
// kernel's Documentation/ABI/testing/sysfs-bus-event_source-devices-events.
func findPerf(env environment) []*gauge {
	dir := filepath.Join(env.sysfs, "bus/event_source/devices/power")
	unit, err := strconv.ParseUint(firstLine(env.read, dir, "type"), 10, 32)
	if err != nil {
		return nil // there is no such unit
	}
	var out []*gauge
	for _, cpu := range parseCPUs(firstLine(env.read, dir, "cpumask")) {
		top := packageName(env, cpu)
		for _, d := range perfDomains {
			if d.domain == "psys" && len(out) > 0 && cpu != 0 {
				continue // one for the machine
			}
			event, scale, err := perfEventFile(env.read, filepath.Join(dir, "events", d.event))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			g := &gauge{family: perfEvents, source: "RAPL counter, perf_event", domain: top, scope: d.scope, named: true}
			switch {
			case d.domain == "psys":
				g.domain = d.domain
			case d.domain != "":
				g.domain += "/" + d.domain
			}
			if err != nil {
				g.lost = err.Error()
			} else {
				g.attach(env, uint32(unit), event, cpu, scale)
			}
			out = append(out, g)
		}
	}
	return out
}

// attach opens the event, whose unit is scale µJ.
func (g *gauge) attach(env environment, unit uint32, event uint64, cpu int, scale float64) {
	c, err := env.perf(unit, event, cpu)
	if errors.Is(err, fs.ErrPermission) {
		g.lost = "only root may count events of the whole machine; to unlock them until the next boot: sudo sysctl kernel.perf_event_paranoid=0"
		return
	}
	if err != nil {
		g.lost = fmt.Sprintf("the event cannot be opened: %v", err)
		return
	}
	g.close = c.close
	g.raw = func() (uint64, string) {
		v, err := c.value()
		if err != nil {
			return 0, fmt.Sprintf("the event cannot be read: %v", err)
		}
		return uint64(min(float64(v)*scale, 1<<62)), ""
	}
}

// packageName returns powercap's name of the package or die of a processor.
func packageName(env environment, cpu int) string {
	dir := filepath.Join(env.sysfs, fmt.Sprintf("devices/system/cpu/cpu%d/topology", cpu))
	id := firstLine(env.read, dir, "physical_package_id")
	if id == "" {
		return fmt.Sprintf("package of CPU %d", cpu)
	}
	if die := firstLine(env.read, dir, "die_id"); die != "" && die != "0" {
		return "package-" + id + "-die-" + die
	}
	return "package-" + id
}

// perfEventFile reads the number of an event, such as "event=0x02", and its unit
// in µJ.
func perfEventFile(read func(string) (string, error), path string) (event uint64, scale float64, err error) {
	text, err := read(path)
	if err != nil {
		return 0, 0, fmt.Errorf("the event is not described: %w", err)
	}
	number, ok := strings.CutPrefix(text, "event=")
	event, err = strconv.ParseUint(number, 0, 64)
	if !ok || err != nil {
		return 0, 0, fmt.Errorf("%s is not an event: %.40q", path, text)
	}
	if unit := firstLine(read, path+".unit"); unit != "Joules" {
		return 0, 0, fmt.Errorf("%s.unit is not Joules: %.40q", path, unit)
	}
	text = firstLine(read, path+".scale")
	joules, err := strconv.ParseFloat(text, 64)
	if err != nil || !(joules > 0 && joules <= 1) {
		return 0, 0, fmt.Errorf("%s.scale is not a part of a joule: %.40q", path, text)
	}
	return event, joules * 1e6, nil
}

// parseCPUs reads a list of processors such as "0,18" or "0-3", at most
// maxZones of them.
func parseCPUs(list string) []int {
	var out []int
	for item := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(item, "-")
		from, err := strconv.ParseUint(first, 10, 16)
		to := from
		if err == nil && isRange {
			to, err = strconv.ParseUint(last, 10, 16)
		}
		if err != nil {
			return out
		}
		for cpu := from; cpu <= to && len(out) < maxZones; cpu++ {
			out = append(out, int(cpu))
		}
	}
	return out
}
