package nn

import (
	"reflect"
	"strings"
	"time"
)

// Clock measures what each kind of operation of a recording graph takes,
// forward and backward, by the names of this package ("linear", "wKV4"). An
// operation's forward time is what has passed since the one before it.
type Clock struct {
	spent map[reflect.Type]time.Duration
	last  time.Time
}

// Start forgets what was measured; what follows counts from here.
func (c *Clock) Start() {
	c.spent = map[reflect.Type]time.Duration{}
	c.last = time.Now()
}

// lap gives the time since the last call to an operation.
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
