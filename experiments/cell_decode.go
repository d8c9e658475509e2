package experiments

import (
	"fmt"
	"slices"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/record"
)

const (
	readChunk  = 256 // tokens a Forward call while a context is read
	warmTokens = 32  // steps after a restored state, untimed: the first twenty find the caches full of another process
)

// reader feeds a text to a model and keeps count of the position. A text that
// ends starts again.
type reader struct {
	model arch.Model
	graph *nn.Graph
	text  []int32
	batch int
	state arch.State
	pos   int // tokens in the state

	ids []int32
}

// read feeds n tokens to every sequence of the batch and returns the scores
// of the last.
func (r *reader) read(n int) *nn.Tensor {
	if need := n * r.batch; cap(r.ids) < need {
		r.ids = make([]int32, need)
	}
	ids := r.ids[:n*r.batch]
	for b := range r.batch {
		for t := range n {
			// Note: rows read different places of the text.
			ids[b*n+t] = r.text[(r.pos+t+b*977)%len(r.text)]
		}
	}
	r.graph.Reset()
	h := r.model.Forward(r.graph, nn.Tokens{IDs: ids, B: r.batch, T: n}, r.state)
	r.pos += n
	return h
}

// readTo feeds tokens until the state holds that many.
func (r *reader) readTo(pos int) {
	for r.pos < pos {
		r.read(min(readChunk, pos-r.pos))
	}
}

// fits tells whether the model can hold that many positions.
func fits(m arch.Model, positions int) error {
	if limit := arch.Context(m); limit > 0 && positions > limit {
		return fmt.Errorf("%d tokens exceed the model's limit of %d positions: set context or rotary positions", positions, limit)
	}
	return nil
}

// decodeTask times single-token steps; a point is the depth they start at.
type decodeTask struct {
	reader
	plan    *Decode
	saved   map[int]arch.State
	latency []int64 // of the steps since the last restore
	bytes   int64   // of the state at the current point
}

func newDecode(m arch.Model, text []int32, plan *Decode) *decodeTask {
	d := &decodeTask{plan: plan}
	d.reader = reader{model: m, graph: nn.Inference(), text: text, batch: plan.Batch}
	d.latency = make([]int64, 0, sampleRoom(plan, slices.Max(plan.Depth)))
	d.state = m.NewState(plan.Batch)
	return d
}

// sampleRoom is the most tokens a sample at a depth may decode: so few that
// it is still a sample of that depth.
func sampleRoom(plan *Decode, depth int) int { return max(2*plan.Tokens, depth/2) }

// fresh makes the state one that has seen nothing, with room to grow.
func (d *decodeTask) fresh(room int) {
	d.state, d.pos = d.model.NewState(d.batch), 0
	arch.Reserve(d.state, room)
}

func (d *decodeTask) reach(depth int) error {
	if err := fits(d.model, depth+sampleRoom(d.plan, depth)); err != nil {
		return err
	}
	// Note: no more room than this depth needs, for its memory is measured.
	if room := depth + 2*d.plan.Tokens; d.pos > depth {
		d.fresh(room)
	} else {
		arch.Reserve(d.state, room)
	}
	d.readTo(depth)
	d.bytes = arch.StateBytes(d.state)
	return nil
}

func (d *decodeTask) save(depths []int) error {
	d.saved = map[int]arch.State{}
	if len(depths) > 0 {
		deepest := depths[len(depths)-1]
		d.fresh(deepest + sampleRoom(d.plan, deepest))
	}
	for _, depth := range depths {
		d.readTo(max(0, depth-warmTokens))
		d.saved[depth] = d.model.NewState(d.batch)
		arch.CopyState(d.saved[depth], d.state)
	}
	return nil
}

func (d *decodeTask) restore(depth int) {
	arch.CopyState(d.state, d.saved[depth])
	d.pos = max(0, depth-warmTokens)
	for d.pos < depth {
		d.step()
	}
	d.bytes, d.latency = arch.StateBytes(d.state), d.latency[:0]
}

// step reads one token and scores the next.
func (d *decodeTask) step() { d.model.Logits(d.graph, d.read(1)) }

func (d *decodeTask) work() (int, error) {
	last := time.Now()
	for range d.plan.Tokens {
		d.step()
		now := time.Now()
		d.latency = append(d.latency, now.Sub(last).Nanoseconds())
		last = now
	}
	return d.plan.Tokens * d.batch, nil
}

func (d *decodeTask) describe(r *record.Record) {
	r.Batch = d.batch
	r.LatencyNS = append(r.LatencyNS, d.latency...)
	bytes, arena := d.bytes, d.graph.HighWater()
	r.StateBytes, r.ArenaBytes = &bytes, &arena
}

// prefillTask times reading a text from nothing; a point is the tokens a
// Forward call. Only the last token's successors are scored.
type prefillTask struct {
	reader
	plan  *Prefill
	empty arch.State
	chunk int
}

func newPrefill(m arch.Model, text []int32, plan *Prefill) *prefillTask {
	p := &prefillTask{plan: plan, empty: m.NewState(plan.Batch)}
	p.reader = reader{model: m, text: text, batch: plan.Batch}
	return p
}

func (p *prefillTask) reach(chunk int) error {
	if err := fits(p.model, p.plan.Tokens); err != nil {
		return err
	}
	p.graph, p.state = nn.Inference(), p.model.NewState(p.batch)
	arch.Reserve(p.state, p.plan.Tokens)
	p.pos, p.chunk = 0, chunk
	return nil
}

func (p *prefillTask) save([]int) error { return nil }

func (p *prefillTask) restore(chunk int) {
	arch.CopyState(p.state, p.empty)
	p.pos, p.chunk = 0, chunk
}

func (p *prefillTask) work() (int, error) {
	if p.pos > 0 {
		p.restore(p.chunk)
	}
	var h *nn.Tensor
	for p.pos < p.plan.Tokens {
		h = p.read(min(p.chunk, p.plan.Tokens-p.pos))
	}
	p.model.Logits(p.graph, lastRows(h))
	return p.plan.Tokens * p.batch, nil
}

// lastRows are the vectors [B,1,C] of the last position of h [B,T,C].
func lastRows(h *nn.Tensor) *nn.Tensor {
	B, T, C := h.Dim(0), h.Dim(1), h.Dim(2)
	last := nn.New(B, 1, C)
	for b := range B {
		copy(last.Data[b*C:(b+1)*C], h.Data[(b*T+T-1)*C:])
	}
	return last
}

func (p *prefillTask) describe(r *record.Record) {
	bytes, arena := arch.StateBytes(p.state), p.graph.HighWater()
	r.Batch, r.StateBytes, r.ArenaBytes = p.batch, &bytes, &arena
}
