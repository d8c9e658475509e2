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
const estimateNote = "An estimate: an assumed power times the measured time. It ranks exactly as time does and adds no evidence of its own."

// energies are the quantities of energy, each in a figure of its own: measured
// and estimated never share one.
var energies = []struct{ kind, name, note string }{
	{"measured", "joules_per_token", "Read from a counter or meter; gross energy, idle power included: the work's share, by time, of a window in which it is done until the counter can tell."},
	{"estimated", "joules_per_token_estimated", estimateNote},
	{"modelled", "joules_per_token_modelled", "A model from counted operations and bytes: a lower bound for the datapath, never the energy of the machine."},
}

// energyBlocks shows measured energy and each kind of estimate.
func (v *view) energyBlocks(part *partView) []Block {
	along := part.axisWorkloads()
	if len(along) == 0 {
		return nil
	}
	workload := along[0]
	var out []Block
	for i, e := range energies {
		q := part.quantity(e.name)
		f := part.axisFigure("energy-"+e.kind, fmt.Sprintf("Energy per token, %s (%s)", e.kind, workload), workload, q)
		if len(f.Series) == 0 {
			if i == 0 {
				out = append(out, Block{Heading: "Energy: measured",
					Missing: "Energy per token, measured: not measured on this machine. " + upper(v.whyNoEnergy(part.inWorkload(workload))) + "."})
			}
			continue
		}
		f.Y.Label = upper(e.kind) + " energy per token"
		b := Block{Heading: "Energy: " + e.kind, Figure: &f}
		if f.Note = e.note; q.Kind == record.Timed {
			f.Note += " " + v.samplesWithoutEnergy(part, workload) + part.intervalNote(workload, q)
			b.Says = nonEmpty(v.comparedSentence(part, workload, q, "uses %s the measured energy of %s per token"))
		}
		out = append(out, b)
	}
	if t := part.energyTable(); len(t.Rows) > 0 {
		out = append(out, Block{Heading: "Energy: table", Table: t})
	}
	return out
}

// netOfIdle is the measured energy without that of an idle machine.
const netOfIdle = "net_joules_per_token"

// whyNoEnergy tells why the records hold no measured energy: what the meter said
// when it took them, or when it looked at the machine.
func (v *view) whyNoEnergy(records []*record.Record) string {
	return cmp.Or(whyMissing(records, energies[0].name), strings.TrimSuffix(record.NoTotal(v.run.Host.Energy), "."),
		"no record carries energy from a counter or meter")
}

// samplesWithoutEnergy tells how many samples of a workload hold no measured energy.
func (v *view) samplesWithoutEnergy(part *partView, workload string) string {
	all := part.inWorkload(workload)
	without := slices.DeleteFunc(slices.Clone(all), func(r *record.Record) bool {
		_, ok := r.Value(energies[0].name)
		return ok
	})
	if len(without) == 0 {
		return ""
	}
	return fmt.Sprintf("Of %d samples %d hold none: %s. ", len(all), len(without), v.whyNoEnergy(without))
}

// energyTable keeps measured and estimated joules in separate columns.
func (part *partView) energyTable() *Table {
	t := part.largestTable("energy", "Energy per token", []column{{"Measured, gross", "joules_per_token"}, {"Measured, net of idle", netOfIdle},
		{"Estimated from time", "joules_per_token_estimated"}, {"Modelled from operations", "joules_per_token_modelled"}},
		"Medians at the largest position on each workload's axis. "+estimateNote+" (That is the estimated column.)")
	t.Columns, t.Tail = append(t.Columns, "Sources"), 1
	const net = 4
	for i, row := range t.Rows {
		if arm, workload := row[0], row[1]; part.countAtLargest(arm, workload, netOfIdle) < part.countAtLargest(arm, workload, energies[0].name) {
			row[net] = "n/a" // that of some of the samples alone, which are the larger ones
		}
		t.Rows[i] = append(row, list(part.energySources(row[0], row[1])))
	}
	return t
}

// countAtLargest is how many samples have a quantity at the largest position of an arm
// in a workload.
func (part *partView) countAtLargest(arm, workload, name string) int {
	p, _ := samplesIn(part.samplesAlong(arm, workload, part.view.axisKey(workload), part.quantity(name)), part.largestPosition(arm, workload))
	return len(p.all)
}

func (part *partView) energySources(arm, workload string) []string {
	var out []string
	for _, r := range part.recordsOf(arm, workload) {
		for _, e := range energies {
			if x := r.Find(e.name); x != nil && x.Value != nil && x.Source != "" && !slices.Contains(out, x.Source) {
				out = append(out, x.Source)
			}
		}
	}
	slices.Sort(out)
	return out
}
