package meter

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"workbench/experiments/record"
)

// wattsPerThread is what CodeCarbon assumes for a thread of a processor whose
// thermal design power it does not know.
const wattsPerThread = 4

// An estimate is processor time times a constant.
type estimate struct {
	watts  float64 // for one busy thread
	source string
	reason string // what it assumes
}

// newEstimate takes the thermal design power in watts of the processors this
// machine sees, as text ("" for unknown), and why there is no counter.
func newEstimate(tdp, locked string) estimate {
	n := runtime.NumCPU()
	e := estimate{watts: wattsPerThread, source: fmt.Sprintf("%d W for each busy thread (CodeCarbon's constant for an unknown CPU)", wattsPerThread)}
	if v, err := strconv.ParseFloat(tdp, 64); err == nil && v >= minWatts && v <= maxWatts {
		e.watts = v / float64(n)
		e.source = fmt.Sprintf("WORKBENCH_TDP_WATTS=%g shared by %d threads, times those busy", v, n)
	} else if tdp != "" {
		e.reason = fmt.Sprintf("WORKBENCH_TDP_WATTS=%.20q is not a power between %g and %d W and is ignored; ", tdp, minWatts, maxWatts)
	}
	e.reason += "wall time × constant: ranks as time does; no independent evidence"
	if locked != "" {
		e.reason += "; no counter: " + locked
	}
	return e
}

func (e estimate) entry() record.Energy {
	return record.Energy{Tier: record.TierEstimated, Domain: DomainEstimate, Source: e.source, Total: true, Reason: e.reason}
}

// sample fills in the energy of the processor time cpu. There is no net: an
// estimate knows no idle power.
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
