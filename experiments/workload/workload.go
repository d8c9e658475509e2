// Package workload holds what is done to a model while instruments watch: each
// workload is one file with its settings, its axis, its work and the
// quantities that it yields, and nothing else in the program lists them.
package workload

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"workbench/arch"
	"workbench/experiments/meter"
	"workbench/experiments/record"
)

// A Workload is one entry of the registry.
type Workload struct {
	record.Workload
	// Filled asks for random numbers in every matrix, as trained weights are, in
	// place of initial weights: matrices of zeros cost less to read.
	Filled bool
	// First tells that its cells come before anything is timed.
	First bool
	// Defaults returns new settings with their defaults. They are Timed or Whole;
	// a workload with an axis has a setting of the axis' key, the list of points.
	Defaults func() Settings
	// Quantities are those of its records, beside what all records hold.
	Quantities []record.Quantity
}

// Settings are what a study sets of a workload, a pointer to a struct. Each
// field has the tag yaml (its key), doc, and for numbers and lists of numbers
// min and max. What only planning needs has the tag `json:"-"`: it makes no
// other work of a cell. Settings are Timed or Whole.
type Settings interface {
	// Complete fills in what follows from other settings, and tells what the
	// bounds of single fields cannot.
	Complete() error
	// Need is the memory that a process takes, weights included.
	Need(o *arch.Outline) []meter.Part
}

// A Fault is an error of settings that knows where: at a path of keys and
// positions in lists.
type Fault struct {
	Path []any
	Text string
}

// Error implements error.
func (f *Fault) Error() string { return f.Text }

// faultf is a fault under a path.
func faultf(path []any, format string, args ...any) error {
	return &Fault{path, fmt.Sprintf(format, args...)}
}

// at is a path.
func at(keys ...any) []any { return keys }

// A Timed workload is measured in samples at the points of its axis: the
// processes of all arms take one after the other, block by block.
type Timed interface {
	Settings
	// Points are the places on the axis, rising.
	Points() []int
	// Plan says how often and how long samples are.
	Plan() *Timing
	// Most is how often the work may be done for one sample at a point.
	Most(point int) int
	// Climbs tells that the work grows along the axis and that a sample moves
	// along it: all arms then do the work equally often in a sample, and the
	// furthest points are the first that are left out for time.
	Climbs() bool
	// Start prepares the model for its samples.
	Start(e *Env) (Task, error)
}

// Timing is part of the settings of every Timed workload.
type Timing struct {
	Rounds   int `yaml:"rounds,omitempty" min:"1" max:"10000" doc:"samples of every arm at every point"`
	SampleMS int `yaml:"sample_ms,omitempty" min:"1" max:"60000" doc:"shortest sample in milliseconds: the work is repeated"`
}

// Plan implements Timed.
func (t *Timing) Plan() *Timing { return t }

// Most implements Timed.
func (t *Timing) Most(int) int { return 1000 }

// Climbs implements Timed.
func (t *Timing) Climbs() bool { return false }

// A Task is the work of one arm.
type Task interface {
	// Reach makes a point the current one, for the first times.
	Reach(point int) error
	// Save prepares for Restore of these points, which are rising.
	Save(points []int) error
	// Restore makes a point the current one again, untimed.
	Restore(point int)
	// Work does what is timed and returns its tokens. Done again without a
	// Restore it goes on where it stopped, or starts over at no cost.
	Work() (tokens int, err error)
	// Load is what the work has asked of the machine since Restore.
	Load() Load
	// Describe adds what the task knows of its current point after the first Work.
	Describe(r *record.Record)
	// Series are the numbers behind what was done since Restore.
	Series() []record.Series
}

// A Bounded task cannot do its work again and again from a point on: no more
// often than AtOnce, at least once, after a Reach or a Restore.
type Bounded interface{ AtOnce(point int) int }

// Load is counted work: operations of matrix products, and bytes of weights and
// state that had to be read, Set of them again and again.
type Load struct{ Operations, Bytes, Set float64 }

// A Whole workload has cells that are one record each.
type Whole interface {
	Settings
	// Cells is the work that an arm is given, with the seeds of the study.
	Cells(a Arm, seeds []uint64) ([]Cell, error)
	// Yields are the names of the quantities that an arm's records may hold, of
	// those of the workload.
	Yields(a Arm) []string
	// Check holds the settings against all arms that the part has, with any
	// profile.
	Check(arms []Arm) error
	// Operations is about how many a cell of the arm takes.
	Operations(a Arm) float64
	// Run does the work of a cell and adds what it yields to r.
	Run(e *Env, c Cell, r *record.Record) error
}

// An Arm is one of the models that a part of a study compares.
type Arm struct {
	Label, Arch string
	Corpus      string // the name of its source
	Params      int
}

// A Cell is one piece of a Whole workload's work.
type Cell struct {
	What string         `json:"what"` // "seed 2"
	Seed uint64         `json:"seed"`
	Keys map[string]any `json:"keys,omitempty"` // what it is beside the settings
}

// Env is what a workload works with.
type Env struct {
	Model  arch.Model
	Arch   string
	Tokens []int32 // a text to read: not empty
	Vocab  int     // tokens that the model knows
	Corpus string  // the name of the part's source
	Seed   uint64
	Folder string // for what takes long to make, of all processes of the arm; "": none
	// Progress tells how far a cell is; tokens a second.
	Progress func(done, total int, rate float64)
}

var registry []*Workload

// Register makes a workload known.
func Register(w Workload) {
	s := w.Defaults()
	_, timed := s.(Timed)
	_, whole := s.(Whole)
	if Find(w.Name) != nil || timed == whole || timed && w.Axis == nil {
		panic(fmt.Sprintf("workload: %q: registered twice, neither timed nor whole, or timed without an axis", w.Name))
	}
	registry = append(registry, &w)
	slices.SortStableFunc(registry, func(a, b *Workload) int { return rank(a) - rank(b) })
}

// rank puts timed workloads before others, as they are measured.
func rank(w *Workload) int {
	if _, ok := w.Defaults().(Timed); ok {
		return 0
	}
	return 1
}

// Find is a workload by its name, nil where there is none.
func Find(name string) *Workload {
	for _, w := range registry {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// Of is the workload that settings are of.
func Of(s Settings) *Workload {
	i := slices.IndexFunc(registry, func(w *Workload) bool { return reflect.TypeOf(w.Defaults()) == reflect.TypeOf(s) })
	return registry[i]
}

// All are the workloads in the order in which they are measured.
func All() []*Workload { return slices.Clone(registry) }

// Blank returns settings that give nothing.
func (w *Workload) Blank() Settings {
	return reflect.New(reflect.TypeOf(w.Defaults()).Elem()).Interface().(Settings)
}

// Names lists them.
func Names() string {
	var names []string
	for _, w := range registry {
		names = append(names, w.Name)
	}
	return strings.Join(names, ", ")
}

// Yields tells whether records of the workload may hold the quantity of that
// name; what records of a Whole one hold of a model, its settings say.
func (w *Workload) Yields(name string) bool {
	_, timed := w.Defaults().(Timed)
	return timed && (meter.Yields(name) || Operations.Is(name) || BytesRead.Is(name) || ceilingShare.Is(name)) || Counts(name) ||
		slices.ContainsFunc(w.Quantities, func(q record.Quantity) bool { return q.Is(name) })
}

// Counts tells whether a quantity is one that the records of all workloads hold.
func Counts(name string) bool { return params.Is(name) || paramsInner.Is(name) }
