package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"workbench/experiments/record"
)

func init() { registerSection("energy", 60, (*view).energyBlocks) }

// timeInDisguise is what every estimate from time must be read with.
const timeInDisguise = "An estimate: an assumed power times the measured time. It ranks exactly as time does and adds no evidence of its own."

// energies are the quantities of energy, each in a figure of its own: measured
// and estimated never share one.
var energies = []struct{ kind, name, note string }{
	{"measured", "joules_per_token", "Read from a counter or meter; gross energy, idle power included: the work's share, by time, of a window in which it is done until the counter can tell."},
	{"estimated", "joules_per_token_estimated", timeInDisguise},
	{"modelled", "joules_per_token_modelled", "A model from counted operations and bytes: a lower bound for the datapath, never the energy of the machine."},
}

// energyBlocks shows measured energy and each kind of estimate.
func (v *view) energyBlocks(g *group) []Block {
	along := g.axisWorkloads()
	if len(along) == 0 {
		return nil
	}
	workload := along[0]
	var out []Block
	for i, e := range energies {
		q := v.quantity(e.name)
		f := g.along("energy-"+e.kind, fmt.Sprintf("Energy per token, %s (%s)", e.kind, workload), workload, q)
		if len(f.Series) == 0 {
			if i == 0 {
				out = append(out, Block{Heading: "Energy: measured",
					Missing: "Energy per token, measured: not measured on this machine. " + upper(v.uncounted(g.of(workload))) + "."})
			}
			continue
		}
		f.Y.Label = upper(e.kind) + " energy per token"
		b := Block{Heading: "Energy: " + e.kind, Figure: &f}
		if f.Note = e.note; q.Kind == record.Timed {
			f.Note += " " + v.gaps(g, workload) + g.intervalNote(workload, q)
			b.Says = nonEmpty(v.comparedSentence(g, workload, q, "uses %s the measured energy of %s per token"))
		}
		out = append(out, b)
	}
	if t := g.energyTable(); len(t.Rows) > 0 {
		out = append(out, Block{Heading: "Energy: table", Table: t})
	}
	return out
}

// netOfIdle is the measured energy without that of an idle machine.
const netOfIdle = "net_joules_per_token"

// uncounted tells why the records hold no measured energy: what the meter said
// when it took them, or when it looked at the machine.
func (v *view) uncounted(records []*record.Record) string {
	return cmp.Or(unmeasured(records, energies[0].name), strings.TrimSuffix(record.NoTotal(v.run.Host.Energy), "."),
		"no record carries energy from a counter or meter")
}

// gaps tells how many samples of a workload hold no measured energy.
func (v *view) gaps(g *group, workload string) string {
	all := g.of(workload)
	without := slices.DeleteFunc(slices.Clone(all), func(r *record.Record) bool {
		_, ok := r.Value(energies[0].name)
		return ok
	})
	if len(without) == 0 {
		return ""
	}
	return fmt.Sprintf("Of %d samples %d hold none: %s. ", len(all), len(without), v.uncounted(without))
}

// energyTable keeps measured and estimated joules in separate columns.
func (g *group) energyTable() *Table {
	t := g.largestTable("energy", "Energy per token", []column{{"Measured, gross", "joules_per_token"}, {"Measured, net of idle", netOfIdle},
		{"Estimated from time", "joules_per_token_estimated"}, {"Modelled from operations", "joules_per_token_modelled"}},
		"Medians at the largest place on each workload's axis. "+timeInDisguise+" (That is the estimated column.)")
	t.Columns, t.Tail = append(t.Columns, "Sources"), 1
	const net = 4
	for i, row := range t.Rows {
		if arm, workload := row[0], row[1]; g.atLargest(arm, workload, netOfIdle) < g.atLargest(arm, workload, energies[0].name) {
			row[net] = "n/a" // that of some of the samples alone, which are the larger ones
		}
		t.Rows[i] = append(row, list(g.energySources(row[0], row[1])))
	}
	return t
}

// atLargest is how many samples have a quantity at the largest place of an arm
// in a workload.
func (g *group) atLargest(arm, workload, name string) int {
	p, _ := exactly(g.places(arm, workload, g.view.axisKey(workload), g.view.quantity(name)), g.largest(arm, workload))
	return len(p.all)
}

func (g *group) energySources(arm, workload string) []string {
	var out []string
	for _, r := range g.where(arm, workload) {
		for _, e := range energies {
			if x := r.Find(e.name); x != nil && x.Value != nil && x.Source != "" && !slices.Contains(out, x.Source) {
				out = append(out, x.Source)
			}
		}
	}
	slices.Sort(out)
	return out
}
