// Package record defines the format of a measurement: JSON lines, one record
// each, with keys that say what was measured and the measured values. Ratios,
// intervals and verdicts are computed when a report is rendered, and never
// stored.
package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Schema is the version of the files this package writes.
const Schema = 2

// A Record is the result of a cell of a run: one sample of a timed cell, or the
// whole of any other.
type Record struct {
	Schema int    `json:"schema"`
	Cell   string `json:"cell"` // id in the plan of run.json
	// Keys say what was measured and how: the names below, the axis of the
	// workload ("depth": 256), its settings and "config." with the resolved
	// configuration of the model. A key holds a text, a number or a truth value.
	Keys map[string]any `json:"keys"`
	// Values are the quantities, each name once.
	Values []Value `json:"values,omitempty"`
	// Samples are series of numbers, such as the samples behind a value.
	Samples  []Series          `json:"samples,omitempty"`
	Notes    map[string]string `json:"notes,omitempty"` // texts, such as "weights_sha256"
	Warnings []string          `json:"warnings,omitempty"`
	Error    string            `json:"error,omitempty"` // why the cell failed, in which case there are no values
	Time     time.Time         `json:"time"`
}

// Keys of every record of a study.
const (
	KeyStudy    = "study"
	KeyPart     = "part"     // the compared group of the study
	KeyArm      = "arm"      // the model's name in the part: "rwkv4 token_shift=none"
	KeyArch     = "arch"     // its architecture
	KeyWorkload = "workload" // what was measured
	KeySeed     = "seed"
	KeyThreads  = "threads"
	KeyImpl     = "impl"    // the implementation of the kernels
	KeyBlock    = "block"   // timed: in each block every arm was a process started afresh
	KeySlot     = "slot"    // timed: place in the shuffled order of the block
	KeyPlacebo  = "placebo" // timed: true of the baseline's second process in a block, which is no arm
	KeyConfig   = "config."
)

// A Kind says which conclusions a value allows.
type Kind string

// The kinds of values.
const (
	Exact     Kind = "exact"     // counted: the same every time
	Timed     Kind = "timed"     // varies with the state of the machine: compared within blocks
	Seeded    Kind = "seeded"    // varies with the seed: compared within seeds
	Estimated Kind = "estimated" // follows from an assumption: decides nothing
)

// Directions: whether a lower or a higher value is better.
const (
	Lower  = "lower"
	Higher = "higher"
)

// A Value is one quantity of a record with its number. A quantity that could
// not be measured has no number but a reason; it is not 0.
type Value struct {
	Quantity
	Value *float64 `json:"value"` // nil: n/a
	// Source is where the number comes from, unless it was counted or timed.
	Source string `json:"source,omitempty"`
	Reason string `json:"reason,omitempty"` // why there is no number, or what is assumed
}

// A Series is a sequence of numbers of one quantity, along an axis or in order.
type Series struct {
	Name     string    `json:"name"`
	Title    string    `json:"title"`
	Unit     string    `json:"unit"`
	Y        []float64 `json:"y"`
	Axis     string    `json:"axis,omitempty"` // what X is, in words: "training tokens"
	AxisUnit string    `json:"axis_unit,omitempty"`
	X        []float64 `json:"x,omitempty"` // as many as Y
}

// Add adds a quantity, whose name the record must not have yet.
func (r *Record) Add(v Value) {
	if r.Find(v.Name) != nil {
		panic("record: quantity " + v.Name + " twice in one record")
	}
	r.Values = append(r.Values, v)
}

// number returns a pointer to x, nil where x is not finite.
func number(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// Text returns the value of a key as a text, "" where there is none.
func (r *Record) Text(key string) string {
	switch v := r.Keys[key].(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// Key returns the value of a key as a number; ok is false where it is not one.
func (r *Record) Key(key string) (x float64, ok bool) {
	switch v := r.Keys[key].(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// Value returns the number of a quantity; ok is false where the record has
// none.
func (r *Record) Value(name string) (x float64, ok bool) {
	if v := r.Find(name); v != nil && v.Value != nil && !math.IsNaN(*v.Value) && !math.IsInf(*v.Value, 0) {
		return *v.Value, true
	}
	return 0, false
}

// Find returns a quantity of the record by name, nil where there is none.
func (r *Record) Find(name string) *Value {
	i := slices.IndexFunc(r.Values, func(v Value) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Values[i]
}

// Series returns a series by name, nil where there is none.
func (r *Record) Series(name string) *Series {
	i := slices.IndexFunc(r.Samples, func(s Series) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Samples[i]
}

// SetConfig adds a resolved configuration to the keys.
func (r *Record) SetConfig(config map[string]any) {
	for k, v := range config {
		r.Keys[KeyConfig+k] = v
	}
}

// KeyNames returns the keys of records in order: those of this package, then
// others by name, then the configuration.
func KeyNames(records []Record) []string {
	all := map[string]bool{}
	for i := range records {
		for k := range records[i].Keys {
			all[k] = true
		}
	}
	first := []string{KeyStudy, KeyPart, KeyArm, KeyArch, KeyWorkload, KeySeed, KeyBlock, KeySlot, KeyThreads, KeyImpl}
	rank := func(k string) int {
		if i := slices.Index(first, k); i >= 0 {
			return i
		}
		if strings.HasPrefix(k, KeyConfig) {
			return len(first) + 1
		}
		return len(first)
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// MarshalLine is the JSON line of r, with its newline.
func (r *Record) MarshalLine() ([]byte, error) {
	b, err := json.Marshal(r)
	return append(b, '\n'), err
}
