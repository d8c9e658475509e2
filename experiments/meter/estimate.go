package meter

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"workbench/experiments/record"
)

// wattsPerThread is the power that CodeCarbon assumes for a thread of a
// processor of unknown thermal design power. Such threads draw 2 to 6 W.
const wattsPerThread = 4

// An estimate of energy is processor time times a constant power.
type estimate struct {
	watts  float64 // for one busy thread
	source string
	// reason is the assumption, with the interval that it leaves: a power that is
	// off by a factor makes every estimate off by the same.
	reason string
}

// newEstimate takes the thermal design power in watts of the processors of this
// machine, as text ("" for unknown), and the reason why there is no counter.
func newEstimate(tdp, locked string) estimate {
	n := runtime.NumCPU()
	e := estimate{watts: wattsPerThread, source: fmt.Sprintf("%d W for each busy thread (CodeCarbon's constant for an unknown CPU)", wattsPerThread)}
	between := "2 to 6 W for a thread: between 0.5 and 1.5 of the number"
	if v, err := strconv.ParseFloat(tdp, 64); err == nil && v >= minWatts && v <= maxWatts {
		e.watts = v / float64(n)
		e.source = fmt.Sprintf("WORKBENCH_TDP_WATTS=%g shared by %d threads, times those busy", v, n)
		between = "half of the design power to all of it: between 0.5 and 1 of the number"
	} else if tdp != "" {
		e.reason = fmt.Sprintf("WORKBENCH_TDP_WATTS=%.20q is not a power between %g and %d W and is ignored; ", tdp, minWatts, maxWatts)
	}
	e.reason += between + "; wall time × constant: ranks as time does; no independent evidence"
	if locked != "" {
		e.reason += "; no counter: " + locked
	}
	return e
}

func (e estimate) entry() record.Energy {
	return record.Energy{Tier: record.TierEstimated, Domain: DomainEstimate, Source: e.source, Total: true, Reason: e.reason}
}

// sample sets the energy from the processor time cpu. There is no net energy,
// as an estimate has no idle power.
func (e estimate) sample(s record.Energy, cpu, d time.Duration, err error) record.Energy {
	switch {
	case err != nil:
		s.Tier, s.Reason = record.TierNone, fmt.Sprintf("processor time: %v", err)
	case cpu <= 0 || d <= 0:
		s.Reason = "no processor time passed in the window; " + s.Reason
	default:
		j := e.watts * cpu.Seconds()
		s.Joules = &j
	}
	return s
}
