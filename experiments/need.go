package experiments

import (
	"fmt"

	"workbench/arch"
	"workbench/experiments/meter"
	"workbench/experiments/workload"
	"workbench/kernels"
)

// fits refuses a run of which some cell does not fit into memory, even alone.
func (r *runner) fits() error {
	var largest meter.Need
	for i := range r.study.Parts {
		p := &r.study.Parts[i]
		for _, a := range r.arms[p.Name] {
			for _, n := range p.needs(a) {
				if n.Sum() >= largest.Sum() {
					largest = n
				}
			}
		}
	}
	return largest.Fits()
}

// needs is the memory that the processes of an arm take, by phase.
func (p *Part) needs(a arm) (all []meter.Need) {
	o, m := a.outline, p.Measure
	weights := meter.Part{Name: "weights", Bytes: o.WeightBytes(kernels.F32), Smaller: "a smaller dim, fewer layers or a smaller vocab"}
	add := func(phase string, parts ...meter.Part) {
		all = append(all, meter.Need{What: fmt.Sprintf("%s of %q in part %s", phase, a.Label, p.Name), Parts: parts})
	}
	if len(m.Check) > 0 {
		add(phaseCheck, weights)
	}
	if d := m.Decode; d != nil {
		add(phaseDecode, weights, meter.Part{Name: "states", Bytes: decodeStates(o, d), Smaller: "a smaller decode.depth or decode.batch"})
	}
	if f := m.Prefill; f != nil {
		chunk := 0
		for _, c := range f.Chunk {
			chunk = max(chunk, c)
		}
		const smaller = "smaller prefill.tokens, prefill.chunk or prefill.batch"
		add(phasePrefill, weights, meter.Part{Name: "state", Bytes: o.StateBytes(f.Batch, within(o, f.Tokens)), Smaller: smaller},
			meter.Part{Name: "activations", Bytes: o.ReadBytes(float64(f.Batch) * float64(within(o, chunk))), Smaller: smaller})
	}
	training := func(phase string, tokens float64, smaller string) {
		w, activations := o.TrainBytes(tokens, false)
		trained := weights
		trained.Name, trained.Bytes = "weights, gradients and moments", w
		add(phase, trained, meter.Part{Name: "activations", Bytes: activations, Smaller: smaller})
	}
	if t := m.Train; t != nil {
		training(phaseTrain, float64(t.BatchTokens), "a smaller train.batch_tokens")
	}
	if q := m.Quality; q != nil {
		training(phaseQuality, float64(q.Batch)*float64(within(o, q.Context)), "a smaller quality.batch or quality.context")
	}
	return all
}

// within is n, or as many positions as the model may have: a cell beyond them
// fails before it takes memory.
func within(o *arch.Outline, n int) int {
	if limit := o.Context(); limit > 0 {
		return min(n, limit)
	}
	return n
}

// decodeStates are a state at every depth, and the one that is worked on.
func decodeStates(o *arch.Outline, d *workload.Decode) (bytes float64) {
	deepest := 0.0
	for _, depth := range d.Depth {
		most := depth + d.Room(depth)
		if within(o, most) < most {
			continue
		}
		bytes += o.StateBytes(d.Batch, depth)
		deepest = max(deepest, o.StateBytes(d.Batch, most))
	}
	return bytes + deepest
}

// sideBySide is how many quality cells fit into memory together, at most as
// many as there are threads.
func (r *runner) sideBySide(work [][]job) int {
	largest := 1.0
	for _, same := range work {
		p := same[0].part
		for _, n := range p.needs(same[0].arm) {
			largest = max(largest, n.Sum())
		}
	}
	free, err := meter.Free()
	if err != nil {
		return r.threads
	}
	return max(1, int(min(float64(r.threads), float64(free)/(memoryMargin*largest))))
}
