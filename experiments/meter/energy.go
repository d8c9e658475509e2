package meter

import (
	"cmp"
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
	// minSampled is the shortest window over which a sampled power is integrated.
	minSampled = 2 * time.Second
	// A counter is plausible if its power is within these bounds, in watts, that
	// of a whole machine up to maxMachineWatts.
	minWatts, maxWatts, maxMachineWatts = 0.1, 2000, 20000
	// pollEvery is the longest time between readings, so that no wrap is missed.
	pollEvery = 30 * time.Second
	selfTest  = 200 * time.Millisecond
)

// Domains of record.Energy that are not single gauges.
const (
	DomainTotal    = "cpu"          // packages and their memory, each counted once
	DomainMachine  = "machine"      // everything, by a sensor
	DomainEstimate = "cpu estimate" // see Energy
)

// Energy is the energy sources of this machine: counters and sensors, each kind
// of them a family. The best family that counts the processor or the machine
// gives the total, which comes first and is marked. What the total contains,
// and what measures the same again, is listed and never added. The last source
// is an estimate from processor time, with a tier of its own.
type Energy struct {
	mu       sync.Mutex
	gauges   []*gauge // counters first
	groups   []*group
	reason   string // reason why there is no total
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
	perf  openPerf
}

// NewEnergy finds the sources under sysfs ("" for /sys, or the folder in
// WORKBENCH_SYSFS). Where there are counters it keeps one core busy for 200 ms
// to test them, and reads them in the background until Close.
func NewEnergy(sysfs string) *Energy {
	if sysfs == "" {
		sysfs = here().sys
	}
	return newEnergy(environment{sysfs, readFile, os.Getenv, time.Now, spin, time.Sleep, CPUTime, perfEvent})
}

func newEnergy(env environment) *Energy {
	e := &Energy{env: env, stop: func() {}}
	e.find()
	e.check()
	e.group()
	e.estimate = newEstimate(env.env("WORKBENCH_TDP_WATTS"), e.reason)
	if e.counting() {
		e.background()
	}
	return e
}

// Close stops the background readings.
func (e *Energy) Close() {
	e.stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, g := range e.gauges {
		if g.close != nil {
			g.close()
			g.close, g.lost = nil, "closed"
		}
	}
}

// spin keeps one core busy.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

// check marks gauges that stand still or are implausible, and drops those that
// duplicate another.
func (e *Energy) check() {
	if !e.counting() {
		return
	}
	twins := findTwins(e.gauges)
	t0, from := e.poll()
	e.env.spin(selfTest)
	t1, to := e.poll()
	for i, g := range e.gauges {
		if g.lost == "" {
			g.lost = g.implausible(to[i]-from[i], t1.Sub(t0).Seconds())
		}
	}
	e.gauges = dropTwins(e.gauges, twins)
}

// counting reports whether any gauge can be read.
func (e *Energy) counting() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.gauges, func(g *gauge) bool { return g.lost == "" })
}

// background reads the counters often enough that none wraps twice: within half
// the time in which maxWatts fill the smallest range. It samples sensors every
// sampleEvery.
func (e *Energy) background() {
	every := pollEvery
	for _, g := range e.gauges {
		if g.max > 0 {
			half := time.Duration(float64(g.max) * 1e-6 / maxWatts / 2 * float64(time.Second))
			every = min(every, max(half, minWindow))
		}
		if g.sampled && g.lost == "" {
			every = min(every, sampleEvery)
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

// poll reads every gauge and returns the totals in µJ by gauge, and the time
// when it began.
func (e *Energy) poll() (at time.Time, totals []uint64) { return e.read(1) }

// instant reads all counters close together in time: if the thread was
// preempted in between, it reads them again. Sensors are read after them.
func (e *Energy) instant() (at time.Time, totals []uint64) { return e.read(5) }

func (e *Energy) read(tries int) (at time.Time, totals []uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for range tries {
		at = e.env.now()
		e.pollKind(false)
		if e.env.now().Sub(at) < time.Millisecond {
			break
		}
	}
	e.pollKind(true)
	for _, g := range e.gauges {
		totals = append(totals, g.total)
	}
	return at, totals
}

func (e *Energy) pollKind(sampled bool) {
	for _, g := range e.gauges {
		if g.sampled == sampled {
			g.poll(e.env.now())
		}
	}
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
// counter gives the total. Note: a sampled power does not lengthen windows, as
// it would need ten times as long ones and is the less exact for it; windows
// that are too short for it have no energy.
func (e *Energy) Least() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.groups[0].lost() != "" || e.groups[0].sampled() {
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
	e.mu.Lock()
	for i, g := range e.groups {
		if out[i].Tier != record.TierNone {
			out[i] = g.sample(out[i], joules, w.at, d)
		}
	}
	e.mu.Unlock()
	last := len(out) - 1
	out[last] = e.estimate.sample(out[last], cpu-w.cpu, d, err)
	return out
}

// joules returns the energy of each gauge between two readings.
func (e *Energy) joules(from, to []uint64) map[*gauge]float64 {
	j := make(map[*gauge]float64, len(e.gauges))
	for i, g := range e.gauges {
		j[g] = float64(to[i]-from[i]) * 1e-6
	}
	return j
}

// Sources lists the sources without a measurement: the tier of each, or the
// reason why it is unavailable. The last one is the estimate.
func (e *Energy) Sources() []record.Energy {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []record.Energy
	for _, g := range e.groups {
		out = append(out, record.Energy{Tier: g.tier(), Domain: g.domain, Source: g.source, Total: g.total, IdleW: g.idleW, IdleSDW: g.idleSD, Reason: cmp.Or(g.lost(), g.note)})
	}
	return append(out, e.estimate.entry())
}

// sample sets the energy of a window of length d. A gauge that stood still or
// jumped invalidates the sums that it belongs to, which would be silently too
// small or too large.
func (g *group) sample(s record.Energy, joules map[*gauge]float64, from time.Time, d time.Duration) record.Energy {
	if g.sampled() && d < minSampled {
		s.Reason = fmt.Sprintf("a window of %v is shorter than the %v that a sampled power needs: ask for longer samples (sample_ms)", d.Round(time.Microsecond), minSampled)
		return s
	}
	if d < minWindow {
		s.Reason = fmt.Sprintf("a window of %v is shorter than the %v that the counter resolves: repeat the work within one window", d.Round(time.Microsecond), minWindow)
		return s
	}
	for _, x := range g.gauges {
		if why := x.spoiled(joules[x], from, d.Seconds()); why != "" {
			s.Reason = x.domain + ": " + why
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

// Idle measures the power of each gauge over d while this process sleeps: the
// mean, and the standard deviation between up to 20 parts of d. Later windows
// report net energy with it. It returns the sources with their idle power.
// Where d is too short for two parts, or a gauge jumps, the idle power is
// unknown; without a gauge Idle returns at once.
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
		believed := g.lost() == "" && slices.Max(power[i]) <= g.maxWatts()
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
