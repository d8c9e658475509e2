package meter

import (
	"cmp"
	"path/filepath"
	"slices"

	"workbench/experiments/record"
)

// A family is the gauges of one instrument.
type family struct {
	name string
	// total returns the group of gauges that together count the processor or the
	// machine once, with a reason where they cannot; nil where none of them do.
	total func([]*gauge) *group
}

// families are the instruments, those that are trusted more first.
var families = []family{
	{powercap, raplTotal},
	{perfEvents, raplTotal},
	{hwmonCounters, hwmonTotal},
	{hwmonSensors, hwmonTotal},
	{battery, batteryTotal},
}

// of returns the gauges of a family.
func (f family) of(gauges []*gauge) []*gauge {
	var own []*gauge
	for _, g := range gauges {
		if g.family == f.name {
			own = append(own, g)
		}
	}
	return own
}

// find lists the gauges and takes their first readings. The events of perf are
// the counters of powercap, and are opened only where those cannot be read.
func (e *Energy) find() {
	add := func(gauges []*gauge) {
		for _, g := range gauges {
			g.open(e.env.now())
		}
		e.gauges = append(e.gauges, gauges...)
	}
	add(findZones(e.env.sysfs, e.env.read))
	if len(e.gauges) == 0 || raplTotal(e.gauges).reason != "" {
		add(findPerf(e.env))
	}
	add(findHwmon(e.env))
	add(findBattery(e.env))
	slices.SortStableFunc(e.gauges, func(a, b *gauge) int { return cmp.Compare(sampledLast(a), sampledLast(b)) })
}

func sampledLast(g *gauge) int {
	if g.sampled {
		return 1
	}
	return 0
}

// group makes the entries of the result: the total of the first family that has
// one, those of others, then single gauges where there are several.
func (e *Energy) group() {
	totals := map[string]*group{powercap: {domain: DomainTotal, source: counterSource,
		reason: "no RAPL counters in " + filepath.Join(e.env.sysfs, "class/powercap") + ", as is usual in virtual machines"}}
	best := powercap
	for _, f := range families {
		if own := f.of(e.gauges); len(own) > 0 {
			totals[f.name] = f.total(own)
		}
		if t := totals[f.name]; t != nil && t.reason == "" && totals[best].reason != "" {
			best = f.name
		}
	}
	total := totals[best]
	total.total = true
	e.groups = []*group{total}
	for _, f := range families {
		if t := totals[f.name]; t != nil && t != total {
			e.leaveOut(f.name, t, total, best)
		}
	}
	for _, f := range families {
		own, t := f.of(e.gauges), totals[f.name]
		if len(own) > 1 && (t == nil || t == total || t.reason == "") || t == nil {
			for _, g := range own {
				e.groups = append(e.groups, single(g))
			}
		}
	}
	e.reason = total.reason
}

// leaveOut lists the total t of a family beside the one that counts.
func (e *Energy) leaveOut(name string, t, total *group, best string) {
	switch {
	case t.reason != "" && total.reason != "":
		total.reason += "; " + name + ": " + t.reason
	case t.reason == "" && t.domain == total.domain:
		t.note = "left out of the total: " + best + " counts the same"
	case t.reason == "":
		t.note = "left out of the total: the whole machine, a part of which " + best + " counts"
	}
	t.domain += " by " + name
	e.groups = append(e.groups, t)
}

// tier is the tier of what g measures.
func (g *group) tier() string {
	switch {
	case g.lost() != "":
		return record.TierNone
	case g.sampled():
		return record.TierSampled
	}
	return record.TierCounter
}
