package meter

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var zoneName = regexp.MustCompile(`^intel-rapl(-mmio)?:\d+(:\d+)?$`)

// maxZones is more than the zones of any machine.
const maxZones = 256

// findZones lists the counters of the powercap tree under sysfs, one for each
// domain: the memory-mapped registers repeat the model-specific ones under the
// same names, as do the dies of some processors. A zone whose name cannot be
// read is listed as lost. Source: the Linux kernel's
// Documentation/power/powercap/powercap.rst and
// Documentation/ABI/testing/sysfs-class-powercap.
func findZones(sysfs string, read func(path string) (string, error)) []*gauge {
	var zones []*gauge
	names := make(map[string]string) // zone directory -> domain
	seen := make(map[string]bool)
	for _, dir := range zoneDirs(sysfs) {
		id := filepath.Base(dir)
		path := filepath.Join(dir, "energy_uj")
		z := &gauge{family: powercap, source: counterSource, raw: numberFile{path, read, "microjoules", unlock(path)}.value}
		if strings.Count(id, ":") == 1 {
			z.scope = wholePackage
		}
		if text, err := read(filepath.Join(dir, "max_energy_range_uj")); err == nil {
			z.max, _ = strconv.ParseUint(text, 10, 64) // 0 where it is unreadable: a falling counter is then an error
		}
		z.name(dir, id, read)
		if !z.top() {
			parent := names[id[:strings.LastIndexByte(id, ':')]]
			if parent == "" {
				continue
			}
			z.domain = parent + "/" + z.domain
		}
		names[id] = z.domain
		if seen[z.domain] {
			continue
		}
		seen[z.domain] = true
		zones = append(zones, z)
	}
	return zones
}

// name reads the name of the zone.
func (z *gauge) name(dir, id string, read func(path string) (string, error)) {
	name, err := read(filepath.Join(dir, "name"))
	if err == nil && name == "" {
		err = errors.New("the file is empty")
	}
	z.domain, z.named = name, err == nil
	if err != nil {
		z.domain, z.lost = id, fmt.Sprintf("the counter's name cannot be read: %v", err)
	}
}

// zoneDirs lists the directories of zones, parents before children,
// model-specific registers before memory-mapped ones.
func zoneDirs(sysfs string) []string {
	base := filepath.Join(sysfs, "class/powercap")
	// The class folder is flat; a mounted copy of the device tree is nested.
	var dirs []string
	for _, pattern := range []string{"intel-rapl*:*", "intel-rapl*:*/intel-rapl*:*:*"} {
		found, _ := filepath.Glob(filepath.Join(base, pattern)) // the pattern is well-formed
		dirs = append(dirs, found...)
	}
	dirs = slices.DeleteFunc(dirs, func(d string) bool { return !zoneName.MatchString(filepath.Base(d)) })
	rank := func(d string) int {
		id := filepath.Base(d)
		r := strings.Count(id, ":")
		if strings.HasPrefix(id, "intel-rapl-mmio") {
			r += 10
		}
		return r
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return rank(a) - rank(b) })
	known := make(map[string]bool)
	dirs = slices.DeleteFunc(dirs, func(d string) bool {
		id := filepath.Base(d)
		defer func() { known[id] = true }()
		return known[id]
	})
	return dirs[:min(len(dirs), maxZones)]
}

const (
	powercap = "powercap"
	// counterSource describes the source of a counter's value.
	counterSource = "RAPL counter, powercap"
)

// raplTotal returns the group of zones that together count everything once, or a
// group with the reason why there is none: a sum of only the readable zones
// would be silently too small. Packages include their cores and uncore but not
// memory; psys includes everything, so it counts only where there is no
// package. A memory counter that stays at 0 means that this processor does not
// measure memory.
func raplTotal(zones []*gauge) *group {
	total := &group{domain: DomainTotal, source: zones[0].source}
	var with, without []string
	packages := slices.ContainsFunc(zones, func(z *gauge) bool { return z.top() && z.is("package") })
	for _, z := range zones {
		switch {
		case z.named && z.dram() && z.zero && z.total == 0 && z.lost != "":
			without = append(without, z.domain)
		case !z.named || z.top() && z.is("package") || z.dram() || z.is("psys") && z.top() && !packages:
			total.gauges = append(total.gauges, z)
			with = append(with, z.domain)
		}
	}
	if total.reason = total.lost(); total.reason != "" {
		return total
	}
	if !slices.ContainsFunc(total.gauges, func(z *gauge) bool { return z.top() && !z.dram() }) {
		total.reason = "no package among the RAPL counters"
		return total
	}
	total.source += ": " + strings.Join(with, " + ")
	if len(without) > 0 {
		total.source += ", without " + strings.Join(without, ", ")
	}
	return total
}

func (z *gauge) is(kind string) bool { return z.named && strings.HasPrefix(z.domain, kind) }

func (z *gauge) dram() bool { return filepath.Base(z.domain) == "dram" }

// unlock returns the command that lets all users read the counters, of which
// path is one: in the class folder they lie side by side, in a copy of the
// device tree some are nested.
func unlock(path string) string {
	base, nested, _ := strings.Cut(path, "/class/powercap/")
	glob := filepath.Join(base, "class/powercap/intel-rapl*")
	globs := []string{filepath.Join(glob, "energy_uj")}
	if strings.Count(nested, "/") > 1 {
		globs = append(globs, filepath.Join(glob, "intel-rapl*", "energy_uj"))
	}
	return unlockFiles(globs...)
}

// twins are two dies a and b of one package, which on some processors show the
// same counter: a reading of b between two readings of a.
type twins struct {
	a, b      *gauge
	lo, v, hi uint64
}

// findTwins reads the counters of the dies of every package.
func findTwins(zones []*gauge) []twins {
	var found []twins
	for i, b := range zones {
		for _, a := range zones[:i] {
			socket, _, dies := strings.Cut(a.domain, "-die-")
			if other, _, ok := strings.Cut(b.domain, "-die-"); dies && ok && a.family == b.family && a.top() && b.top() && socket == other {
				found = append(found, twins{a: a, b: b}.read())
			}
		}
	}
	return found
}

func (t twins) read() twins {
	t.lo, _ = t.a.raw()
	t.v, _ = t.b.raw()
	t.hi, _ = t.a.raw()
	return t
}

// same reports whether both show the same counter, to within slack µJ.
func (t twins) same(slack uint64) bool { return t.v+slack >= t.lo && t.v <= t.hi+slack }

// dropTwins removes the dies that show the counter of another die, with the
// zones inside them: those with the same value before and after the self-test,
// to within the energy of 10 ms.
func dropTwins(zones []*gauge, before []twins) []*gauge {
	type die struct{ family, domain string }
	gone := map[die]bool{}
	for _, t := range before {
		slack := t.a.total / uint64(selfTest/(10*time.Millisecond))
		if t.a.lost == "" && t.b.lost == "" && !gone[die{t.a.family, t.a.domain}] && t.same(slack) && t.read().same(slack) {
			gone[die{t.b.family, t.b.domain}] = true
		}
	}
	return slices.DeleteFunc(zones, func(z *gauge) bool {
		top, _, _ := strings.Cut(z.domain, "/")
		return gone[die{z.family, top}]
	})
}
