package record

import "fmt"

// oldTotal is the domain of the measured total in old records, in which no
// entry is marked.
const oldTotal = "cpu"

// Total returns the entry of a tier that is marked as counting everything once,
// or nil. In old records without marks, it is the domain "cpu" for measured
// tiers, or the only entry of its tier.
func Total(es []Energy, tier string) *Energy {
	if total := measuredTotal(es); total != nil && measured(tier) {
		if total.Tier == tier {
			return total
		}
		return nil
	}
	var only *Energy
	for i := range es {
		switch e := &es[i]; {
		case e.Tier != tier:
		case e.Total:
			return e
		case only != nil:
			return nil
		default:
			only = e
		}
	}
	return only
}

// Measured returns the entry of a measured tier that is marked as counting
// everything once, or nil.
func Measured(es []Energy) *Energy {
	if total := measuredTotal(es); total != nil && measured(total.Tier) {
		return total
	}
	return nil
}

// measuredTotal returns the total of the counters or meters, even where it has
// no value.
func measuredTotal(es []Energy) *Energy {
	var old *Energy
	for i := range es {
		e := &es[i]
		switch {
		case e.Tier == TierEstimated || e.Tier == TierModelled:
		case e.Total:
			return e
		case e.Domain == oldTotal:
			old = e
		}
	}
	return old
}

// NoTotal returns the reason why the entries hold no measured total, "" where
// they do.
func NoTotal(es []Energy) string {
	total := measuredTotal(es)
	for i := range es {
		if total == nil && es[i].Tier == TierNone {
			total = &es[i]
		}
	}
	if total == nil || total.Joules != nil || total.Reason == "" {
		return ""
	}
	return total.Reason
}

// TakeIdle sets the net energy of a measured window: its joules without an idle
// power of w watts, whose standard deviation between parts was sd. There is
// none where the idle power was higher.
func (e *Energy) TakeIdle(w, sd float64) {
	net := *e.Joules - w*float64(e.WindowNS)/1e9
	e.IdleW, e.IdleSDW = &w, &sd
	if net < 0 {
		e.NetJ, e.Reason = nil, fmt.Sprintf("net is n/a: the idle power measured, %.3g W, is above that of the work", w)
		return
	}
	e.NetJ, e.Reason = &net, ""
}
