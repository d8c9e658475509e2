package workload

import (
	"fmt"
	"time"

	"workbench/experiments/record"
	"workbench/kernels"
)

var ceilingShare = record.Define(record.Quantity{Name: "ceiling_share", Title: "share of the binding ceiling", Unit: "share", Kind: record.Timed, Better: record.Higher})

// ceilingTime is how long each ceiling is measured behind a sample.
const ceilingTime = 6 * time.Millisecond

// ceilings are the machine's own rates where the work lives.
type ceilings struct{ buf []float32 }

// add measures, behind a sample, the rate of multiply-adds and that of reading a
// buffer as large as what the work reads again and again, and adds the share that the
// sample reached of the one that binds: the least time that its counted
// operations and bytes take at these rates, over its own.
func (c *ceilings) add(r *record.Record, took time.Duration, load Load) {
	if load.Bytes <= 0 || took <= 0 {
		return
	}
	n := max(int(load.Set/4), 1<<12)
	if cap(c.buf) < n {
		c.buf = make([]float32, n)
		for i := range c.buf {
			c.buf[i] = 1 // touches every page
		}
	}
	arithmetic := load.Operations / (kernels.FMAPeak(ceilingTime) * 1e9)
	reading := load.Bytes / (kernels.ReadBandwidth(c.buf[:n], ceilingTime) * 1e9)
	share, which := arithmetic/took.Seconds(), "arithmetic"
	if reading > arithmetic {
		share, which = reading/took.Seconds(), "reading"
	}
	v := ceilingShare.Of(share)
	v.Source = "of " + which + ", measured behind the sample"
	r.Add(v)
	if share > 1 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%.0f %% of the ceiling of %s: a fault of its measurement", 100*share, which))
	}
}
