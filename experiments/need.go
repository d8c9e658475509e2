package experiments

import (
	"fmt"

	"workbench/experiments/meter"
	"workbench/experiments/workload"
)

// fits refuses a run of which some cell does not fit into memory, even alone.
func (r *runner) fits() error {
	var largest meter.Need
	for i := range r.study.Parts {
		p := &r.study.Parts[i]
		for _, a := range r.arms[p.Name] {
			for _, s := range p.Measure {
				if n := p.need(a, s); n.Sum() >= largest.Sum() {
					largest = n
				}
			}
		}
	}
	return largest.Fits()
}

// need is the memory that a process of an arm takes in a workload.
func (p *Part) need(a arm, s workload.Settings) meter.Need {
	return meter.Need{What: fmt.Sprintf("%s of %q in part %s", workload.Of(s).Name, a.Label, p.Name), Parts: s.Need(a.outline)}
}

// sideBySide is how many jobs fit into memory together, at most as many as there
// are threads.
func (r *runner) sideBySide(work [][]job) int {
	largest := 1.0
	for _, same := range work {
		n := same[0].part.need(same[0].arm, same[0].settings)
		largest = max(largest, n.Sum())
	}
	free, err := meter.Free()
	if err != nil {
		return r.threads
	}
	return max(1, int(min(float64(r.threads), float64(free)/(memoryMargin*largest))))
}
