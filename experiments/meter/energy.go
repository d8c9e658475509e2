package meter

import (
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"workbench/experiments/record"
)

const (
	// minWindow is the shortest window in which a counter that moves about
	// once a millisecond says something.
	minWindow = 100 * time.Millisecond
	// A counter must show a power within these bounds, in watts, to be believed.
	minWatts, maxWatts = 0.1, 2000
	// pollEvery bounds the time between readings, so that no wrap is missed.
	pollEvery = 30 * time.Second
	selfTest  = 200 * time.Millisecond
)

// Domain names of record.Energy that are not a single counter's.
const (
	DomainTotal    = "cpu"          // packages and their memory, each counted once
	DomainEstimate = "cpu estimate" // see Energy
)

// Energy holds the energy sources of this machine. Counters are RAPL zones; a
// group of them, DomainTotal, comes first. Nested zones (cores and uncore in a
// package, packages in psys) are listed and never summed. Beside them, under
// its own tier, stands an estimate from processor time.
type Energy struct {
	mu       sync.Mutex
	zones    []*zone
	groups   []*group
	reason   string // why there is no counter
	estimate estimate
	env      environment
	stop     func()
}

// environment is what Energy needs of the world; tests replace it.
type environment struct {
	sysfs string
	read  func(path string) (string, error)
	env   func(string) string
	now   func() time.Time
	spin  func(time.Duration)
	sleep func(time.Duration)
	cpu   func() (time.Duration, error)
}

// A group is one entry of a report: the sum of zones.
type group struct {
	domain, source string
	reason         string // why the sum is not available
	zones          []*zone
	idleW, idleSD  *float64
}

// NewEnergy finds the sources under sysfs ("" for /sys). Where there are
// counters it keeps one core busy for 200 ms to see them move, and reads them
// in the background until Close.
func NewEnergy(sysfs string) *Energy {
	if sysfs == "" {
		sysfs = "/sys"
	}
	return newEnergy(environment{sysfs, readFile, os.Getenv, time.Now, spin, time.Sleep, CPUTime})
}

func newEnergy(env environment) *Energy {
	e := &Energy{env: env, zones: findZones(env.sysfs, env.read), stop: func() {}}
	e.check()
	e.group()
	e.estimate = newEstimate(env.env("WORKBENCH_TDP_WATTS"), e.reason)
	if e.counting() {
		e.background()
	}
	return e
}

// Close stops the background readings.
func (e *Energy) Close() { e.stop() }

// spin keeps one core busy.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

// check takes the first readings, marks the counters that stand still or move
// beyond belief, and drops those that mirror another.
func (e *Energy) check() {
	if len(e.zones) == 0 {
		return
	}
	first := make(map[*zone]uint64)
	for _, z := range e.zones {
		z.open()
		first[z] = z.last
	}
	t0 := e.env.now()
	e.env.spin(selfTest)
	for _, z := range e.zones {
		z.poll()
	}
	seconds := e.env.now().Sub(t0).Seconds()
	for _, z := range e.zones {
		if z.lost == "" {
			z.lost = implausible(z.total, seconds, z.top)
		}
	}
	e.zones = dropMirrors(e.zones, first)
}

// group makes the report's entries of the zones: the total, then the single
// zones where there are several.
func (e *Energy) group() {
	if len(e.zones) == 0 {
		e.reason = "no RAPL counters in " + e.env.sysfs + "/class/powercap (usual in virtual machines)"
		return
	}
	total := &group{domain: DomainTotal, source: "RAPL counter, powercap"}
	packages := 0
	var with, without []string
	for _, z := range e.zones {
		if z.summed() && z.lost == "" {
			total.zones = append(total.zones, z)
			with = append(with, z.domain)
		} else if z.summed() {
			without = append(without, z.domain)
		}
		if z.top && z.summed() {
			packages++
			if z.lost != "" && total.reason == "" {
				total.reason = z.domain + ": " + z.lost
			}
		}
	}
	if packages == 0 {
		total.reason = "no package among the RAPL counters"
	}
	if total.reason == "" {
		total.source += ": " + strings.Join(with, " + ")
		if len(without) > 0 {
			total.source += ", without " + strings.Join(without, ", ")
		}
	}
	e.reason = total.reason
	e.groups = []*group{total}
	if len(e.zones) > 1 {
		for _, z := range e.zones {
			e.groups = append(e.groups, &group{domain: z.domain, source: "RAPL counter, powercap", zones: []*zone{z}})
		}
	}
}

// counting tells whether any counter is read.
func (e *Energy) counting() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, z := range e.zones {
		if z.lost == "" {
			return true
		}
	}
	return false
}

// background reads the counters often enough that none can wrap twice: within
// half the time that maxWatts need to fill the smallest range.
func (e *Energy) background() {
	every := pollEvery
	for _, z := range e.zones {
		if z.max > 0 {
			half := time.Duration(float64(z.max) * 1e-6 / maxWatts / 2 * float64(time.Second))
			every = min(every, max(half, minWindow))
		}
	}
	done := make(chan struct{})
	e.stop = sync.OnceFunc(func() { close(done) })
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				e.poll()
			case <-done:
				return
			}
		}
	}()
}

// poll reads every counter and returns the totals in µJ, by zone.
func (e *Energy) poll() []uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	totals := make([]uint64, len(e.zones))
	for i, z := range e.zones {
		z.poll()
		totals[i] = z.total
	}
	return totals
}

// A Window is a time whose energy is asked for.
type Window struct {
	e      *Energy
	at     time.Time
	totals []uint64
	cpu    time.Duration
	cpuErr error
}

// Start begins a window. Windows may overlap.
func (e *Energy) Start() Window {
	w := Window{e: e, totals: e.poll(), at: e.env.now()}
	w.cpu, w.cpuErr = e.env.cpu()
	return w
}

// Stop ends the window and returns an entry for each source: joules with the
// tier they were obtained at, or nil with the reason. Net joules are gross
// minus the power that Idle measured times the window; their standard
// deviation is IdleSDW times the window.
func (w Window) Stop() []record.Energy {
	e := w.e
	cpu, err := e.env.cpu()
	if w.cpuErr != nil {
		err = w.cpuErr
	}
	d := e.env.now().Sub(w.at)
	joules := e.joules(w.totals, e.poll())
	out := e.Sources()
	for i, g := range e.groups {
		if out[i].Tier == record.TierCounter {
			out[i] = g.sample(out[i], joules[i], d)
		}
	}
	last := len(out) - 1
	out[last] = e.estimate.sample(out[last], cpu-w.cpu, d, err)
	for i := range out {
		out[i].WindowNS = d.Nanoseconds()
	}
	return out
}

// joules returns the energy of each group between two readings.
func (e *Energy) joules(from, to []uint64) []float64 {
	j := make(map[*zone]float64, len(e.zones))
	for i, z := range e.zones {
		j[z] = float64(to[i]-from[i]) * 1e-6
	}
	sums := make([]float64, len(e.groups))
	for i, g := range e.groups {
		for _, z := range g.zones {
			sums[i] += j[z]
		}
	}
	return sums
}

// Sources lists what there is, without a measurement: the tier of each source,
// or the reason why it is unavailable. The last entry is the estimate.
func (e *Energy) Sources() []record.Energy {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []record.Energy
	for _, g := range e.groups {
		s := record.Energy{Tier: record.TierCounter, Domain: g.domain, Source: g.source, IdleW: g.idleW, IdleSDW: g.idleSD}
		if s.Reason = g.lost(); s.Reason != "" {
			s.Tier = record.TierNone
		}
		out = append(out, s)
	}
	if len(e.groups) == 0 {
		out = append(out, record.Energy{Tier: record.TierNone, Domain: DomainTotal, Source: "RAPL counter, powercap", Reason: e.reason})
	}
	return append(out, e.estimate.entry())
}

func (g *group) lost() string {
	if g.reason != "" {
		return g.reason
	}
	for _, z := range g.zones {
		if z.lost != "" {
			return z.domain + ": " + z.lost
		}
	}
	return ""
}

// sample fills in the energy j of a window of length d.
func (g *group) sample(s record.Energy, j float64, d time.Duration) record.Energy {
	watts := j / d.Seconds()
	switch {
	case d < minWindow:
		s.Reason = fmt.Sprintf("a window of %v is shorter than the %v that the counter resolves: repeat the work within one window", d.Round(time.Microsecond), minWindow)
	case j == 0:
		s.Reason = "the counter did not move in the window"
	case watts > maxWatts:
		s.Reason = fmt.Sprintf("the counter shows %.3g W, more than %d W: it was reset or wrapped unseen", watts, maxWatts)
	default:
		s.Joules = &j
		s.Reason = "net is n/a: the idle power was not measured"
		if g.idleW != nil {
			net := j - *g.idleW*d.Seconds()
			s.NetJ, s.Reason = &net, ""
		}
	}
	return s
}

// Idle measures the power of each counter over d while this process sleeps:
// the mean over d, and the standard deviation between up to 20 parts of it.
// Later windows report net energy with it; it returns the sources with their
// idle power. A d too short for two parts leaves the idle power unknown, and
// without a counter Idle returns at once.
func (e *Energy) Idle(d time.Duration) []record.Energy {
	parts := min(20, int(d/minWindow))
	if parts < 2 || !e.counting() {
		return e.Sources()
	}
	power := make([][]float64, len(e.groups)) // [group][part], W
	seconds := make([]float64, 0, parts)
	for range parts {
		t0, from := e.env.now(), e.poll()
		e.env.sleep(d / time.Duration(parts))
		to := e.poll()
		s := e.env.now().Sub(t0).Seconds()
		seconds = append(seconds, s)
		for i, j := range e.joules(from, to) {
			power[i] = append(power[i], j/s)
		}
	}
	e.mu.Lock()
	for i, g := range e.groups {
		if mean, sd := weighted(power[i], seconds); mean > 0 {
			g.idleW, g.idleSD = &mean, &sd
		}
	}
	e.mu.Unlock()
	return e.Sources()
}

// weighted returns the mean of xs weighted by w, and the standard deviation
// of one x.
func weighted(xs, w []float64) (mean, sd float64) {
	var sum, square float64
	for i, x := range xs {
		mean += x * w[i]
		sum += w[i]
	}
	mean /= sum
	for _, x := range xs {
		square += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(square / float64(len(xs)-1))
}
