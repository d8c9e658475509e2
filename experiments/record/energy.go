package record

import "fmt"

// oldTotal is the domain of the measured total in records from before the mark.
const oldTotal = "cpu"

// Total returns the entry of a tier that counts everything once, as the meter
// marked it, or nil. Entries none of which is marked are from before there was
// a mark: the measured total is then the domain "cpu", or what is the only one
// of its tier.
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

// measuredTotal is the total of the counters or meters, also where it could
// not be had.
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

// NoTotal tells why the entries hold no measured total, "" where they do.
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

// TakeIdle fills in the net energy of a measured window: its joules less those
// of an idle power of w watts, which varied by sd between its parts. There is
// none where the machine drew more while it was idle.
func (e *Energy) TakeIdle(w, sd float64) {
	net := *e.Joules - w*float64(e.WindowNS)/1e9
	e.IdleW, e.IdleSDW = &w, &sd
	if net < 0 {
		e.NetJ, e.Reason = nil, fmt.Sprintf("net is n/a: the idle power measured, %.3g W, is above that of the work", w)
		return
	}
	e.NetJ, e.Reason = &net, ""
}
