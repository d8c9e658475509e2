// Package record is the shape of a measurement: one JSON line a sample, raw
// values only. Figures, ratios and intervals are computed from records when a
// report is rendered, never stored.
package record

import (
	"encoding/json"
	"time"
)

// Schema is the version of the files this package writes.
const Schema = 1

// A Record is one sample of one cell: a quantity that does not apply or could
// not be measured is nil, never 0.
type Record struct {
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

	StateBytes   *int64 `json:"state_bytes,omitempty"`    // walked from the live state
	PeakRSSBytes *int64 `json:"peak_rss_bytes,omitempty"` // VmHWM of the cell's own process
	HeapBytes    *int64 `json:"heap_bytes,omitempty"`     // live Go heap after the sample
	ArenaBytes   *int64 `json:"arena_bytes,omitempty"`    // activations' high-water mark

	Energy  []Energy `json:"energy,omitempty"`
	Quality *Quality `json:"quality,omitempty"`
	Check   *Check   `json:"check,omitempty"`

	Warnings []string  `json:"warnings,omitempty"`
	Error    string    `json:"error,omitempty"` // a failed cell: the reason; nothing else is valid
	Time     time.Time `json:"time"`
}

// Tiers of energy, best first (spec: measured and estimated never mix).
const (
	TierWall      = "measured-wall"
	TierCounter   = "measured-counter"
	TierSampled   = "measured-sampled"
	TierEstimated = "estimated-load"
	TierModelled  = "modelled-ops"
	TierNone      = "unavailable"
)

// Measured tells whether a tier may decide a claim.
func Measured(tier string) bool {
	return tier == TierWall || tier == TierCounter || tier == TierSampled
}

// Energy is the energy of one sample from one source.
type Energy struct {
	Tier     string   `json:"tier"`
	Domain   string   `json:"domain"`           // "package-0", "dram", "cpu estimate"
	Source   string   `json:"source"`           // where the number comes from, in words
	Total    bool     `json:"total,omitempty"`  // of its tier, the entry that counts everything once
	Joules   *float64 `json:"joules"`           // gross; nil = n/a
	NetJ     *float64 `json:"net_joules"`       // gross minus idle power times duration; nil = n/a
	IdleW    *float64 `json:"idle_w,omitempty"` //
	IdleSDW  *float64 `json:"idle_sd_w,omitempty"`
	WindowNS int64    `json:"window_ns"`        // may span several samples
	Reason   string   `json:"reason,omitempty"` // why Joules is nil, or what the estimate assumes
}

// Quality is what one training run of a quality cell says.
type Quality struct {
	Corpus      string       `json:"corpus"`
	LR          float64      `json:"lr"`
	Steps       int          `json:"steps"`
	Curve       []CurvePoint `json:"curve"`                 // at equal tokens
	ValBPB      float64      `json:"val_bits_per_byte"`     // at the end
	ByPosition  []Bucket     `json:"by_position,omitempty"` // bits per byte beyond the training context
	Probes      []Probe      `json:"probes,omitempty"`
	WeightsHash string       `json:"weights_sha256"`
}

// CurvePoint is one evaluation during training.
type CurvePoint struct {
	Step      int     `json:"step"`
	Tokens    int     `json:"tokens"`
	TrainLoss float64 `json:"train_loss"` // nats per byte, mean since the last point
	ValBPB    float64 `json:"val_bits_per_byte"`
}

// Bucket is the held-out bits per byte of the positions [From, To).
type Bucket struct {
	From int     `json:"from"`
	To   int     `json:"to"`
	BPB  float64 `json:"bits_per_byte"`
}

// Probe is the held-out bits per byte when the named part of the state is put
// back to its initial value every Every tokens: what that memory is worth.
type Probe struct {
	Slots string  `json:"slots"` // "shift", "wkv"
	Every int     `json:"every"`
	BPB   float64 `json:"bits_per_byte"`
	Base  float64 `json:"base_bits_per_byte"` // same tokens with nothing forgotten, or with what the probe is compared to
}

// Check is one exact property measured on the live model.
type Check struct {
	Name  string  `json:"name"`  // modes | linear | scan
	Value float64 `json:"value"` // largest relative deviation
	What  string  `json:"what"`
}

// A Run is what run.json holds beside the records: everything a report needs
// and no sample knows.
type Run struct {
	Schema    int               `json:"schema"`
	Study     string            `json:"study"`
	Title     string            `json:"title"`
	Question  string            `json:"question"`
	Method    string            `json:"method"`
	Predicts  string            `json:"predicts,omitempty"`
	Profile   string            `json:"profile"`
	Seed      uint64            `json:"seed"`
	Command   string            `json:"command"`    // repeats the run exactly
	StudyYAML string            `json:"study_yaml"` // as executed, after profile and --set
	Parts     []Part            `json:"parts"`
	Claims    []Claim           `json:"claims,omitempty"`
	Threads   int               `json:"threads"` // of timing cells, and quality cells at a time
	Cells     []Cell            `json:"cells"`   // everything planned, so that holes show
	Groups    []Group           `json:"groups,omitempty"`
	Cuts      []string          `json:"cuts,omitempty"` // what the planner left out for time
	Host      Host              `json:"host"`
	Corpora   []Corpus          `json:"corpora,omitempty"`
	Sources   map[string]string `json:"sources,omitempty"` // commit, dirty, binary_sha256, go
	Started   time.Time         `json:"started"`
	Finished  *time.Time        `json:"finished,omitempty"`
	Warnings  []string          `json:"warnings,omitempty"`
}

// Part is one compared group as the report shows it.
type Part struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Note   string   `json:"note,omitempty"`
	Labels []string `json:"labels"` // in the study's order
	// Baseline is the label the others are compared with, the first by default.
	Baseline string `json:"baseline"`
}

// Cell is one planned cell.
type Cell struct {
	ID    string `json:"id"`
	Part  string `json:"part"`
	Label string `json:"label"`
	Phase string `json:"phase"`
	What  string `json:"what"` // "depth 4096", "seed 2"
}

// A Group is what was planned for the timed samples of a part in one phase, as
// far as the time allowed: every label takes one sample at every point in every
// round. Points are depths, chunks or contexts in tokens.
type Group struct {
	Part   string `json:"part"`
	Phase  string `json:"phase"`
	Points []int  `json:"points"`
	Rounds int    `json:"rounds"`
}

// Corpus is the provenance of a text.
type Corpus struct {
	Name   string `json:"name"`
	Source string `json:"source"` // in words: "Go 1.26.8 standard library source"
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Host is the machine and its settings. Ceilings are measured by the meter.
type Host struct {
	CPU      string             `json:"cpu"`
	Cores    int                `json:"cores"`
	MemBytes int64              `json:"mem_bytes"`
	OS       string             `json:"os"`
	Go       string             `json:"go"`
	Features []string           `json:"features"`
	Caches   map[string]int64   `json:"caches,omitempty"`          // "L1d": bytes
	FMAPeak  map[string]float64 `json:"fma_peak_gflops,omitempty"` // by threads "1", "2"
	ReadGBs  map[string]float64 `json:"read_gb_per_s,omitempty"`   // from memory, by threads
	// ReadLevels is GB/s by cache and threads.
	ReadLevels map[string]map[string]float64 `json:"read_gb_per_s_by_cache,omitempty"`
	NoiseFloor *float64                      `json:"noise_floor,omitempty"` // A/A: relative difference not to be called a win
	Energy     []Energy                      `json:"energy,omitempty"`      // sources found, with tier or reason
	Warnings   []string                      `json:"warnings,omitempty"`
}

// Claim is one sentence of the article with the rule that judges it, fixed
// before the run. All rules must hold.
type Claim struct {
	ID    string `json:"id" yaml:"id"`
	Says  string `json:"says" yaml:"says"`
	Rules []Rule `json:"rules" yaml:"rules"`                 // none: not measured yet
	Why   string `json:"why,omitempty" yaml:"why,omitempty"` // how to read it, or why it is not measured
}

// Rule holds when the 95 % interval of its statistic lies wholly on the asked
// side of the threshold, fails when it lies wholly on the other, and is not
// decided between.
//
//	slope       log-log slope of Metric against Over for Arch
//	ratio       Metric of Arch over Metric of Than, at Over = At (0: the largest), paired by round or seed
//	difference  Metric of Arch minus Metric of Than (none: minus nothing), paired likewise
//	check       value of the check named Metric
type Rule struct {
	Kind   string   `json:"kind" yaml:"kind"`
	Part   string   `json:"part" yaml:"part"`
	Phase  string   `json:"phase" yaml:"phase"`
	Metric string   `json:"metric" yaml:"metric"`
	Arch   string   `json:"arch" yaml:"arch"` // a label of the part
	Than   string   `json:"than,omitempty" yaml:"than,omitempty"`
	Over   string   `json:"over,omitempty" yaml:"over,omitempty"` // depth | chunk | context
	At     float64  `json:"at,omitempty" yaml:"at,omitempty"`
	Below  *float64 `json:"below,omitempty" yaml:"below,omitempty"`
	Above  *float64 `json:"above,omitempty" yaml:"above,omitempty"`
}

// MarshalLine is the JSON line of r, with its newline.
func (r *Record) MarshalLine() ([]byte, error) {
	b, err := json.Marshal(r)
	return append(b, '\n'), err
}
