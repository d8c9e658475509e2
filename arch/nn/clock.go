package nn

import (
	"reflect"
	"strings"
	"time"
)

// Clock measures the time of each kind of operation of a recording graph,
// forward and backward, by name ("linear", "wKV4"). The forward time of an
// operation is the time since the operation before it.
type Clock struct {
	spent map[reflect.Type]time.Duration
	last  time.Time
}

// Start clears the measured times and begins to measure.
func (c *Clock) Start() {
	c.spent = map[reflect.Type]time.Duration{}
	c.last = time.Now()
}

// lap adds the time since the last call to an operation.
func (c *Clock) lap(op reflect.Type) {
	now := time.Now()
	c.spent[op] += now.Sub(c.last)
	c.last = now
}

// Spent is the time by kind of operation since Start.
func (c *Clock) Spent() map[string]time.Duration {
	by := map[string]time.Duration{}
	for op, d := range c.spent {
		by[strings.TrimSuffix(op.Name(), "Op")] += d
	}
	return by
}
