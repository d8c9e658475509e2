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
	"time"
)

// A zone is one RAPL counter of the powercap tree. Source: the Linux kernel's
// Documentation/power/powercap/powercap.rst and
// Documentation/ABI/testing/sysfs-class-powercap.
type zone struct {
	domain string // "package-0", "package-0/dram"
	path   string // path of energy_uj
	read   func(path string) (string, error)
	top    bool // not inside another zone
	named  bool // the name of the zone could be read
	// lost is the reason why the counter cannot be used, "" while it can.
	lost  string
	zero  bool   // the first reading was 0
	max   uint64 // largest value before the counter wraps, µJ
	last  uint64 // raw value at the last reading, µJ
	total uint64 // µJ since the first reading
}

var zoneName = regexp.MustCompile(`^intel-rapl(-mmio)?:\d+(:\d+)?$`)

// maxZones is more than the zones of any machine.
const maxZones = 256

// findZones lists the counters under sysfs, one for each domain: the
// memory-mapped registers repeat the model-specific ones under the same names,
// as do the dies of some processors. A zone whose name cannot be read is listed
// as lost.
func findZones(sysfs string, read func(path string) (string, error)) []*zone {
	var zones []*zone
	names := make(map[string]string) // zone directory -> domain
	seen := make(map[string]bool)
	for _, dir := range zoneDirs(sysfs) {
		id := filepath.Base(dir)
		z := &zone{path: filepath.Join(dir, "energy_uj"), read: read, top: strings.Count(id, ":") == 1}
		z.name(dir, id)
		if !z.top {
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
func (z *zone) name(dir, id string) {
	name, err := z.read(filepath.Join(dir, "name"))
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

// counterSource describes the source of a counter's value.
const counterSource = "RAPL counter, powercap"

// totalOf returns the group of zones that together count everything once, or a
// group with the reason why there is none: a sum of only the readable zones
// would be silently too small. Packages include their cores and uncore but not
// memory; psys includes everything, so it counts only where there is no
// package. A memory counter that stays at 0 means that this processor does not
// measure memory.
func totalOf(zones []*zone) *group {
	total := &group{domain: DomainTotal, source: counterSource, total: true}
	var with, without []string
	packages := slices.ContainsFunc(zones, func(z *zone) bool { return z.top && z.is("package") })
	for _, z := range zones {
		switch {
		case z.named && z.dram() && z.zero && z.total == 0 && z.lost != "":
			without = append(without, z.domain)
		case !z.named || z.top && z.is("package") || z.dram() || z.is("psys") && z.top && !packages:
			total.zones = append(total.zones, z)
			with = append(with, z.domain)
		}
	}
	if total.reason = total.lost(); total.reason != "" {
		return total
	}
	if !slices.ContainsFunc(total.zones, func(z *zone) bool { return z.top && !z.dram() }) {
		total.reason = "no package among the RAPL counters"
		return total
	}
	total.source += ": " + strings.Join(with, " + ")
	if len(without) > 0 {
		total.source += ", without " + strings.Join(without, ", ")
	}
	return total
}

func (z *zone) is(kind string) bool { return z.named && strings.HasPrefix(z.domain, kind) }

func (z *zone) dram() bool { return filepath.Base(z.domain) == "dram" }

// open takes the first reading.
func (z *zone) open() {
	if z.lost != "" {
		return
	}
	if text, err := z.read(filepath.Join(filepath.Dir(z.path), "max_energy_range_uj")); err == nil {
		z.max, _ = strconv.ParseUint(text, 10, 64) // 0 where it is unreadable: a falling counter is then an error
	}
	z.last, z.lost = z.raw()
	z.zero = z.lost == "" && z.last == 0
}

// raw reads the counter in µJ, or returns the reason why it cannot be read.
func (z *zone) raw() (uint64, string) {
	text, err := z.read(z.path)
	// Note: a file that stands in for a counter is empty while it is being
	// rewritten.
	for try := 0; text == "" && err == nil && try < 5; try++ {
		time.Sleep(200 * time.Microsecond)
		text, err = z.read(z.path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return 0, "only root may read the counter; to unlock it until the next boot: " + unlock(z.path)
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

// unlock returns the command that lets all users read the counters, of which
// path is one: in the class folder they lie side by side, in a copy of the
// device tree some are nested.
func unlock(path string) string {
	base, nested, _ := strings.Cut(path, "/class/powercap/")
	glob := filepath.Join(base, "class/powercap/intel-rapl*")
	command := "sudo chmod a+r " + filepath.Join(glob, "energy_uj")
	if strings.Count(nested, "/") > 1 {
		command += " " + filepath.Join(glob, "intel-rapl*", "energy_uj")
	}
	return command
}

// poll adds the increase of the counter since the last reading, across at most
// one wrap.
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

// implausible returns the reason why an increase of uj in a busy interval is
// not plausible. A nested zone may draw almost nothing, but must increase.
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

// twins are two dies a and b of one package, which on some processors show the
// same counter: a reading of b between two readings of a.
type twins struct {
	a, b      *zone
	lo, v, hi uint64
}

// findTwins reads the counters of the dies of every package.
func findTwins(zones []*zone) []twins {
	var found []twins
	for i, b := range zones {
		for _, a := range zones[:i] {
			socket, _, dies := strings.Cut(a.domain, "-die-")
			if other, _, ok := strings.Cut(b.domain, "-die-"); dies && ok && a.top && b.top && socket == other {
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
func dropTwins(zones []*zone, before []twins) []*zone {
	gone := map[string]bool{}
	for _, t := range before {
		slack := t.a.total / uint64(selfTest/(10*time.Millisecond))
		if t.a.lost == "" && t.b.lost == "" && !gone[t.a.domain] && t.same(slack) && t.read().same(slack) {
			gone[t.b.domain] = true
		}
	}
	return slices.DeleteFunc(zones, func(z *zone) bool {
		top, _, _ := strings.Cut(z.domain, "/")
		return gone[top]
	})
}
