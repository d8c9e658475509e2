package meter

import (
	"cmp"
	"slices"
	"time"

	"workbench/experiments/record"
)

// A Meter is an instrument that is read around the work of a sample: an Around,
// a Once, or both.
type Meter any

// An Around is read before and after every sample.
type Around interface {
	Begin()
	End(w Work) Reading
}

// A Once runs the work itself, once for each point before any sample: for
// instruments that would disturb a timed sample.
type Once interface {
	Once(work func() error) (Reading, error)
}

// Work is what was done between Begin and End. The times leave out other
// activities between the parts of the work.
type Work struct {
	Tokens   int
	Duration time.Duration
	CPU      time.Duration // of this process, all threads
	NoCPU    error         // why CPU is not known
	// Operations of matrix products, and bytes of weights and state that had to be
	// read; 0 where they were not counted.
	Operations, Bytes float64
	Weights           int64 // bytes of the model's weights
}

// A Reading is the result of a meter.
type Reading struct {
	Values   []record.Value
	Warnings []string
}

type entry struct {
	name   string
	order  int
	open   func() Meter
	yields []record.Quantity
}

var registry []entry

// Register adds a meter. Meters begin in rising and end in falling order, so
// that those of high order are read closest to the work. open is called once in
// every process that measures; a meter with a method Close is closed at the
// end. yields are the quantities that the meter reads.
func Register(name string, order int, open func() Meter, yields ...record.Quantity) {
	if slices.ContainsFunc(registry, func(e entry) bool { return e.name == name }) {
		panic("meter: " + name + " is registered twice")
	}
	registry = append(registry, entry{name, order, open, yields})
	slices.SortStableFunc(registry, func(a, b entry) int { return cmp.Compare(a.order, b.order) })
}

// Yields reports whether a meter reads the quantity of that name.
func Yields(name string) bool {
	return slices.ContainsFunc(registry, func(e entry) bool {
		return slices.ContainsFunc(e.yields, func(q record.Quantity) bool { return q.Is(name) })
	})
}

// A Set is all meters of this process.
type Set struct{ meters []Meter }

// Open opens every registered meter.
func Open() *Set {
	s := &Set{}
	for _, e := range registry {
		s.meters = append(s.meters, e.open())
	}
	return s
}

// Enough reports whether the sample has lasted long enough for every meter: a
// meter with a method Enough asks for more work until it returns true.
func (s *Set) Enough() bool {
	for _, m := range s.meters {
		if e, ok := m.(interface{ Enough() bool }); ok && !e.Enough() {
			return false
		}
	}
	return true
}

// Begin starts a sample.
func (s *Set) Begin() {
	for _, m := range s.meters {
		if a, ok := m.(Around); ok {
			a.Begin()
		}
	}
}

// End ends the sample and adds what the meters read to r.
func (s *Set) End(w Work, r *record.Record) {
	for _, m := range slices.Backward(s.meters) {
		if a, ok := m.(Around); ok {
			a.End(w).add(r)
		}
	}
}

// Once lets each Once meter run the work, each time after prepare, and adds
// their readings to r. It returns the duration of the last run.
func (s *Set) Once(prepare, work func() error, r *record.Record) (took time.Duration, err error) {
	timed := func() error {
		begin := time.Now()
		err := work()
		took = time.Since(begin)
		return err
	}
	for _, m := range s.meters {
		o, ok := m.(Once)
		if !ok {
			continue
		}
		if err := prepare(); err != nil {
			return 0, err
		}
		reading, err := o.Once(timed)
		if err != nil {
			return 0, err
		}
		reading.add(r)
	}
	return took, nil
}

// Close closes the meters.
func (s *Set) Close() {
	for _, m := range s.meters {
		if c, ok := m.(interface{ Close() }); ok {
			c.Close()
		}
	}
}

func (x Reading) add(r *record.Record) {
	for _, v := range x.Values {
		r.Add(v)
	}
	r.Warnings = append(r.Warnings, x.Warnings...)
}
