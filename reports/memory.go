package reports

import (
	"fmt"
	"math"
	"strings"

	"workbench/experiments/record"
)

// memoryPhase is the phase whose records show memory best: the one that varies
// depth.
func (g *group) memoryPhase() string {
	for _, phase := range []string{"decode", "prefill", "train"} {
		if g.has(phase) {
			return phase
		}
	}
	return ""
}

func (v *view) memoryBlocks(g *group) []Block {
	phase := g.memoryPhase()
	if phase == "" {
		return nil
	}
	var out []Block
	if phase == "decode" {
		state := g.memoryFigure("state_bytes", "State carried from token to token", "Memory: state")
		state.Says = nonEmpty(g.stateSentence())
		state.Figure.Note = "Counted from the live state, not from a formula; the same in every round."
		peak := g.memoryFigure("peak_rss_bytes", "Peak resident memory of the process", "Memory: peak")
		peak.Figure.Note = "The process's high-water mark (VmHWM), weights, runtime and heap included; read once in each cell's own process, so there is no interval."
		out = append(out, state, peak)
	}
	return append(out, g.memoryTable()...)
}

func (g *group) memoryFigure(name, title, heading string) Block {
	m := metrics[name]
	series := g.curve("decode", "depth", m)
	unit := inUnit(series, m.unit)
	log := name == "state_bytes" || wide(series)
	f := Figure{Name: g.slug + "-" + slug(strings.TrimSuffix(name, "_bytes")), Title: title,
		X: Axis{Label: "Context already read", Unit: "tokens", Log: true, Ticks: pointTicks(xs(series), nil)},
		Y: Axis{Label: upper(m.title), Unit: unit, Log: log, Zero: true}, Series: series}
	return Block{Heading: heading, Figure: &f}
}

// stateSentence says which states grow with what was read.
func (g *group) stateSentence() string {
	m := metrics["state_bytes"]
	var parts []string
	var lo, hi float64
	for _, label := range g.Labels {
		ps := g.places(label, "decode", "depth", m)
		if len(ps) < 2 {
			continue
		}
		first, last := ps[0], ps[len(ps)-1]
		lo, hi = first.x, last.x
		a, b := m.one(first).mid, m.one(last).mid
		if a == b {
			parts = append(parts, fmt.Sprintf("%s stays at %s", label, quantity(a, "B")))
		} else {
			parts = append(parts, fmt.Sprintf("%s goes from %s to %s", label, quantity(a, "B"), quantity(b, "B")))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("From depth %.0f to depth %.0f the state of %s.", lo, hi, strings.Join(parts, "; that of "))
}

// memoryTable is the memory of every label and phase at its largest position.
func (g *group) memoryTable() []Block {
	t := &Table{Name: g.slug + "-memory", Title: "Memory", Text: 2,
		Columns: []string{"Series", "Phase", "At (tokens)", "State", "Go heap", "Activation arena", "Peak resident"},
		Note:    "Medians of the samples at the largest depth, chunk or context. The process's peak holds everything, the weights included."}
	for _, label := range g.Labels {
		for _, phase := range []string{"decode", "prefill", "train"} {
			row, found := []string{label, phase, ""}, false
			x := g.largest(label, phase)
			row[2] = "n/a"
			if !math.IsNaN(x) {
				row[2] = fmt.Sprintf("%.0f", x)
			}
			for _, name := range []string{"state_bytes", "heap_bytes", "arena_bytes", "peak_rss_bytes"} {
				cell := "n/a"
				if p, ok := exactly(g.places(label, phase, defaultAxis(phase), metrics[name]), x); ok {
					cell, found = quantity(median(p.all), "B"), true
				}
				row = append(row, cell)
			}
			if found {
				t.add(row...)
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{{Heading: "Memory: table", Table: t}}
}

// largest is the largest position of a label in a phase, NaN without records.
func (g *group) largest(label, phase string) float64 {
	x := math.NaN()
	for _, r := range g.where(label, phase) {
		if p := g.position(r, defaultAxis(phase)); math.IsNaN(x) || p > x {
			x = p
		}
	}
	return x
}

// costBlocks is processor time and the runtime's share of it.
func (v *view) costBlocks(g *group) []Block {
	t := &Table{Name: g.slug + "-cpu", Title: "Processor time and the runtime's share", Text: 2,
		Columns: []string{"Series", "Phase", "At (tokens)", "Cores busy", "CPU time per token", "Garbage collector", "Waiting to run"},
		Note: "Medians at the largest depth, chunk or context. Cores busy is CPU time over elapsed time; the collector's share is of CPU time; " +
			"waiting is the share of goroutine time that was runnable but not running."}
	field := func(label, phase string, x float64, f func(*record.Record) (float64, bool)) (float64, bool) {
		p, ok := exactly(g.places(label, phase, defaultAxis(phase), metric{value: f}), x)
		if !ok {
			return 0, false
		}
		return median(p.all), true
	}
	for _, label := range g.Labels {
		for _, phase := range []string{"decode", "prefill", "train"} {
			x := g.largest(label, phase)
			busy, ok1 := field(label, phase, x, func(r *record.Record) (float64, bool) {
				return ratioOf(r.CPUNS, r.DurationNS)
			})
			each, _ := field(label, phase, x, func(r *record.Record) (float64, bool) {
				s, ok := ratioOf(r.CPUNS, int64(r.Tokens))
				return s / 1e9, ok
			})
			gc, ok2 := field(label, phase, x, func(r *record.Record) (float64, bool) { return value(r.GCShare) })
			wait, ok3 := field(label, phase, x, func(r *record.Record) (float64, bool) { return value(r.SchedShare) })
			if ok1 || ok2 || ok3 {
				t.add(label, phase, fmt.Sprintf("%.0f", x), orNA(fixed(busy, 2), ok1), orNA(quantity(each, "s"), ok1),
					orNA(percent(gc), ok2), orNA(percent(wait), ok3))
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{{Heading: "Processor time", Table: t}}
}

// sizeBlocks is how many parameters every label has, against the baseline.
func (v *view) sizeBlocks(g *group) []Block {
	t := &Table{Name: g.slug + "-parameters", Title: "Parameters", Text: 1,
		Columns: []string{"Series", "All", "Without embeddings and head", "Against " + g.Baseline}}
	size := map[string][2]int{}
	for _, r := range g.records {
		if r.Params > 0 {
			size[r.Label] = [2]int{r.Params, r.ParamsNonEmb}
		}
	}
	worst := 0.0
	base := float64(size[g.Baseline][1])
	for _, label := range g.Labels {
		s, ok := size[label]
		if !ok {
			continue
		}
		rel := "n/a"
		if base > 0 {
			d := float64(s[1])/base - 1
			worst = max(worst, math.Abs(d))
			rel = fixed(d*100, 2) + " %"
		}
		t.add(label, thousands(s[0]), thousands(s[1]), rel)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	if base > 0 {
		t.Note = fmt.Sprintf("Without embeddings and head all are within %.2f %% of the baseline.", worst*100)
	}
	return []Block{{Heading: "Parameters", Table: t}}
}

// checkBlocks is the exact properties measured on the live models.
func (v *view) checkBlocks(g *group) []Block {
	t := &Table{Name: g.slug + "-checks", Title: "Properties checked on the live models", Text: 3,
		Columns: []string{"Series", "Check", "What is compared", "Largest relative deviation"},
		Note:    "float32 carries about 1e−7 of relative rounding per operation."}
	for _, label := range g.Labels {
		for _, r := range g.records {
			if r.Label == label && r.Check != nil {
				t.add(label, r.Check.Name, r.Check.What, digits(r.Check.Value))
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{{Heading: "Checks", Table: t}}
}

func ratioOf(p *int64, over int64) (float64, bool) {
	if p == nil || over <= 0 {
		return 0, false
	}
	return float64(*p) / float64(over), true
}

func value(p *float64) (float64, bool) {
	if p == nil {
		return 0, false
	}
	return *p, true
}

func orNA(s string, ok bool) string {
	if !ok {
		return "n/a"
	}
	return s
}

// thousands prints n with thin spaces between groups of three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}
