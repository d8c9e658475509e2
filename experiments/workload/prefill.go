package workload

import (
	"errors"
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

// Prefill times reading a text, from nothing or after a context, in pieces of
// several sizes. Only what follows the last token is scored.
type Prefill struct {
	Tokens  int   `yaml:"tokens,omitempty" min:"1" max:"1048576" doc:"tokens of the text"`
	Chunk   []int `yaml:"chunk,omitempty,flow" min:"0" max:"1048576" doc:"tokens a piece, 0: all at once"`
	Context *int  `yaml:"context,omitempty" json:",omitempty" min:"0" max:"1048576" doc:"tokens read before, untimed"`
	Cascade *bool `yaml:"cascade,omitempty" json:",omitempty" doc:"layers at work side by side on successive pieces"`
	Batch   int   `yaml:"batch,omitempty" min:"1" max:"4096" doc:"sequences side by side"`
	Timing  `yaml:",inline"`
}

// Complete implements Settings.
func (p *Prefill) Complete() error {
	switch {
	case given(p.Cascade) && p.Batch > 1:
		return faultf(at("cascade"), "cascade reads one sequence: leave out batch")
	case given(p.Cascade) && slices.Contains(p.Chunk, 0):
		return faultf(at("cascade"), "cascade wants the tokens of a chunk: chunk 8")
	}
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
	const smaller = "smaller prefill.tokens, prefill.context, prefill.chunk or prefill.batch"
	context := given(p.Context)
	states := o.StateBytes(p.Batch, within(o, context+p.Tokens)) + o.StateBytes(p.Batch, within(o, context))
	read := float64(p.Batch) * float64(within(o, max(slices.Max(p.Chunk), min(context, ReadChunk))))
	return []meter.Part{weights(o), {Name: "states", Bytes: states, Smaller: smaller}, {Name: "activations", Bytes: o.ReadBytes(read), Smaller: smaller}}
}

// Points implements Timed.
func (p *Prefill) Points() []int { return p.Chunk }

// Start implements Timed.
func (p *Prefill) Start(e *Env) (Task, error) {
	if err := p.Complete(); err != nil {
		return nil, err
	}
	if err := Fits(e.Model, given(p.Context)+p.Tokens); err != nil {
		return nil, err
	}
	t := &prefilling{plan: p, empty: e.Model.NewState(p.Batch)}
	t.reader = reader{model: e.Model, text: e.Tokens, batch: p.Batch}
	if given(p.Cascade) {
		ok := false
		if t.stack, ok = e.Model.(arch.Layered); !ok {
			return nil, errors.New("cascade wants a model of layers, which this is not")
		}
	}
	return t, nil
}

// prefilling is the task of Prefill.
type prefilling struct {
	reader
	plan    *Prefill
	empty   arch.State
	saved   arch.State    // that has read the context
	stack   arch.Layered  // nil: chunk by chunk through all layers
	cascade *arch.Cascade // of stack
	chunk   int
}

// Reach implements Task.
func (t *prefilling) Reach(chunk int) error {
	if chunk != t.chunk {
		// Note: memory of its own, so that a point's is not another's.
		t.graph, t.state, t.chunk = nn.Inference(), t.model.NewState(t.batch), chunk
		arch.Reserve(t.state, given(t.plan.Context)+t.plan.Tokens)
		if t.stack != nil {
			t.cascade = arch.NewCascade(t.stack)
		}
	}
	t.begin()
	return nil
}

// begin makes the state one that has read the context.
func (t *prefilling) begin() {
	context := given(t.plan.Context)
	if context == 0 || t.saved == nil {
		arch.CopyState(t.state, t.empty)
		t.readContext(t.state)
	} else {
		arch.CopyState(t.state, t.saved)
	}
	t.pos = context
}

// readContext reads the context into s, a state that has seen nothing.
func (t *prefilling) readContext(s arch.State) {
	r := reader{model: t.model, graph: nn.Inference(), text: t.text, batch: t.batch, state: s}
	r.readTo(given(t.plan.Context))
}

// AtOnce implements Bounded: every time from the same state.
func (t *prefilling) AtOnce(int) int { return 1 }

// Save implements Task.
func (t *prefilling) Save([]int) error {
	t.saved = t.model.NewState(t.batch)
	t.readContext(t.saved)
	return nil
}

// Restore implements Task.
func (t *prefilling) Restore(chunk int) {
	t.chunk = chunk
	t.begin()
	t.graph.Work = nn.Work{}
}

// Work implements Task.
func (t *prefilling) Work() (int, error) {
	t.model.Logits(t.graph, lastRows(t.readText()))
	return t.plan.Tokens * t.batch, nil
}

// readText reads the text that follows the context.
func (t *prefilling) readText() (h *nn.Tensor) {
	if t.cascade != nil {
		t.graph.Reset()
		h = t.cascade.Run(t.tokens(t.plan.Tokens), t.state, t.chunk)
		t.graph.Work = t.graph.Work.Plus(t.cascade.Work())
		t.pos += t.plan.Tokens
		return h
	}
	for end := t.pos + t.plan.Tokens; t.pos < end; {
		h = t.read(min(t.chunk, end-t.pos))
	}
	return h
}

// Load implements Task.
func (t *prefilling) Load() Load {
	return Load{float64(t.graph.Work.Operations), float64(t.graph.Work.WeightBytes), float64(arch.WeightBytes(t.model))}
}

// Describe implements Task.
func (t *prefilling) Describe(r *record.Record) {
	r.Keys["batch"], r.Keys["text"] = t.batch, t.plan.Tokens
	arena := t.graph.HighWater()
	if context := given(t.plan.Context); context > 0 {
		r.Keys["context"] = context
	}
	if t.cascade != nil {
		r.Keys["cascade"] = true
		arena += t.cascade.HighWater()
	}
	r.Add(stateBytes.Of(float64(arch.StateBytes(t.state))))
	r.Add(arenaBytes.Of(float64(arena)))
}

// Series implements Task.
func (t *prefilling) Series() []record.Series { return nil }
