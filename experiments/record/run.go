package record

import "time"

// Tiers of energy, best first. Measured and estimated energy are never mixed.
const (
	TierWall      = "measured-wall"
	TierCounter   = "measured-counter"
	TierSampled   = "measured-sampled"
	TierEstimated = "estimated-load"
	TierModelled  = "modelled-ops"
	TierNone      = "unavailable"
)

// measured reports whether energy of a tier may decide a claim.
func measured(tier string) bool {
	return tier == TierWall || tier == TierCounter || tier == TierSampled
}

// Energy is the energy of one sample from one source.
type Energy struct {
	Tier     string   `json:"tier"`
	Domain   string   `json:"domain"`           // "package-0", "dram", "cpu estimate"
	Total    bool     `json:"total,omitempty"`  // marks the entry of its tier that counts everything once
	Source   string   `json:"source"`           // where the number comes from, in words
	Joules   *float64 `json:"joules"`           // gross; nil = n/a
	NetJ     *float64 `json:"net_joules"`       // gross minus idle power times duration; nil = n/a
	IdleW    *float64 `json:"idle_w,omitempty"` //
	IdleSDW  *float64 `json:"idle_sd_w,omitempty"`
	WindowNS int64    `json:"window_ns"`        // may span several samples
	Reason   string   `json:"reason,omitempty"` // why Joules is nil, or what the estimate assumes
}

// A Run is the content of run.json: what a report needs beside the records.
type Run struct {
	Schema    int               `json:"schema"`
	Study     string            `json:"study"`
	Title     string            `json:"title"`
	Question  string            `json:"question"`
	Method    string            `json:"method"`
	Predicts  string            `json:"predicts,omitempty"`
	Profile   string            `json:"profile"`
	Seed      uint64            `json:"seed"`
	Command   string            `json:"command"`    // command that repeats the run exactly
	StudyYAML string            `json:"study_yaml"` // as executed, after profile and --set
	Parts     []Part            `json:"parts"`
	Workloads []Workload        `json:"workloads"` // of all records
	Claims    []Claim           `json:"claims,omitempty"`
	Threads   int               `json:"threads"` // threads of a timing cell, and number of quality cells run concurrently
	Cells     []Cell            `json:"cells"`   // all planned cells, so that missing ones show
	Groups    []Group           `json:"groups,omitempty"`
	Cuts      []string          `json:"cuts,omitempty"` // what the planner left out for lack of time
	Host      Host              `json:"host"`
	Corpora   []Corpus          `json:"corpora,omitempty"`
	Sources   map[string]string `json:"sources,omitempty"` // commit, dirty, binary_sha256, go
	Started   time.Time         `json:"started"`
	Finished  *time.Time        `json:"finished,omitempty"`
	Warnings  []string          `json:"warnings,omitempty"`
}

// Part is one group of arms that are compared.
type Part struct {
	Name  string   `json:"name"`
	Title string   `json:"title"`
	Note  string   `json:"note,omitempty"`
	Arms  []string `json:"arms"` // in the study's order
	// Placebo is the name in records of the baseline's second process in a block,
	// "" where nothing was timed.
	Placebo string `json:"placebo,omitempty"`
	// Baseline is the arm that the others are compared with, by default the
	// first.
	Baseline string `json:"baseline"`
}

// Cell is one planned cell.
type Cell struct {
	ID       string `json:"id"`
	Part     string `json:"part"`
	Arm      string `json:"arm"`
	Workload string `json:"workload"`
	What     string `json:"what"` // "depth 4096", "seed 2"
}

// A Group is the plan of the timed samples of a part in one workload: every arm
// takes one sample at every point in every round, as far as time allows. Points
// are places on the axis of the workload.
type Group struct {
	Part     string `json:"part"`
	Workload string `json:"workload"`
	Points   []int  `json:"points"`
	Rounds   int    `json:"rounds"`
}

// A Workload describes what records with its name in KeyWorkload measured.
type Workload struct {
	Name  string `json:"name"`
	Title string `json:"title"`          // "Generation"
	Axis  *Axis  `json:"axis,omitempty"` // what the workload varies, nil: nothing
}

// An Axis is the key of records along which the cells of a workload are placed.
type Axis struct {
	Key   string `json:"key"`   // "depth"
	Title string `json:"title"` // "Context already read"
	Unit  string `json:"unit"`  // "tokens"
}

// Corpus is the origin of a text.
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
	NoiseFloor *float64                      `json:"noise_floor,omitempty"` // from identical arms: a smaller relative difference is not a win
	Energy     []Energy                      `json:"energy,omitempty"`      // energy sources, with tier or reason
	Warnings   []string                      `json:"warnings,omitempty"`
}

// Claim is a statement of the article with the rules that decide it, fixed
// before the run. It holds if all rules hold.
type Claim struct {
	ID    string `json:"id" yaml:"id"`
	Says  string `json:"says" yaml:"says"`
	Rules []Rule `json:"rules" yaml:"rules"`                 // none: not measured yet
	Why   string `json:"why,omitempty" yaml:"why,omitempty"` // how to read the claim, or why it is not measured
}

// The kinds of rules.
const (
	RuleSlope      = "slope"
	RuleRatio      = "ratio"
	RuleDifference = "difference"
	RuleCheck      = "check"
)

// RuleKinds are all of them.
var RuleKinds = []string{RuleSlope, RuleRatio, RuleDifference, RuleCheck}

// Rule asks whether a statistic lies on the asked side of its threshold, fixed
// before the run. It is computed in every block, or for every seed, and tested
// over these; with both thresholds it is asked to lie between.
//
//	slope       log-log slope of Metric against Over for Arch
//	ratio       Metric of Arch over Metric of Than, at Over = At (0: the largest)
//	difference  Metric of Arch minus Metric of Than (none: minus nothing), likewise
//	check       the largest number that any record of Arch holds of Metric, which is counted
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
	// Control is what must fail the rule: a rule that its control passes, or is
	// not shown to fail, decides nothing.
	Control *Control `json:"control,omitempty" yaml:"control,omitempty"`
}

// Control is a rule with what it gives in place of the rule's own.
type Control struct {
	Part   string  `json:"part,omitempty" yaml:"part,omitempty"`
	Phase  string  `json:"phase,omitempty" yaml:"phase,omitempty"`
	Metric string  `json:"metric,omitempty" yaml:"metric,omitempty"`
	Arch   string  `json:"arch,omitempty" yaml:"arch,omitempty"`
	Than   string  `json:"than,omitempty" yaml:"than,omitempty"`
	Over   string  `json:"over,omitempty" yaml:"over,omitempty"`
	At     float64 `json:"at,omitempty" yaml:"at,omitempty"`
}

// OfControl is what the rule asks of its control, which must fail it.
func (r Rule) OfControl() Rule {
	c := r.Control
	pick := func(own *string, given string) {
		if given != "" {
			*own = given
		}
	}
	pick(&r.Part, c.Part)
	pick(&r.Phase, c.Phase)
	pick(&r.Metric, c.Metric)
	pick(&r.Arch, c.Arch)
	pick(&r.Than, c.Than)
	pick(&r.Over, c.Over)
	if c.At != 0 {
		r.At = c.At
	}
	r.Control = nil
	return r
}
