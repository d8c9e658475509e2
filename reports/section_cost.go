package reports

import (
	"fmt"
	"math"
	"strings"

	"workbench/experiments/record"
)

func init() {
	registerSection("checks", 70, (*view).checkBlocks)
	registerSection("comparison", 80, (*view).comparisonBlocks)
	registerSection("processor", 90, (*view).costBlocks)
	registerSection("parameters", 100, (*view).sizeBlocks)
}

// costBlocks is processor time and the runtime's share of it.
func (v *view) costBlocks(part *partView) []Block {
	t := part.largestTable("cpu", "Processor time and the runtime's share",
		[]column{{"Cores busy", "cores_busy"}, {"CPU time per token", "cpu_per_token"}, {"Garbage collector", "gc_share"}, {"Waiting to run", "sched_share"}},
		"Medians at the largest position on each workload's axis. Cores busy is CPU time over elapsed time; the collector's share is of CPU time; "+
			"waiting is the share of goroutine time that was runnable but not running.")
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{{Heading: "Processor time", Table: t}}
}

// sizeBlocks is how many parameters every arm has, against the baseline.
func (v *view) sizeBlocks(part *partView) []Block {
	t := &Table{Name: part.slug + "-parameters", Title: "Parameters", Text: 1,
		Columns: []string{"Series", "All", "Without embeddings and head", "Against " + part.Baseline}}
	size := map[string][2]int{}
	for _, r := range part.records {
		if all, ok := r.Value("params"); ok {
			inner, _ := r.Value("params_nonemb")
			size[r.Text("arm")] = [2]int{int(all), int(inner)}
		}
	}
	worst := 0.0
	base := float64(size[part.Baseline][1])
	for _, arm := range part.Arms {
		s, ok := size[arm]
		if !ok {
			continue
		}
		rel := "n/a"
		if base > 0 {
			d := float64(s[1])/base - 1
			worst = max(worst, math.Abs(d))
			rel = fixed(d*100, 2) + " %"
		}
		t.add(arm, thousands(s[0]), thousands(s[1]), rel)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	if base > 0 {
		t.Note = fmt.Sprintf("Without embeddings and head all are within %.2f %% of the baseline.", worst*100)
	}
	return []Block{{Heading: "Parameters", Table: t}}
}

// checkBlocks is the exact properties measured on the live models: the
// deviations, pure numbers, that workloads without an axis counted.
func (v *view) checkBlocks(part *partView) []Block {
	t := &Table{Name: part.slug + "-checks", Title: "Properties checked on the live models", Text: 3,
		Columns: []string{"Series", "Check", "What is compared", "Largest relative deviation"},
		Note:    "float32 carries about 1e−7 of relative rounding per operation."}
	for _, arm := range part.Arms {
		for _, r := range part.records {
			if r.Text(record.KeyArm) != arm || v.axis(r.Text(record.KeyWorkload)) != nil {
				continue
			}
			for _, x := range r.Values {
				if x.Kind != record.Exact || x.Unit != "" || x.Better != record.Lower {
					continue
				}
				number := strings.TrimSuffix("n/a: "+x.Reason, ": ")
				if x.Value != nil {
					number = digits(*x.Value)
				}
				t.add(arm, x.Name, x.Title, number)
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{{Heading: "Checks", Table: t}}
}

func orNA(s string, ok bool) string {
	if !ok || s == "" {
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
