package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// record1 is a record of schema 1: one sample of one cell. A quantity that does
// not apply or could not be measured is nil.
type record1 struct {
	Schema int            `json:"schema"`
	Study  string         `json:"study"`
	Part   string         `json:"part"`            // the compared group of the study
	Cell   string         `json:"cell"`            // stable id: hash of the resolved cell
	Label  string         `json:"label"`           // series name in figures: "rwkv4", "rwkv4 token_shift=none"
	Arch   string         `json:"arch"`            //
	Config map[string]any `json:"config"`          // the fully resolved model configuration
	Phase  string         `json:"phase"`           // prefill | decode | train | quality | check
	Depth  int            `json:"depth"`           // tokens already in the state before the sample
	Chunk  int            `json:"chunk,omitempty"` // prefill: tokens per Forward call
	// Context is the tokens per training window.
	Context int    `json:"context,omitempty"`
	Batch   int    `json:"batch"`
	Threads int    `json:"threads"`
	Impl    string `json:"impl"` // kernel implementation
	Round   int    `json:"round"`
	Slot    int    `json:"slot"` // position within the round's random order
	Seed    uint64 `json:"seed"`

	Params       int `json:"params"`        // all weights
	ParamsNonEmb int `json:"params_nonemb"` // without embeddings and head

	Tokens     int      `json:"tokens"`                // tokens processed in the sample
	DurationNS int64    `json:"duration_ns"`           //
	LatencyNS  []int64  `json:"latency_ns,omitempty"`  // decode: one per token
	CPUNS      *int64   `json:"cpu_ns,omitempty"`      // user+system time of the process in the sample
	GCShare    *float64 `json:"gc_share,omitempty"`    // share of the sample's CPU time in the garbage collector
	SchedShare *float64 `json:"sched_share,omitempty"` // share of goroutine time runnable but not running

	StateBytes   *int64 `json:"state_bytes,omitempty"`    // measured on the live state
	PeakRSSBytes *int64 `json:"peak_rss_bytes,omitempty"` // VmHWM of the cell's own process
	HeapBytes    *int64 `json:"heap_bytes,omitempty"`     // live Go heap after the sample
	ArenaBytes   *int64 `json:"arena_bytes,omitempty"`    // high-water mark of activations

	Energy  []Energy  `json:"energy,omitempty"`
	Quality *quality1 `json:"quality,omitempty"`
	Check   *check1   `json:"check,omitempty"`

	Warnings []string  `json:"warnings,omitempty"`
	Error    string    `json:"error,omitempty"` // a failed cell: the reason; nothing else is valid
	Time     time.Time `json:"time"`
}

// quality1 is the result of one training run of a quality cell.
type quality1 struct {
	Corpus      string        `json:"corpus"`
	LR          float64       `json:"lr"`
	Steps       int           `json:"steps"`
	Curve       []curvePoint1 `json:"curve"`                 // at equal tokens
	ValBPB      float64       `json:"val_bits_per_byte"`     // at the end
	ByPosition  []bucket1     `json:"by_position,omitempty"` // bits per byte beyond the training context
	Probes      []probe1      `json:"probes,omitempty"`
	WeightsHash string        `json:"weights_sha256"`
}

// curvePoint1 is one evaluation during training.
type curvePoint1 struct {
	Step      int     `json:"step"`
	Tokens    int     `json:"tokens"`
	TrainLoss float64 `json:"train_loss"` // nats per byte, mean since the last point
	ValBPB    float64 `json:"val_bits_per_byte"`
}

// bucket1 is the held-out bits per byte of the positions [From, To).
type bucket1 struct {
	From int     `json:"from"`
	To   int     `json:"to"`
	BPB  float64 `json:"bits_per_byte"`
}

// probe1 is the held-out bits per byte when the named part of the state is
// reset to its initial value every Every tokens, which measures what that
// memory contributes.
type probe1 struct {
	Slots string  `json:"slots"` // "shift", "wkv"
	Every int     `json:"every"`
	BPB   float64 `json:"bits_per_byte"`
	Base  float64 `json:"base_bits_per_byte"` // same tokens without a reset, or with the reset that the probe is compared to
}

// check1 is one exact property measured on the live model.
type check1 struct {
	Name  string  `json:"name"`  // modes | linear | scan
	Value float64 `json:"value"` // largest relative deviation
	What  string  `json:"what"`
}

// run1 is the part of run.json that differs in schema 1.
type run1 struct {
	Parts []struct {
		Labels []string `json:"labels"`
	} `json:"parts"`
	Cells []struct {
		Label string `json:"label"`
		Phase string `json:"phase"`
	} `json:"cells"`
}

// workloads1 are the workloads of schema 1, in the order of its reports.
var workloads1 = []Workload{
	{"decode", "Generation", &Axis{"depth", "Context already read", "tokens"}},
	{"prefill", "Prefill", &Axis{"chunk", "Piece read per call", "tokens"}},
	{"train", "Training", &Axis{"context", "Training window", "tokens"}},
	{"quality", "Quality", nil},
	{"check", "Checks", nil},
}

// upgradeRun converts the fields of r that schema 1 stores differently; b is
// its run.json.
func upgradeRun(r *Run, b []byte) error {
	var old run1
	if err := json.Unmarshal(b, &old); err != nil {
		return err
	}
	for i := range old.Parts {
		r.Parts[i].Arms = old.Parts[i].Labels
	}
	for i, c := range old.Cells {
		r.Cells[i].Arm, r.Cells[i].Workload = c.Label, c.Phase
	}
	r.Workloads = workloads1
	return nil
}

// upgrade converts a line of schema 1.
func upgrade(line []byte) (Record, error) {
	var old record1
	if err := json.Unmarshal(line, &old); err != nil {
		return Record{}, err
	}
	if old.DurationNS < 0 || old.Tokens < 0 || old.Depth < 0 || old.Chunk < 0 || old.Context < 0 || old.Batch < 0 || old.Threads < 0 {
		return Record{}, errors.New("a negative duration or count")
	}
	r := Record{Schema: old.Schema, Cell: old.Cell, Warnings: old.Warnings, Error: old.Error, Time: old.Time}
	r.Keys = map[string]any{KeyStudy: old.Study, KeyPart: old.Part, KeyArm: old.Label, KeyArch: old.Arch, KeyWorkload: old.Phase,
		KeySeed: float64(old.Seed), KeyThreads: float64(old.Threads), KeyImpl: old.Impl, "batch": float64(old.Batch)}
	r.SetConfig(old.Config)
	switch old.Phase {
	case "decode":
		r.Keys["depth"] = float64(old.Depth)
	case "prefill":
		r.Keys["chunk"] = float64(old.Chunk)
		if old.Chunk == 0 { // the whole text in one call
			r.Keys["chunk"] = float64(old.Tokens / max(1, old.Batch))
		}
	case "train", "quality":
		r.Keys["context"] = float64(old.Context)
	}
	if old.Phase != "quality" && old.Phase != "check" {
		r.Keys[KeyBlock], r.Keys[KeySlot] = float64(old.Round), float64(old.Slot)
	}
	old.times(&r)
	old.memory(&r)
	old.energy(&r)
	if old.Quality != nil {
		old.Quality.upgrade(&r)
	}
	if c := old.Check; c != nil {
		r.put(Quantity{Name: c.Name, Title: c.What, Kind: Exact, Better: Lower}.Of(c.Value))
	}
	return r, nil
}

func (old *record1) times(r *Record) {
	add := func(name, title, unit string, kind Kind, better string, x float64) {
		r.put(Quantity{name, title, unit, kind, better, name == "duration_per_token"}.Of(x))
	}
	if old.Params > 0 {
		add("params", "parameters", "parameters", Exact, "", float64(old.Params))
		add("params_nonemb", "parameters without embeddings and head", "parameters", Exact, "", float64(old.ParamsNonEmb))
	}
	if seconds := float64(old.DurationNS) / 1e9; seconds > 0 && old.Tokens > 0 {
		n := float64(old.Tokens)
		add("tokens", "tokens of a sample", "tokens", Exact, "", n)
		add("duration", "time of a sample", "s", Timed, "", seconds)
		add("duration_per_token", "time per token", "s/token", Timed, Lower, seconds/n)
		add("tokens_per_second", "speed", "tokens/s", Timed, Higher, n/seconds)
		if old.CPUNS != nil {
			cpu := float64(*old.CPUNS) / 1e9
			add("cores_busy", "cores busy", "", Timed, "", cpu/seconds)
			add("cpu_per_token", "processor time per token", "s/token", Timed, Lower, cpu/n)
		}
	}
	if old.GCShare != nil {
		add("gc_share", "garbage collector's share of processor time", "", Timed, Lower, *old.GCShare)
	}
	if old.SchedShare != nil {
		add("sched_share", "share of goroutine time spent waiting to run", "", Timed, Lower, *old.SchedShare)
	}
	if len(old.LatencyNS) > 0 {
		s := Series{Name: "latency", Title: "latency of a token", Unit: "s"}
		for _, ns := range old.LatencyNS {
			s.Y = append(s.Y, float64(ns)/1e9)
		}
		r.Samples = append(r.Samples, s)
	}
}

func (old *record1) memory(r *Record) {
	for _, m := range []struct {
		name, title string
		kind        Kind
		bytes       *int64
	}{{"state_bytes", "state", Exact, old.StateBytes}, {"peak_rss_bytes", "peak resident memory", Exact, old.PeakRSSBytes},
		{"heap_bytes", "Go heap", Timed, old.HeapBytes}, {"arena_bytes", "activation arena", Exact, old.ArenaBytes}} {
		if m.bytes != nil {
			r.put(Quantity{m.name, m.title, "B", m.kind, Lower, m.name == "state_bytes" || m.name == "peak_rss_bytes"}.Of(float64(*m.bytes)))
		}
	}
}

// upgrade adds the results of a training run to r.
func (q *quality1) upgrade(r *Record) {
	r.Keys["lr"], r.Keys["steps"], r.Keys["corpus"] = q.LR, float64(q.Steps), q.Corpus
	if q.WeightsHash != "" {
		r.Notes = map[string]string{"weights_sha256": q.WeightsHash}
	}
	add := func(name, title string, x float64) {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			r.put(Quantity{name, title, "bits/byte", Seeded, Lower, name == "val_bits_per_byte"}.Of(x))
		}
	}
	add("val_bits_per_byte", "held-out loss", q.ValBPB)
	if b := q.ByPosition; len(b) > 1 {
		add("long_context_gap", "loss of the last positions minus that of the first", b[len(b)-1].BPB-b[0].BPB)
	}
	for _, p := range q.Probes {
		add(fmt.Sprintf("probe:%s/%d", p.Slots, p.Every), fmt.Sprintf("loss from forgetting %s every %d tokens", p.Slots, p.Every), p.BPB-p.Base)
	}
	curve := Series{Name: "val_bits_per_byte", Title: "held-out loss", Unit: "bits/byte", Axis: "training text read", AxisUnit: "tokens"}
	for _, p := range q.Curve {
		curve.X, curve.Y = append(curve.X, float64(p.Tokens)), append(curve.Y, p.ValBPB)
	}
	place := Series{Name: "loss_by_position", Title: "held-out loss", Unit: "bits/byte", Axis: "position in the text", AxisUnit: "tokens"}
	for _, b := range q.ByPosition {
		if b.To > b.From && b.From >= 0 {
			place.X, place.Y = append(place.X, math.Sqrt(float64(max(1, b.From))*float64(b.To))), append(place.Y, b.BPB)
		}
	}
	for _, s := range []Series{curve, place} {
		if len(s.X) > 0 {
			r.Samples = append(r.Samples, s)
		}
	}
}

// energies1 are the quantities of energy and the tiers of each, the best tier
// first.
var energies1 = []struct {
	Quantity
	tiers []string
}{
	{Quantity{"joules_per_token", "measured energy per token", "J/token", Timed, Lower, true}, []string{TierWall, TierCounter, TierSampled}},
	{Quantity{"joules_per_token_estimated", "energy per token, estimated from time", "J/token", Estimated, Lower, false}, []string{TierEstimated}},
	{Quantity{"joules_per_token_modelled", "energy per token, modelled from operations", "J/token", Estimated, Lower, false}, []string{TierModelled}},
}

// energy adds the joules to r: the meter's own total of each tier, and the
// reason where nothing was measured.
func (old *record1) energy(r *Record) {
	if old.Tokens == 0 || old.DurationNS == 0 {
		return
	}
	net := Quantity{"net_joules_per_token", "measured energy per token, less idle power", "J/token", Timed, Lower, false}
	for i, q := range energies1 {
		for _, tier := range q.tiers {
			e := Total(old.Energy, tier)
			if e == nil || e.Joules == nil || r.Find(q.Name) != nil {
				continue
			}
			share := 1.0
			if e.WindowNS > old.DurationNS {
				share = float64(old.DurationNS) / float64(e.WindowNS)
			}
			add := func(q Quantity, joules *float64) {
				v := q.Missing(e.Reason)
				if v.Source = e.Tier + ", " + e.Domain; joules != nil {
					v = q.Of(*joules * share / float64(old.Tokens))
					v.Source, v.Reason = e.Tier+", "+e.Domain, e.Reason
				}
				r.put(v)
			}
			if add(q.Quantity, e.Joules); i == 0 {
				add(net, e.NetJ)
			}
		}
	}
	if r.Find("joules_per_token") == nil {
		why := NoTotal(old.Energy)
		if why == "" {
			why = "no record carries energy from a counter or meter"
		}
		r.put(energies1[0].Missing(why))
	}
}

// addTextLengths adds the key "text", the length of the text, to prefill samples of
// schema 1 where their part shows it. A sample reads the whole text at least
// once, in chunks: a sample that read as many tokens as its chunk has read the
// whole text in one chunk.
func addTextLengths(records []Record) {
	texts := map[string]float64{} // by part
	prefill := func(tell func(r *Record, part string, chunk float64)) {
		for i := range records {
			r := &records[i]
			if chunk, _ := r.Key("chunk"); r.Schema == 1 && chunk > 0 && r.Text(KeyWorkload) == "prefill" {
				tell(r, r.Text(KeyPart), chunk)
			}
		}
	}
	prefill(func(r *Record, part string, chunk float64) {
		batch, _ := r.Key("batch")
		if tokens, _ := r.Value("tokens"); tokens == chunk*max(1, batch) {
			texts[part] = max(texts[part], chunk)
		}
	})
	prefill(func(r *Record, part string, _ float64) {
		if texts[part] > 0 {
			r.Keys["text"] = texts[part]
		}
	})
}

// put adds a value whose name the record may already have; check then refuses
// the record.
func (r *Record) put(v Value) { r.Values = append(r.Values, v) }
