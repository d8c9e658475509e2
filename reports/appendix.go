package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"workbench/experiments/record"
)

// appendix is the machine, what is missing, where everything came from, and
// the study itself.
func (v *view) appendix() []Section {
	return []Section{v.machineSection(), v.missingSection(), v.provenanceSection()}
}

func (v *view) machineSection() Section {
	h := &v.run.Host
	t := &Table{Name: "machine", Title: "Machine and settings", Text: 2, Columns: []string{"What", "Value"}}
	t.add("Processor", orNA(h.CPU, h.CPU != ""))
	t.add("Cores", fmt.Sprint(h.Cores))
	t.add("Memory", orNA(withUnit(float64(h.MemBytes), "B"), h.MemBytes > 0))
	t.add("System", orNA(h.OS, h.OS != ""))
	t.add("Go", orNA(h.Go, h.Go != ""))
	t.add("Processor features used", orNA(strings.Join(h.Features, " "), len(h.Features) > 0))
	for _, k := range keys(h.Caches) {
		t.add("Cache "+k, withUnit(float64(h.Caches[k]), "B"))
	}
	for _, k := range keys(h.FMAPeak) {
		t.add("Measured FMA peak, threads: "+k, digits(h.FMAPeak[k])+" GFLOP/s")
	}
	for _, k := range keys(h.ReadGBs) {
		t.add("Measured read bandwidth, threads: "+k, digits(h.ReadGBs[k])+" GB/s")
	}
	if h.NoiseFloor != nil {
		t.add("Noise floor within one process (A/A)", percent(*h.NoiseFloor))
	} else {
		t.add("Noise floor within one process (A/A)", "n/a: not measured")
	}
	for _, s := range v.settings() {
		t.add(s[0], s[1])
	}
	s := Section{ID: "machine", Title: "Machine and settings", Blocks: []Block{{Table: t}}}
	if e := energySourcesTable(h.Energy); len(e.Rows) > 0 {
		s.Blocks = append(s.Blocks, Block{Heading: "Energy sources found", Table: e})
	}
	s.Blocks = append(s.Blocks, v.warningsBlock())
	return s
}

// settings are the values of the keys that samples were taken with, but for
// what was measured, its position on an axis and its repetition, and the models'
// configuration.
func (v *view) settings() [][2]string {
	skip := []string{record.KeyStudy, record.KeyPart, record.KeyArm, record.KeyArch, record.KeyWorkload, record.KeySeed, record.KeyBlock, record.KeySlot, record.KeyPlacebo}
	for _, w := range v.run.Workloads {
		skip = append(skip, v.axisKey(w.Name))
	}
	var out [][2]string
	for _, key := range record.KeyNames(v.all) {
		if slices.Contains(skip, key) || strings.HasPrefix(key, record.KeyConfig) {
			continue
		}
		seen := map[string]bool{}
		for i := range v.all {
			if text := v.all[i].Text(key); v.all[i].Error == "" && text != "" {
				seen[text] = true
			}
		}
		if len(seen) > 0 {
			out = append(out, [2]string{shorten(key, titleRunes), shorten(strings.Join(sortedSet(seen), ", "), 400)})
		}
	}
	return out
}

func energySourcesTable(es []record.Energy) *Table {
	t := &Table{Name: "energy-sources", Title: "Energy sources found", Text: 5,
		Columns: []string{"Domain", "Tier", "Source", "Idle power", "Reason or assumption"},
		Note:    "Only measured tiers may decide a claim."}
	for _, e := range es {
		idle := "n/a"
		if e.IdleW != nil {
			idle = withUnit(*e.IdleW, "W")
			if e.IdleSDW != nil {
				idle += " ± " + withUnit(*e.IdleSDW, "W")
			}
		}
		t.add(e.Domain, e.Tier, e.Source, idle, e.Reason)
	}
	return t
}

// warningsBlock counts each warning of the run, the machine and the samples.
func (v *view) warningsBlock() Block {
	t := &Table{Name: "warnings", Title: "Warnings", Text: 2, Columns: []string{"Warning", "From", "Samples"}}
	seen := map[string]int{}
	for _, r := range v.all {
		for _, w := range r.Warnings {
			seen[w]++
		}
	}
	for _, w := range v.run.Warnings {
		t.add(w, "the run", "")
	}
	for _, w := range v.run.Host.Warnings {
		t.add(w, "the machine", "")
	}
	for _, w := range v.notes {
		t.add(w, "this report", "")
	}
	for _, w := range keys(seen) {
		t.add(w, "samples", fmt.Sprint(seen[w]))
	}
	if len(t.Rows) == 0 {
		return Block{Heading: "Warnings", Says: []string{"None."}}
	}
	return Block{Heading: "Warnings", Table: t}
}

func (v *view) missingSection() Section {
	s := Section{ID: "missing", Title: "What is missing"}
	cuts := Block{Heading: "Left out by the planner", Says: []string{"Nothing was left out."}}
	if len(v.run.Cuts) > 0 {
		t := &Table{Name: "cuts", Title: "Left out by the planner to save time", Text: 1, Columns: []string{"Left out"}}
		for _, c := range v.run.Cuts {
			t.add(c)
		}
		cuts = Block{Heading: "Left out by the planner", Table: t}
	}
	holes := Block{Heading: "Holes", Says: []string{"Every planned cell has samples, and none failed."}}
	if hs := v.holes(); len(hs) > 0 {
		t := &Table{Name: "holes", Title: "Planned but not measured, or failed", Text: 5,
			Columns: []string{"Part", "Series", "Workload", "Cell", "Reason"}}
		for _, h := range hs {
			t.add(h.part, h.arm, h.workload, h.what, shorten(h.reason, 400))
		}
		holes = Block{Heading: "Holes", Table: t}
	} else if len(v.run.Cells) == 0 {
		holes.Says = []string{"The run planned no cells."}
	}
	s.Blocks = []Block{cuts, holes}
	return s
}

func (v *view) provenanceSection() Section {
	t := &Table{Name: "provenance", Title: "Where the numbers come from", Text: 2, Columns: []string{"What", "Value"}}
	t.add("Study", v.run.Study)
	t.add("Records", fmt.Sprintf("%d, schema %d", len(v.all), v.run.Schema))
	for _, k := range keys(v.run.Sources) {
		t.add(k, v.run.Sources[k])
	}
	s := Section{ID: "provenance", Title: "Provenance and how to repeat", Blocks: []Block{{Table: t}}}
	if len(v.run.Corpora) > 0 {
		c := &Table{Name: "corpora", Title: "Corpora", Text: 2, Columns: []string{"Name", "Source", "Bytes", "SHA-256"}}
		for _, x := range v.run.Corpora {
			c.add(x.Name, x.Source, thousands(int(x.Bytes)), x.SHA256)
		}
		s.Blocks = append(s.Blocks, Block{Heading: "Corpora", Table: c})
	}
	if h := v.hashes(); len(h.Rows) > 0 {
		s.Blocks = append(s.Blocks, Block{Heading: "Trained weights", Table: h})
	}
	if v.run.StudyYAML != "" {
		s.Blocks = append(s.Blocks, Block{Heading: "The study as executed", Code: v.run.StudyYAML})
	}
	if v.run.Command != "" {
		s.Blocks = append(s.Blocks, Block{Heading: "Repeat it", Code: v.run.Command})
	}
	return s
}

// weights is the note with the hash of trained weights.
const weights = "weights_sha256"

// hashes lists the weights of trained models: the same seed must give the same
// bytes.
func (v *view) hashes() *Table {
	t := &Table{Name: "weights", Title: "Weights after training", Text: 2, Columns: []string{"Part", "Series", "Seed", "SHA-256"},
		Note: "The same seed gives the same bytes at any number of threads."}
	for _, part := range v.parts {
		for _, arm := range part.Arms {
			for _, w := range part.workloads() {
				for _, r := range part.bySeed(arm, w.Name) {
					if sum := r.Notes[weights]; sum != "" {
						t.add(part.Title, arm, r.Text(record.KeySeed), sum)
					}
				}
			}
		}
	}
	return t
}

// keys are the keys of a map in order, by value where all are numbers.
func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	numbers := true
	for k := range m {
		out = append(out, k)
		_, err := strconv.Atoi(k)
		numbers = numbers && err == nil
	}
	slices.SortFunc(out, func(a, b string) int {
		if numbers && len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return out
}
