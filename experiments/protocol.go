package experiments

import (
	"workbench/experiments/record"
)

// A spec tells a child which cell it is: one model in one phase.
type spec struct {
	Arch    string         `json:"arch"`
	Config  map[string]any `json:"config"`
	Phase   string         `json:"phase"`
	Seed    uint64         `json:"seed"`
	Threads int            `json:"threads"`

	Decode  *Decode  `json:"decode,omitempty"`
	Prefill *Prefill `json:"prefill,omitempty"`
	Train   *Train   `json:"train,omitempty"`
	Quality *Quality `json:"quality,omitempty"`
	Checks  []string `json:"checks,omitempty"`

	LR     float64 `json:"lr,omitempty"`
	Corpus string  `json:"corpus,omitempty"` // quality: read by the child
	Text   []byte  `json:"text,omitempty"`   // otherwise: the text to work on
}

// The operations a child knows.
const (
	opStart  = "start"  // build the model
	opVisit  = "visit"  // reach a point for the first time: its memory, its warm-up
	opReady  = "ready"  // prepare the points that will be sampled
	opSample = "sample" // measure a point once
	opRun    = "run"    // quality and check: the whole cell
)

// request is one line to a child.
type request struct {
	Op      string `json:"op"`
	Spec    *spec  `json:"spec,omitempty"`    // start
	Point   int    `json:"point,omitempty"`   // visit, sample: depth, chunk or context
	Points  []int  `json:"points,omitempty"`  // ready, rising
	Repeats int    `json:"repeats,omitempty"` // sample: how often the work is done
}

// reply is one line from a child: a note of progress, or the answer.
type reply struct {
	Progress *progressNote `json:"progress,omitempty"` // more lines follow
	Error    string        `json:"error,omitempty"`    // the operation cannot be done, the child lives
	Params   int           `json:"params,omitempty"`   // start
	NonEmb   int           `json:"params_nonemb,omitempty"`
	Impl     string        `json:"impl,omitempty"`
	UnitNS   int64         `json:"unit_ns,omitempty"` // visit: time of the work once
	RSS      int64         `json:"rss,omitempty"`     // peak so far
	// Records hold what the child measured; the parent knows the rest.
	Records []record.Record `json:"records,omitempty"`
}

// progressNote is how far a long operation is.
type progressNote struct {
	Done, Total int
	TokensPerS  float64
}
