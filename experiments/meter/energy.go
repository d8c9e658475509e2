package meter

import (
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"workbench/experiments/record"
)

const (
	// minWindow is the shortest window that a counter resolves which is updated
	// about once a millisecond.
	minWindow = 100 * time.Millisecond
	// enough is the length of the window of a sample: a counter that is a
	// millisecond late at one end is then off by half a percent.
	enough = 200 * time.Millisecond
	// A counter is plausible if its power is within these bounds, in watts.
	minWatts, maxWatts = 0.1, 2000
	// pollEvery is the longest time between readings, so that no wrap is missed.
	pollEvery = 30 * time.Second
	selfTest  = 200 * time.Millisecond
)

// Domains of record.Energy that are not single counters.
const (
	DomainTotal    = "cpu"          // packages and their memory, each counted once
	DomainEstimate = "cpu estimate" // see Energy
)

// Energy is the energy sources of this machine. Counters are RAPL zones. The
// group DomainTotal comes first and is marked as the total. Nested zones (cores
// and uncore in a package, packages in psys) are listed and never summed. The
// last source is an estimate from processor time, with a tier of its own.
type Energy struct {
	mu       sync.Mutex
	zones    []*zone
	groups   []*group
	reason   string // reason why there is no counter
	estimate estimate
	env      environment
	stop     func()
}

// environment is the access of Energy to the system; tests replace it.
type environment struct {
	sysfs string
	read  func(path string) (string, error)
	env   func(string) string
	now   func() time.Time
	spin  func(time.Duration)
	sleep func(time.Duration)
	cpu   func() (time.Duration, error)
}

// A group is a sum of zones, one entry of a result.
type group struct {
	domain, source string
	total          bool   // the zones count everything once
	reason         string // reason why the sum is not available
	zones          []*zone
	idleW, idleSD  *float64
}

// NewEnergy finds the sources under sysfs ("" for /sys, or the folder in
// WORKBENCH_SYSFS). Where there are counters it keeps one core busy for 200 ms
// to test them, and reads them in the background until Close.
func NewEnergy(sysfs string) *Energy {
	if sysfs == "" {
		sysfs = here().sys
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

// check takes the first readings, marks counters that stand still or are
// implausible, and drops those that duplicate another.
func (e *Energy) check() {
	if len(e.zones) == 0 {
		return
	}
	for _, z := range e.zones {
		z.open()
	}
	twins := findTwins(e.zones)
	t0, from := e.poll()
	e.env.spin(selfTest)
	t1, to := e.poll()
	for i, z := range e.zones {
		if z.lost == "" {
			z.lost = implausible(to[i]-from[i], t1.Sub(t0).Seconds(), z.top)
		}
	}
	e.zones = dropTwins(e.zones, twins)
}

// group makes the entries of the result: the total, then the single zones where
// there are several.
func (e *Energy) group() {
	if len(e.zones) == 0 {
		e.reason = "no RAPL counters in " + e.env.sysfs + "/class/powercap, as is usual in virtual machines"
		return
	}
	total := totalOf(e.zones)
	e.reason = total.reason
	e.groups = []*group{total}
	if len(e.zones) > 1 {
		for _, z := range e.zones {
			e.groups = append(e.groups, &group{domain: z.domain, source: counterSource, zones: []*zone{z}})
		}
	}
}

// counting reports whether any counter can be read.
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

// background reads the counters often enough that none wraps twice: within half
// the time in which maxWatts fill the smallest range.
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

// poll reads every counter and returns the totals in µJ by zone, and the time
// when it began.
func (e *Energy) poll() (at time.Time, totals []uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, totals = e.env.now(), make([]uint64, len(e.zones))
	for i, z := range e.zones {
		z.poll()
		totals[i] = z.total
	}
	return at, totals
}

// instant reads all counters close together in time: if the thread was
// preempted in between, it reads them again.
func (e *Energy) instant() (at time.Time, totals []uint64) {
	for range 5 {
		at, totals = e.poll()
		if e.env.now().Sub(at) < time.Millisecond {
			break
		}
	}
	return at, totals
}

// A Window is an interval whose energy is measured.
type Window struct {
	e      *Energy
	at     time.Time
	totals []uint64
	cpu    time.Duration
	cpuErr error
}

// Start begins a window. Windows may overlap.
func (e *Energy) Start() Window {
	w := Window{e: e}
	w.cpu, w.cpuErr = e.env.cpu()
	w.at, w.totals = e.instant()
	return w
}

// Least is the shortest window whose energy is exact to a percent; 0 where no
// counter gives the total.
func (e *Energy) Least() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.groups) == 0 || e.groups[0].lost() != "" {
		return 0
	}
	return enough
}

// Enough reports whether the window has lasted for Least.
func (w Window) Enough() bool {
	least := w.e.Least()
	return least == 0 || w.e.env.now().Sub(w.at) >= least
}

// Stop ends the window and returns an entry for each source: joules with their
// tier, or nil with the reason. Net joules are gross joules minus the power
// that Idle measured times the window; their standard deviation is IdleSDW
// times the window.
func (w Window) Stop() []record.Energy {
	e := w.e
	end, totals := e.instant()
	cpu, err := e.env.cpu()
	if w.cpuErr != nil {
		err = w.cpuErr
	}
	d := end.Sub(w.at)
	joules := e.joules(w.totals, totals)
	out := e.Sources()
	for i := range out {
		out[i].WindowNS = d.Nanoseconds()
	}
	for i, g := range e.groups {
		if out[i].Tier == record.TierCounter {
			out[i] = g.sample(out[i], joules, d)
		}
	}
	last := len(out) - 1
	out[last] = e.estimate.sample(out[last], cpu-w.cpu, d, err)
	return out
}

// joules returns the energy of each zone between two readings.
func (e *Energy) joules(from, to []uint64) map[*zone]float64 {
	j := make(map[*zone]float64, len(e.zones))
	for i, z := range e.zones {
		j[z] = float64(to[i]-from[i]) * 1e-6
	}
	return j
}

// sum returns the energy of g.
func (g *group) sum(joules map[*zone]float64) (sum float64) {
	for _, z := range g.zones {
		sum += joules[z]
	}
	return sum
}

// Sources lists the sources without a measurement: the tier of each, or the
// reason why it is unavailable. The last one is the estimate.
func (e *Energy) Sources() []record.Energy {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []record.Energy
	for _, g := range e.groups {
		s := record.Energy{Tier: record.TierCounter, Domain: g.domain, Source: g.source, Total: g.total, IdleW: g.idleW, IdleSDW: g.idleSD}
		if s.Reason = g.lost(); s.Reason != "" {
			s.Tier = record.TierNone
		}
		out = append(out, s)
	}
	if len(e.groups) == 0 {
		out = append(out, record.Energy{Tier: record.TierNone, Domain: DomainTotal, Source: counterSource, Total: true, Reason: e.reason})
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

// sample sets the energy of a window of length d. A counter that stood still or
// jumped invalidates the sums that it belongs to, which would be silently too
// small or too large.
func (g *group) sample(s record.Energy, joules map[*zone]float64, d time.Duration) record.Energy {
	if d < minWindow {
		s.Reason = fmt.Sprintf("a window of %v is shorter than the %v that the counter resolves: repeat the work within one window", d.Round(time.Microsecond), minWindow)
		return s
	}
	for _, z := range g.zones {
		watts := joules[z] / d.Seconds()
		switch {
		case watts == 0:
			s.Reason = z.domain + ": the counter did not move in the window"
			return s
		case watts > maxWatts:
			s.Reason = fmt.Sprintf("%s: the counter shows %.3g W, more than %d W: it jumped, was reset or wrapped unseen", z.domain, watts, maxWatts)
			return s
		}
	}
	j := g.sum(joules)
	s.Joules, s.Reason = &j, "net is n/a: the idle power was not measured"
	if g.idleW != nil {
		s.TakeIdle(*g.idleW, *g.idleSD)
	}
	return s
}

// Idle measures the power of each counter over d while this process sleeps: the
// mean, and the standard deviation between up to 20 parts of d. Later windows
// report net energy with it. It returns the sources with their idle power.
// Where d is too short for two parts, or a counter jumps, the idle power is
// unknown; without a counter Idle returns at once.
func (e *Energy) Idle(d time.Duration) []record.Energy {
	parts := min(20, int(d/enough))
	if parts < 2 || !e.counting() {
		return e.Sources()
	}
	power := make([][]float64, len(e.groups)) // [group][part], W
	seconds := make([]float64, 0, parts)
	for range parts {
		t0, from := e.poll()
		e.env.sleep(d / time.Duration(parts))
		t1, to := e.poll()
		joules, s := e.joules(from, to), t1.Sub(t0).Seconds()
		seconds = append(seconds, s)
		for i, g := range e.groups {
			power[i] = append(power[i], g.sum(joules)/s)
		}
	}
	e.mu.Lock()
	for i, g := range e.groups {
		believed := g.lost() == "" && slices.Max(power[i]) <= maxWatts*float64(len(g.zones))
		if mean, sd := weighted(power[i], seconds); mean > 0 && believed {
			g.idleW, g.idleSD = &mean, &sd
		}
	}
	e.mu.Unlock()
	return e.Sources()
}

// weighted returns the mean of xs weighted by w, and the standard deviation of
// a single x.
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
