package workload

import (
	"math"
	"slices"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/meter"
	"workbench/experiments/record"
)

func init() {
	Register(Workload{
		Workload: record.Workload{Name: "decode", Title: "Generation", Axis: &record.Axis{Key: "depth", Title: "Context already read", Unit: "tokens"}},
		Filled:   true,
		Defaults: func() Settings {
			return &Decode{Depth: []int{256, 512, 1024, 2048}, Tokens: 16, Batch: 1, Timing: Timing{Rounds: 8, SampleMS: 100}}
		},
		Quantities: []record.Quantity{stateBytes, arenaBytes},
	})
}

// Decode times single-token steps at several depths of context.
type Decode struct {
	Depth  []int `yaml:"depth,omitempty,flow" min:"0" max:"1048576" doc:"tokens in the state before the sample"`
	Tokens int   `yaml:"tokens,omitempty" min:"1" max:"1048576" doc:"steps of a sample"`
	Batch  int   `yaml:"batch,omitempty" min:"1" max:"4096" doc:"sequences side by side"`
	Timing `yaml:",inline"`
}

// Complete implements Settings.
func (d *Decode) Complete() error {
	d.Depth = rising(d.Depth)
	return nil
}

// Need implements Settings: a state at every depth, and the one that is worked
// on.
func (d *Decode) Need(o *arch.Outline) []meter.Part {
	states, deepest := 0.0, 0.0
	for _, depth := range d.Depth {
		if within(o, depth+d.Tokens) < depth+d.Tokens {
			continue
		}
		states += o.StateBytes(d.Batch, depth)
		deepest = max(deepest, o.StateBytes(d.Batch, within(o, depth+d.Room(depth))))
	}
	return []meter.Part{weights(o), {Name: "states", Bytes: states + deepest, Smaller: "a smaller decode.depth or decode.batch"}}
}

// Points implements Timed.
func (d *Decode) Points() []int { return d.Depth }

// Climbs implements Timed.
func (d *Decode) Climbs() bool { return true }

// Most implements Timed: so few steps that it is still a sample of that depth.
func (d *Decode) Most(depth int) int { return max(1, d.Room(depth)/d.Tokens) }

// Room is the most tokens a sample at a depth may decode, where the model has
// positions for them. Without a shortest sample the work is not repeated.
func (d *Decode) Room(depth int) int {
	if d.SampleMS == 0 {
		return 2 * d.Tokens
	}
	return max(2*d.Tokens, depth/2)
}

// Start implements Timed.
func (d *Decode) Start(e *Env) (Task, error) {
	t := &decoding{plan: d, limit: math.MaxInt, folder: stateFolder(e.Folder)}
	if limit := arch.Context(e.Model); limit > 0 {
		t.limit = limit
	}
	t.reader = reader{model: e.Model, graph: nn.Inference(), text: e.Tokens, batch: d.Batch, state: e.Model.NewState(d.Batch)}
	t.latency = make([]float64, 0, d.Room(d.Depth[len(d.Depth)-1]))
	return t, nil
}

// decoding is the task of Decode.
type decoding struct {
	reader
	plan    *Decode
	limit   int // of positions
	folder  stateFolder
	saved   map[int]arch.State
	latency []float64 // seconds of the steps since the last Restore
	bytes   int64     // of the state at the current point
}

// fresh makes the state one that has seen nothing, with room to grow.
func (t *decoding) fresh(room int) {
	t.state, t.pos = t.model.NewState(t.batch), 0
	arch.Reserve(t.state, min(room, t.limit))
}

// AtOnce implements Bounded: as often as the model has positions for.
func (t *decoding) AtOnce(depth int) int { return max(1, (t.limit-depth)/t.plan.Tokens) }

// Reach implements Task.
func (t *decoding) Reach(depth int) error {
	if err := Fits(t.model, depth+t.plan.Tokens); err != nil {
		return err
	}
	if t.saved[depth] != nil {
		t.Restore(depth)
		return nil
	}
	// Note: no more room than this depth needs, for its memory is measured.
	if room := depth + 2*t.plan.Tokens; t.pos > depth {
		t.fresh(room)
	} else {
		arch.Reserve(t.state, min(room, t.limit))
	}
	t.readTo(depth)
	t.bytes = arch.StateBytes(t.state)
	return nil
}

// Save implements Task.
func (t *decoding) Save(depths []int) error {
	t.saved = map[int]arch.State{}
	if len(depths) > 0 {
		deepest := depths[len(depths)-1]
		if err := Fits(t.model, deepest+t.plan.Tokens); err != nil {
			return err
		}
		t.fresh(deepest + t.plan.Room(deepest))
	}
	for _, depth := range depths {
		pos := max(0, depth-warmTokens)
		t.saved[depth] = t.model.NewState(t.batch)
		if t.folder.load(pos, t.saved[depth]) {
			arch.CopyState(t.state, t.saved[depth])
			t.pos = pos
			continue
		}
		t.readTo(pos)
		arch.CopyState(t.saved[depth], t.state)
		t.folder.keep(pos, t.saved[depth])
	}
	return nil
}

// Restore implements Task.
func (t *decoding) Restore(depth int) {
	arch.CopyState(t.state, t.saved[depth])
	t.pos = max(0, depth-warmTokens)
	for t.pos < depth {
		t.step()
	}
	t.bytes, t.latency, t.graph.Work = arch.StateBytes(t.state), t.latency[:0], nn.Work{}
}

// step reads one token and scores the next.
func (t *decoding) step() { t.model.Logits(t.graph, t.read(1)) }

// Work implements Task.
func (t *decoding) Work() (int, error) {
	last := time.Now()
	for range t.plan.Tokens {
		t.step()
		now := time.Now()
		t.latency = append(t.latency, now.Sub(last).Seconds())
		last = now
	}
	return t.plan.Tokens * t.batch, nil
}

// Load implements Task: every step reads the weights and the state, which grows
// evenly if it does.
func (t *decoding) Load() Load {
	steps := float64(len(t.latency))
	all := float64(t.graph.Work.WeightBytes) + float64(t.bytes+arch.StateBytes(t.state))/2*steps
	return Load{float64(t.graph.Work.Operations), all, all / max(1, steps)}
}

// Describe implements Task.
func (t *decoding) Describe(r *record.Record) {
	r.Keys["batch"] = t.batch
	r.Add(stateBytes.Of(float64(t.bytes)))
	r.Add(arenaBytes.Of(float64(t.graph.HighWater())))
}

// Series implements Task: the latency of every step.
func (t *decoding) Series() []record.Series {
	return []record.Series{{Name: "latency", Title: "latency of a token", Unit: "s", Y: slices.Clone(t.latency)}}
}
