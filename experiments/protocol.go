package experiments

import (
	"encoding/json"

	"workbench/experiments/record"
	"workbench/experiments/workload"
)

// A spec tells a child what it measures: one model in one workload.
type spec struct {
	Arch     string          `json:"arch"`
	Config   map[string]any  `json:"config"`
	Workload string          `json:"workload"`
	Settings json.RawMessage `json:"settings"` // of the workload
	Seed     uint64          `json:"seed"`
	Threads  int             `json:"threads"`
	Corpus   string          `json:"corpus,omitempty"` // that the child opens, for training
	Tokens   []int32         `json:"tokens"`           // to work on
	Folder   string          `json:"folder,omitempty"` // of all processes of the arm
}

// newSpec is the spec of an arm in a workload with its settings.
func newSpec(a arm, s workload.Settings) *spec {
	b, err := json.Marshal(s)
	if err != nil {
		panic("experiments: " + err.Error())
	}
	return &spec{Arch: a.Arch, Config: a.Config, Workload: workload.Of(s).Name, Settings: b}
}

// The operations a child knows.
const (
	opStart  = "start"  // build the model
	opVisit  = "visit"  // reach a point for the first time: its memory, its warm-up
	opReady  = "ready"  // prepare the points that will be sampled
	opSample = "sample" // measure a point once
	opRun    = "run"    // do whole cells
)

// request is one line to a child.
type request struct {
	Op     string `json:"op"`
	Spec   *spec  `json:"spec,omitempty"`   // start
	Point  int    `json:"point,omitempty"`  // visit, sample: depth, chunk or context
	Points []int  `json:"points,omitempty"` // ready, rising
	// Visited is, of ready, what an earlier process of the arm read at its visits.
	Visited map[int]*record.Record `json:"visited,omitempty"`
	Repeats int                    `json:"repeats,omitempty"` // sample: how often the work is done
	// Cells are those of run.
	Cells []workload.Cell `json:"cells,omitempty"`
}

// reply is one line from a child: a note of progress, or the answer.
type reply struct {
	Progress *progressNote `json:"progress,omitempty"` // more lines follow
	Error    string        `json:"error,omitempty"`    // the operation cannot be done, the child lives
	UnitNS   int64         `json:"unit_ns,omitempty"`  // visit: time of the work once
	RSS      int64         `json:"rss,omitempty"`      // peak so far
	// Visited is, of visit, what was read.
	Visited *record.Record `json:"visited,omitempty"`
	// Records hold what the child measured; the parent knows the rest.
	Records []record.Record `json:"records,omitempty"`
}

// progressNote is how far a long operation is.
type progressNote struct {
	Done, Total int
	TokensPerS  float64
}
