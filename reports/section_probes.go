package reports

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func init() { registerSection("memory probes", 52, (*view).probeBlocks) }

// probe begins the names of the quantities probe:SLOTS/EVERY.
const probe = "probe:"

// probeBlocks shows what forgetting a part of the state costs, by how often it
// is forgotten.
func (v *view) probeBlocks(part *partView) []Block {
	every := map[string][]float64{} // by slots
	unit := ""
	for _, name := range v.names {
		spec, ok := strings.CutPrefix(name, probe)
		slots, k, cut := strings.Cut(spec, "/")
		if n, err := strconv.Atoi(k); ok && cut && err == nil && n > 0 {
			every[slots] = append(every[slots], float64(n))
		}
	}
	var series []Series
	for _, arm := range part.Arms {
		for i, slots := range slices.Sorted(maps.Keys(every)) {
			s := Series{Name: arm + ": " + shorten(slots, armRunes), Index: part.index[arm], Variant: i, Line: true}
			for _, k := range slices.Sorted(slices.Values(every[slots])) {
				q := part.quantity(fmt.Sprintf("%s%s/%.0f", probe, slots, k))
				if ps := part.samplesAlong(arm, "quality", "", q); len(ps) > 0 {
					unit = q.Unit
					s.Points = append(s.Points, meanInterval(ps[0].all).point(k))
				}
			}
			if len(s.Points) > 0 {
				series = append(series, s)
			}
		}
	}
	if len(series) == 0 {
		return nil
	}
	score := part.scoreIn(unit)
	f := Figure{Name: part.slug + "-probes", Title: "What a memory is worth",
		X:      Axis{Label: "Forgotten every", Unit: "tokens", Log: true, Ticks: pointTicks(xs(series), nil)},
		Y:      Axis{Label: upper(score.Title) + " added by forgetting", Unit: unitOf(score), Zero: true},
		Series: series, Note: "The named part of the state is put back to its initial value every so many tokens of held-out text; zero means it is not missed. Means over seeds with the 95 % interval of Student's t."}
	return []Block{{Heading: "Quality: memory probes", Figure: &f}}
}
