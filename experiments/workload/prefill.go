package workload

import (
	"slices"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/meter"
	"workbench/experiments/record"
)

func init() {
	Register(Workload{
		Workload: record.Workload{Name: "prefill", Title: "Prefill", Axis: &record.Axis{Key: "chunk", Title: "Piece read per call", Unit: "tokens"}},
		Filled:   true,
		Defaults: func() Settings {
			return &Prefill{Tokens: 1024, Chunk: []int{1, 16, 256, 0}, Batch: 1, Timing: Timing{Rounds: 8, SampleMS: 100}}
		},
		Quantities: []record.Quantity{stateBytes, arenaBytes},
	})
}

// Prefill times reading a text from nothing, in pieces of several sizes. Only
// what follows the last token is scored.
type Prefill struct {
	Tokens int   `yaml:"tokens,omitempty" min:"1" max:"1048576" doc:"tokens of the text"`
	Chunk  []int `yaml:"chunk,omitempty,flow" min:"0" max:"1048576" doc:"tokens a piece, 0: all at once"`
	Batch  int   `yaml:"batch,omitempty" min:"1" max:"4096" doc:"sequences side by side"`
	Timing `yaml:",inline"`
}

// Complete implements Settings.
func (p *Prefill) Complete() error {
	for i, c := range p.Chunk {
		if c == 0 || c > p.Tokens {
			p.Chunk[i] = p.Tokens
		}
	}
	p.Chunk = rising(p.Chunk)
	return nil
}

// Need implements Settings.
func (p *Prefill) Need(o *arch.Outline) []meter.Part {
	const smaller = "smaller prefill.tokens, prefill.chunk or prefill.batch"
	read := float64(p.Batch) * float64(within(o, slices.Max(p.Chunk)))
	return []meter.Part{weights(o), {Name: "state", Bytes: o.StateBytes(p.Batch, within(o, p.Tokens)), Smaller: smaller},
		{Name: "activations", Bytes: o.ReadBytes(read), Smaller: smaller}}
}

// Points implements Timed.
func (p *Prefill) Points() []int { return p.Chunk }

// Start implements Timed.
func (p *Prefill) Start(e *Env) (Task, error) {
	if err := fits(e.Model, p.Tokens); err != nil {
		return nil, err
	}
	t := &prefilling{plan: p, empty: e.Model.NewState(p.Batch)}
	t.reader = reader{model: e.Model, text: e.Tokens, batch: p.Batch}
	return t, nil
}

// prefilling is the task of Prefill.
type prefilling struct {
	reader
	plan  *Prefill
	empty arch.State
	chunk int
}

// Reach implements Task.
func (t *prefilling) Reach(chunk int) error {
	t.graph, t.state = nn.Inference(), t.model.NewState(t.batch)
	arch.Reserve(t.state, t.plan.Tokens)
	t.pos, t.chunk = 0, chunk
	return nil
}

// Save implements Task.
func (t *prefilling) Save([]int) error { return nil }

// Restore implements Task.
func (t *prefilling) Restore(chunk int) {
	t.begin(chunk)
	t.graph.Work = nn.Work{}
}

func (t *prefilling) begin(chunk int) {
	arch.CopyState(t.state, t.empty)
	t.pos, t.chunk = 0, chunk
}

// Work implements Task.
func (t *prefilling) Work() (int, error) {
	if t.pos > 0 {
		t.begin(t.chunk)
	}
	var h *nn.Tensor
	for t.pos < t.plan.Tokens {
		h = t.read(min(t.chunk, t.plan.Tokens-t.pos))
	}
	t.model.Logits(t.graph, lastRows(h))
	return t.plan.Tokens * t.batch, nil
}

// Load implements Task.
func (t *prefilling) Load() Load {
	return Load{float64(t.graph.Work.Operations), float64(t.graph.Work.WeightBytes)}
}

// Describe implements Task.
func (t *prefilling) Describe(r *record.Record) {
	r.Keys["batch"], r.Keys["text"] = t.batch, t.plan.Tokens
	r.Add(stateBytes.Of(float64(arch.StateBytes(t.state))))
	r.Add(arenaBytes.Of(float64(t.graph.HighWater())))
}

// Series implements Task.
func (t *prefilling) Series() []record.Series { return nil }
