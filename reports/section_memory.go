package reports

import (
	"fmt"
	"strings"

	"workbench/experiments/record"
)

func init() { registerSection("memory", 40, (*view).memoryBlocks) }

// axisWorkloads are those of a part's workloads that lie along an axis.
func (part *partView) axisWorkloads() []string {
	var out []string
	for _, w := range part.workloads() {
		if w.Axis != nil {
			out = append(out, w.Name)
		}
	}
	return out
}

// memoryBlocks shows how state and process grow with what was read, and the
// memory of every workload.
func (v *view) memoryBlocks(part *partView) []Block {
	var out []Block
	if part.has("decode") {
		state := part.memoryFigure("state_bytes", "State carried from token to token", "Memory: state")
		state.Says = nonEmpty(part.stateSentence())
		state.Figure.Note = "Counted from the live state, not from a formula; the same in every round."
		state.Figure.Y.Log = true
		peak := part.memoryFigure("peak_rss_bytes", "Peak resident memory of the process", "Memory: peak")
		peak.Figure.Note = "The process's high-water mark (VmHWM), weights, runtime and heap included; read once in each cell's own process, so there is no interval."
		out = append(out, state, peak)
	}
	t := part.largestTable("memory", "Memory", []column{{"State", "state_bytes"}, {"Go heap", "heap_bytes"}, {"Activation arena", "arena_bytes"}, {"Peak resident", "peak_rss_bytes"}},
		"Medians of the samples at the largest position on each workload's axis. The process's peak holds everything, the weights included.")
	if len(t.Rows) > 0 {
		out = append(out, Block{Heading: "Memory: table", Table: t})
	}
	return out
}

func (part *partView) memoryFigure(name, title, heading string) Block {
	f := part.axisFigure(slug(strings.TrimSuffix(name, "_bytes")), title, "decode", part.quantity(name))
	return Block{Heading: heading, Figure: &f}
}

// stateSentence says which states grow with what was read.
func (part *partView) stateSentence() string {
	q := part.quantity("state_bytes")
	var parts []string
	var lo, hi float64
	for _, arm := range part.Arms {
		ps := part.samplesAlong(arm, "decode", "depth", q)
		if len(ps) < 2 {
			continue
		}
		first, last := ps[0], ps[len(ps)-1]
		lo, hi = first.x, last.x
		a, b := summarize(q, first).mid, summarize(q, last).mid
		if a == b {
			parts = append(parts, fmt.Sprintf("%s stays at %s", arm, withUnit(a, "B")))
		} else {
			parts = append(parts, fmt.Sprintf("%s goes from %s to %s", arm, withUnit(a, "B"), withUnit(b, "B")))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("From depth %.0f to depth %.0f the state of %s.", lo, hi, strings.Join(parts, "; that of "))
}

// A column of a table is one quantity under a head.
type column struct{ head, name string }

// largestTable is the median of quantities for every arm and workload at its
// largest position.
func (part *partView) largestTable(name, title string, columns []column, note string) *Table {
	t := &Table{Name: part.slug + "-" + name, Title: title, Text: 3, Columns: []string{"Series", "Workload", "At"}, Note: note}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.head)
	}
	for _, arm := range part.Arms {
		for _, w := range part.axisWorkloads() {
			x := part.largestPosition(arm, w)
			row, found := []string{arm, w, fmt.Sprintf("%s %.0f", part.view.axisKey(w), x)}, false
			for _, c := range columns {
				q := part.quantity(c.name)
				cell := "n/a"
				if p, ok := samplesIn(part.samplesAlong(arm, w, part.view.axisKey(w), q), x); ok {
					cell, found = quantityText(q, median(p.all)), true
				}
				row = append(row, cell)
			}
			if found {
				t.add(row...)
			}
		}
	}
	return t
}

// quantityText is a number of a quantity, the share of a pure one in percent.
func quantityText(q record.Quantity, x float64) string {
	unit := strings.TrimSuffix(q.Unit, "/token")
	switch {
	case unit != "":
		return withUnit(x, unit)
	case strings.HasSuffix(q.Name, "_share"):
		return percent(x)
	}
	return fixed(x, 2)
}
