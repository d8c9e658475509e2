package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// sampleEvery is the time between samples of a power. A sample reads files
	// and may wait for firmware, so it is rare: it disturbs the work.
	sampleEvery = 500 * time.Millisecond
	// maxGap is the longest time between samples over which a power is
	// interpolated.
	maxGap = 2 * time.Second
)

// A gauge is one counter of energy, or one sensor of power that is sampled.
type gauge struct {
	family  string // the instrument: "powercap"
	domain  string // "package-0", "package-0/dram"
	source  string // "RAPL counter, powercap"
	scope   scope
	sampled bool
	// raw reads the counter in µJ or the sensor in µW, or returns the reason why
	// it cannot be read.
	raw   func() (uint64, string)
	close func() // nil: nothing to close
	named bool   // the name of the domain could be read
	// lost is the reason why the gauge cannot be used, "" while it can.
	lost  string
	zero  bool      // the first reading was 0
	max   uint64    // largest value before the counter wraps, µJ; 0 where it is unknown
	last  uint64    // raw value at the last reading
	at    time.Time // time of the last sample
	gap   time.Time // end of the last gap between samples
	total uint64    // µJ since the first reading
}

// A scope is what a gauge measures.
type scope int

const (
	part         scope = iota // less than a package, or another device
	wholePackage              // processor package
	wholeMachine
)

// top reports whether the gauge is not inside another one.
func (g *gauge) top() bool { return g.scope != part }

// maxWatts is the largest plausible power.
func (g *gauge) maxWatts() float64 {
	if g.scope == wholeMachine {
		return maxMachineWatts
	}
	return maxWatts
}

// open takes the first reading.
func (g *gauge) open(now time.Time) {
	if g.lost != "" {
		return
	}
	g.at = now
	g.last, g.lost = g.raw()
	if g.sampled && g.last > maxMachineWatts*1e6 {
		g.last = 0 // the next sample tells
	}
	g.zero = g.lost == "" && g.last == 0
}

// poll adds the energy since the last reading: the increase of a counter across
// at most one wrap, or the power interpolated between two samples.
func (g *gauge) poll(now time.Time) {
	if g.lost != "" {
		return
	}
	v, lost := g.raw()
	switch {
	case lost != "":
		g.lost = lost
	case g.sampled && v > maxMachineWatts*1e6:
		g.lost = fmt.Sprintf("the sensor shows %.3g W, more than %d W", float64(v)*1e-6, maxMachineWatts)
	case g.sampled:
		since := now.Sub(g.at)
		if since > maxGap {
			g.gap = now
		}
		g.total += uint64((float64(g.last) + float64(v)) / 2 * since.Seconds())
		g.at = now
	case v >= g.last:
		g.total += v - g.last
	case g.max > g.last:
		g.total += g.max - g.last + v
	default:
		g.lost = "the counter fell and its range is unknown"
	}
	g.last = v
}

// implausible returns the reason why an energy of uj in a busy interval is not
// plausible. A nested counter may draw almost nothing, but must increase.
func (g *gauge) implausible(uj uint64, seconds float64) string {
	w := float64(uj) * 1e-6 / seconds
	switch {
	case uj == 0 && g.sampled:
		return "the sensor shows 0 W while a core is busy"
	case uj == 0:
		return "the counter does not move while a core is busy"
	case w > g.maxWatts() || g.top() && w < minWatts:
		return fmt.Sprintf("the %s shows %.3g W, not between %g and %g W", g.kind(), w, minWatts, g.maxWatts())
	}
	return ""
}

// spoiled returns the reason why an energy of j joules in a window is not
// plausible.
func (g *gauge) spoiled(j float64, from time.Time, seconds float64) string {
	switch w := j / seconds; {
	case g.sampled && g.gap.After(from):
		return fmt.Sprintf("more than %v passed between two samples", maxGap)
	case g.sampled && w == 0:
		return "the sensor showed 0 W in the window"
	case w == 0:
		return "the counter did not move in the window"
	case w > g.maxWatts() && g.sampled:
		return fmt.Sprintf("the sensor shows %.3g W, more than %g W", w, g.maxWatts())
	case w > g.maxWatts():
		return fmt.Sprintf("the counter shows %.3g W, more than %g W: it jumped, was reset or wrapped unseen", w, g.maxWatts())
	}
	return ""
}

func (g *gauge) kind() string {
	if g.sampled {
		return "sensor"
	}
	return "counter"
}

// A numberFile is a file that holds one whole number.
type numberFile struct {
	path   string
	read   func(path string) (string, error)
	unit   string // "microjoules"
	unlock string // command that lets all users read it
}

// value reads the number, or returns the reason why it cannot be read.
func (f numberFile) value() (uint64, string) {
	text, err := f.read(f.path)
	// Note: a file that stands in for a counter is empty while it is being
	// rewritten.
	for try := 0; text == "" && err == nil && try < 5; try++ {
		time.Sleep(200 * time.Microsecond)
		text, err = f.read(f.path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return 0, "only root may read the counter; to unlock it until the next boot: " + f.unlock
	}
	if err != nil {
		return 0, fmt.Sprintf("the counter cannot be read: %v", err)
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Sprintf("%s is not a number of %s: %.40q", f.path, f.unit, text)
	}
	return v, ""
}

// unlockFiles is the command that lets all users read the files that match.
func unlockFiles(globs ...string) string { return "sudo chmod a+r " + strings.Join(globs, " ") }

// A group is a sum of gauges, one entry of a result.
type group struct {
	domain, source string
	total          bool   // the gauges count everything once
	reason         string // reason why the sum is not available
	note           string // why the sum is not the total
	gauges         []*gauge
	idleW, idleSD  *float64
}

// single is the group of one gauge.
func single(g *gauge) *group {
	return &group{domain: g.domain, source: g.source, gauges: []*gauge{g}}
}

func (g *group) sampled() bool { return len(g.gauges) > 0 && g.gauges[0].sampled }

// sum returns the energy of g.
func (g *group) sum(joules map[*gauge]float64) (sum float64) {
	for _, x := range g.gauges {
		sum += joules[x]
	}
	return sum
}

func (g *group) lost() string {
	if g.reason != "" {
		return g.reason
	}
	for _, x := range g.gauges {
		if x.lost != "" {
			return x.domain + ": " + x.lost
		}
	}
	return ""
}

// maxWatts is the largest plausible power of the sum.
func (g *group) maxWatts() (w float64) {
	for _, x := range g.gauges {
		w += x.maxWatts()
	}
	return w
}

// firstLine reads a file that names something; "" where it cannot be read.
func firstLine(read func(string) (string, error), elem ...string) string {
	text, err := read(filepath.Join(elem...))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}
