package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A zone is one RAPL counter of the powercap tree. Source: the Linux kernel's
// Documentation/power/powercap/powercap.rst and
// Documentation/ABI/testing/sysfs-class-powercap.
type zone struct {
	domain string // "package-0", "package-0/dram"
	path   string // of energy_uj
	read   func(path string) (string, error)
	top    bool // not inside another zone
	// lost tells why the counter cannot be used, "" while it can.
	lost  string
	max   uint64 // highest value before the counter starts again, µJ
	last  uint64 // raw value at the last reading, µJ
	total uint64 // µJ since the first reading
}

var zoneName = regexp.MustCompile(`^intel-rapl(-mmio)?:\d+(:\d+)?$`)

// maxZones is more than any machine has.
const maxZones = 256

// findZones lists the counters under sysfs, one for each domain: the memory
// mapped registers repeat the model specific ones under the same names, and so
// do the dies of some processors.
func findZones(sysfs string, read func(path string) (string, error)) []*zone {
	var zones []*zone
	names := make(map[string]string) // zone directory -> domain
	seen := make(map[string]bool)
	for _, dir := range zoneDirs(sysfs) {
		domain, err := read(filepath.Join(dir, "name"))
		if err != nil || domain == "" {
			continue
		}
		id := filepath.Base(dir)
		top := strings.Count(id, ":") == 1
		if !top {
			parent := id[:strings.LastIndexByte(id, ':')]
			if names[parent] == "" {
				continue
			}
			domain = names[parent] + "/" + domain
		}
		names[id] = domain
		if seen[domain] {
			continue
		}
		seen[domain] = true
		zones = append(zones, &zone{domain: domain, path: filepath.Join(dir, "energy_uj"), read: read, top: top})
	}
	return zones
}

// zoneDirs lists the zones' directories, parents before children, model
// specific registers before memory mapped ones.
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

// summed tells whether z belongs to the total: packages hold their cores and
// uncore, dram stands beside them, and psys holds the packages.
func (z *zone) summed() bool {
	return z.top && strings.HasPrefix(z.domain, "package") || filepath.Base(z.domain) == "dram"
}

// open takes the first reading.
func (z *zone) open() {
	if text, err := z.read(filepath.Join(filepath.Dir(z.path), "max_energy_range_uj")); err == nil {
		z.max, _ = strconv.ParseUint(text, 10, 64) // 0 where it is unreadable: a fall is then an error
	}
	z.last, z.lost = z.raw()
}

// raw reads the counter in µJ, or the reason why it cannot be read.
func (z *zone) raw() (uint64, string) {
	text, err := z.read(z.path)
	if errors.Is(err, fs.ErrPermission) {
		return 0, "only root may read the counter; to unlock it until the next boot: sudo chmod a+r " +
			filepath.Join(filepath.Dir(filepath.Dir(z.path)), "intel-rapl*", "energy_uj")
	}
	if err != nil {
		return 0, fmt.Sprintf("the counter cannot be read: %v", err)
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Sprintf("%s is not a number of microjoules: %.40q", z.path, text)
	}
	return v, ""
}

// poll adds what the counter moved since the last reading, across one wrap.
func (z *zone) poll() {
	if z.lost != "" {
		return
	}
	v, lost := z.raw()
	switch {
	case lost != "":
		z.lost = lost
	case v >= z.last:
		z.total += v - z.last
	case z.max > z.last:
		z.total += z.max - z.last + v
	default:
		z.lost = "the counter fell and its range is unknown"
	}
	z.last = v
}

// implausible returns why a counter that moved by uj in a busy time is not to
// be believed. A nested zone may draw next to nothing, but must move.
func implausible(uj uint64, seconds float64, top bool) string {
	w := float64(uj) * 1e-6 / seconds
	switch {
	case uj == 0:
		return "the counter does not move while a core is busy"
	case w > maxWatts || top && w < minWatts:
		return fmt.Sprintf("the counter shows %.3g W, not between %g and %d W", w, minWatts, maxWatts)
	}
	return ""
}

// dropMirrors removes packages that show another package's counter: the same
// value before and after the self-test, to within what 10 ms add. first holds
// the values before.
func dropMirrors(zones []*zone, first map[*zone]uint64) []*zone {
	near := func(a, b, moved uint64) bool { return max(a, b)-min(a, b) <= moved/20 }
	var kept []*zone
	var dropped []string
	for _, z := range zones {
		mirror := false
		for _, k := range kept {
			mirror = mirror || z.top && k.top && z.summed() && k.summed() && z.lost == "" && k.lost == "" &&
				near(first[z], first[k], k.total) && near(z.last, k.last, k.total)
		}
		for _, d := range dropped {
			mirror = mirror || strings.HasPrefix(z.domain, d+"/")
		}
		if mirror {
			dropped = append(dropped, z.domain)
			continue
		}
		kept = append(kept, z)
	}
	return kept
}
