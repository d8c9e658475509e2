package meter

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Need is the memory that some work will take, in bytes, known before any of
// it is allocated.
type Need struct {
	What string // what needs it
	// Parts are the uses of the memory, each with a way to reduce it.
	Parts []Part
	// Reserved is further address space that is never touched.
	Reserved float64
}

// A Part is one use of the memory of a Need.
type Part struct {
	Name    string // "weights"
	Bytes   float64
	Smaller string // "a smaller dim"
}

// Sum is the total of the parts.
func (n Need) Sum() (bytes float64) {
	for _, p := range n.Parts {
		bytes += p.Bytes
	}
	return bytes
}

// What a process takes beyond a Need: memory, and the address space of its
// runtime.
const (
	besideMemory  = 32 << 20
	besideAddress = 256 << 20
)

// Fits returns an error where the available memory is too small for a need. On
// a system that does not report its memory, everything fits.
func (n Need) Fits() error { return n.Within(AtHand()) }

// Within is Fits for rooms that AtHand returned earlier.
func (n Need) Within(rooms []Room) error {
	for _, r := range rooms {
		parts, beside := n.Parts, float64(besideMemory)
		if r.address {
			beside = besideAddress
			if n.Reserved > 0 {
				parts = append(slices.Clone(parts), Part{Name: "reserved", Bytes: n.Reserved})
			}
		}
		all := Need{Parts: parts}
		if 1.05*all.Sum()+beside > float64(r.Free) {
			return fmt.Errorf("%s needs at least %s of memory (%s) and %s are free (%s): %s",
				n.What, Size(all.Sum()), all.parts(), Size(float64(r.Free)), r.Bound, n.advice(r))
		}
	}
	return nil
}

func (n Need) parts() string {
	var list []string
	for _, p := range n.Parts {
		list = append(list, p.Name+" "+Size(p.Bytes))
	}
	return strings.Join(list, ", ")
}

// advice says how to reduce the largest part.
func (n Need) advice(r Room) string {
	var largest Part
	for _, p := range n.Parts {
		if p.Bytes >= largest.Bytes {
			largest = p
		}
	}
	switch {
	case !r.address:
		return "take " + largest.Smaller
	case largest.Smaller == "":
		return "raise that limit"
	}
	return "raise that limit, or take " + largest.Smaller
}

// Size formats a number of bytes in binary units.
func Size(bytes float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"EiB", 1 << 60}, {"PiB", 1 << 50}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}} {
		switch n := bytes / u.size; {
		case n >= 1e4:
			return fmt.Sprintf("%.1e %s", n, u.name)
		case n >= 1:
			return fmt.Sprintf("%.1f %s", n, u.name)
		}
	}
	return fmt.Sprintf("%.0f KiB", math.Ceil(bytes/(1<<10)))
}

// A Room is free memory in bytes, under one bound.
type Room struct {
	Free  int64
	Bound string // the bound, in words

	address bool // bounds address space, resident or not
}

// AtHand lists the bounds of the memory that this process can still take: of
// the machine, of its control groups and of the limits of its shell.
// WORKBENCH_SYSFS stands in for /sys.
func AtHand() []Room {
	return machine{system, cmp.Or(os.Getenv("WORKBENCH_SYSFS"), "/sys")}.atHand()
}

func (m machine) atHand() []Room {
	var rooms []Room
	if free, err := m.proc.kilobytes("meminfo", "MemAvailable"); err == nil {
		rooms = append(rooms, Room{Free: free, Bound: "this machine's"})
	}
	return append(append(rooms, m.groups()...), m.limits()...)
}

// Free returns the least free memory of all bounds on resident memory, in
// bytes. It is an error where the system does not report it.
func Free() (int64, error) {
	least, found := int64(math.MaxInt64), false
	for _, r := range AtHand() {
		if !r.address {
			least, found = min(least, r.Free), true
		}
	}
	if !found {
		return 0, fmt.Errorf("%s/meminfo does not report the free memory", system)
	}
	return least, nil
}

// limits returns the bounds of setrlimit(2) on memory.
func (m machine) limits() (rooms []Room) {
	for _, l := range []struct{ limit, used, bound string }{
		{"Max address space", "VmSize", "of its limit of address space, ulimit -v"},
		{"Max data size", "VmData", "of its limit of data, ulimit -d"},
	} {
		most, ok := m.limit(l.limit)
		used, err := m.proc.status(l.used)
		if ok && err == nil {
			rooms = append(rooms, Room{max(0, most-used), l.bound, true})
		}
	}
	return rooms
}

// limit reads a soft limit in bytes; ok is false where there is none.
func (m machine) limit(name string) (int64, bool) {
	text, _ := m.proc.read("self/limits") // absent outside Linux
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			soft, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			n, err := strconv.ParseInt(soft, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// groups returns the bounds of the control groups around this process, of
// version 1 or 2.
// Source: cgroups(7); Documentation/admin-guide/cgroup-v2.rst and
// cgroup-v1/memory.rst.
func (m machine) groups() (rooms []Room) {
	paths, _ := m.proc.read("self/cgroup")
	mounts, _ := m.proc.read("self/mountinfo")
	for line := range strings.Lines(paths) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		if len(f) != 3 || f[1] != "" && f[1] != "memory" {
			continue
		}
		files := groupFiles{"memory.max", "memory.current", "inactive_file"}
		if f[1] == "memory" {
			files = groupFiles{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
		}
		root, mount := groupMount(mounts, f[1])
		if mount == "" {
			continue
		}
		rel := f[2]
		if inner, ok := strings.CutPrefix(rel, strings.TrimSuffix(root, "/")); ok {
			rel = inner
		}
		if under, ok := strings.CutPrefix(mount, "/sys"); ok {
			mount = m.sys + under
		}
		for at := filepath.Clean("/" + rel); ; at = filepath.Dir(at) {
			if r, ok := files.room(filepath.Join(mount, at)); ok {
				r.Bound = fmt.Sprintf("of the limit of its control group %s", at)
				rooms = append(rooms, r)
			}
			if at == "/" {
				break
			}
		}
	}
	return rooms
}

// groupMount finds where the hierarchy of a controller ("" for version 2) is
// mounted, and which of its groups is the root there.
// Source: proc(5).
func groupMount(mounts, controller string) (root, at string) {
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		f, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(kind) < 3 {
			continue
		}
		v2 := controller == "" && kind[0] == "cgroup2"
		v1 := controller != "" && kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ","+controller+",")
		if v1 || v2 {
			return f[3], f[4]
		}
	}
	return "", ""
}

// groupFiles are the names of the files of a group's limit and use, and of the
// entry of its memory.stat for file pages, which the kernel reclaims first.
type groupFiles struct{ limit, use, cache string }

func (g groupFiles) room(dir string) (Room, bool) {
	limit, err1 := readCount(filepath.Join(dir, g.limit))
	use, err2 := readCount(filepath.Join(dir, g.use))
	if err1 != nil || err2 != nil || limit > math.MaxInt64/2 { // "max", or version 1's huge number: no limit
		return Room{}, false
	}
	stat, _ := readFile(filepath.Join(dir, "memory.stat"))
	for line := range strings.Lines(stat) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key == g.cache {
			if cache, err := strconv.ParseInt(value, 10, 64); err == nil {
				use -= min(use, max(0, cache))
			}
		}
	}
	return Room{Free: max(0, limit-use)}, true
}

func readCount(path string) (int64, error) {
	text, err := readFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}
