package reports

import (
	"fmt"
	"slices"
	"strings"

	"workbench/experiments/record"
)

// timeInDisguise is what every estimate from time must be read with.
const timeInDisguise = "An estimate: an assumed power times the measured time. It ranks exactly as time does and adds no evidence of its own."

// energyBlocks shows measured energy and each kind of estimate in figures of
// their own: they never share a column.
func (v *view) energyBlocks(g *group) []Block {
	if g.memoryPhase() == "" {
		return nil
	}
	var out []Block
	if b, ok := g.energyFigure("measured", record.Measured); ok {
		b.Figure.Note = "Read from a counter or meter; gross energy, idle power included: the work's share, by time, of a window in which it is done until the counter can tell. " + v.gaps(g) + g.intervalNote(g.memoryPhase(), defaultAxis(g.memoryPhase()), metrics["joules_per_token"])
		b.Says = nonEmpty(v.energySentence(g))
		out = append(out, b)
	} else {
		out = append(out, Block{Heading: "Energy: measured",
			Missing: "Energy per token, measured: not measured on this machine. " + upper(strings.TrimSuffix(v.unmeasured(g.of(g.memoryPhase())), ".")) + "."})
	}
	for _, tier := range []struct{ tier, name, note string }{
		{record.TierEstimated, "estimated", timeInDisguise},
		{record.TierModelled, "modelled", "A model from counted operations and bytes: a lower bound for the datapath, never the energy of the machine."},
	} {
		if b, ok := g.energyFigure(tier.name, func(t string) bool { return t == tier.tier }); ok {
			b.Figure.Note = tier.note
			out = append(out, b)
		}
	}
	if t := g.energyTable(); len(t.Rows) > 0 {
		out = append(out, Block{Heading: "Energy: table", Table: t})
	}
	return out
}

func (g *group) energyFigure(kind string, want func(string) bool) (Block, bool) {
	phase := g.memoryPhase()
	over := defaultAxis(phase)
	m := metric{title: kind + " energy", unit: "J/token", value: func(r *record.Record) (float64, bool) {
		return joulesPerToken(r, want, false)
	}}
	series := g.curve(phase, over, m)
	if len(series) == 0 {
		return Block{}, false
	}
	x := map[string]string{"depth": "Context already read", "chunk": "Piece read per call", "context": "Training window"}[over]
	unit := inUnit(series, m.unit)
	f := Figure{Name: g.slug + "-energy-" + kind, Title: fmt.Sprintf("Energy per token, %s (%s)", kind, phase),
		X: Axis{Label: x, Unit: "tokens", Log: true, Ticks: pointTicks(xs(series), nil)},
		Y: Axis{Label: upper(m.title) + " per token", Unit: unit, Log: wide(series), Zero: true}, Series: series}
	return Block{Heading: "Energy: " + kind, Figure: &f}, true
}

func (v *view) energySentence(g *group) string {
	phase := g.memoryPhase()
	m := metrics["joules_per_token"]
	var parts []string
	for _, label := range g.Labels {
		if label == g.Baseline {
			continue
		}
		if c, ok := v.compare(g, label, phase, defaultAxis(phase), m); ok {
			parts = append(parts, fmt.Sprintf("%s uses %s the measured energy of %s per token%s", label, c.iv.text("×"), g.Baseline, c.remark()))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return upper(v.placeOf(g, phase, m)) + strings.Join(parts, "; ") + "."
}

// unmeasured tells why the records hold no measured energy: what the meter said
// when it took them, or when it looked at the machine.
func (v *view) unmeasured(records []*record.Record) string {
	for _, r := range records {
		if why := record.NoTotal(r.Energy); why != "" {
			return why
		}
	}
	if why := record.NoTotal(v.run.Host.Energy); why != "" {
		return why
	}
	return "no record carries energy from a counter or meter"
}

// counts tells whether any record of the run holds measured energy.
func (v *view) counts() bool {
	return slices.ContainsFunc(v.all, func(r record.Record) bool {
		_, ok := joulesPerToken(&r, record.Measured, false)
		return ok && r.Error == ""
	})
}

// gaps tells how many samples of the figure's phase hold no measured energy.
func (v *view) gaps(g *group) string {
	var without []*record.Record
	all := g.of(g.memoryPhase())
	for _, r := range all {
		if _, ok := joulesPerToken(r, record.Measured, false); !ok {
			without = append(without, r)
		}
	}
	if without == nil {
		return ""
	}
	return fmt.Sprintf("Of %d samples %d hold none: %s. ", len(all), len(without), strings.TrimSuffix(v.unmeasured(without), "."))
}

func nameOf(e record.Energy) string {
	if e.Domain != "" {
		return e.Domain
	}
	return e.Source
}

// energyTable keeps measured and estimated joules in separate columns.
func (g *group) energyTable() *Table {
	t := &Table{Name: g.slug + "-energy", Title: "Energy per token", Text: 2, Tail: 1,
		Columns: []string{"Series", "Phase", "At (tokens)", "Measured, gross", "Measured, net of idle", "Estimated from time", "Modelled from operations", "Sources"},
		Note:    "Medians at the largest depth, chunk or context. " + timeInDisguise + " (That is the estimated column.)"}
	for _, label := range g.Labels {
		for _, phase := range []string{"decode", "prefill", "train"} {
			x := g.largest(label, phase)
			row, found, gross := []string{label, phase, fmt.Sprintf("%.0f", x)}, false, 0
			for _, col := range []struct {
				want func(string) bool
				net  bool
			}{{record.Measured, false}, {record.Measured, true}, {func(s string) bool { return s == record.TierEstimated }, false},
				{func(s string) bool { return s == record.TierModelled }, false}} {
				m := metric{value: func(r *record.Record) (float64, bool) { return joulesPerToken(r, col.want, col.net) }}
				cell := "n/a"
				if p, ok := exactly(g.places(label, phase, defaultAxis(phase), m), x); ok {
					// Note: a net energy that some samples lack would be that of the larger ones.
					if gross = max(gross, len(p.all)); !col.net || len(p.all) == gross {
						cell, found = quantity(median(p.all), "J"), true
					}
				}
				row = append(row, cell)
			}
			if found {
				t.add(append(row, list(g.energySources(label, phase)))...)
			}
		}
	}
	return t
}

func (g *group) energySources(label, phase string) []string {
	var out []string
	for _, r := range g.where(label, phase) {
		for _, e := range r.Energy {
			if s := e.Tier + ", " + nameOf(e); e.Joules != nil && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	slices.Sort(out)
	return out
}
