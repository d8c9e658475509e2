package meter

import (
	"fmt"

	"workbench/experiments/record"
)

func init() {
	Register("energy", 30, func() Meter { return &joules{energy: NewEnergy("")} },
		joulesPerToken, netPerToken, estimatedPerToken, windowJoules, windowSeconds, partJoules)
}

var (
	joulesPerToken    = record.Define(record.Quantity{Name: "joules_per_token", Title: "measured energy per token", Unit: "J/token", Kind: record.Timed, Better: record.Lower, Main: true})
	netPerToken       = record.Define(record.Quantity{Name: "net_joules_per_token", Title: "measured energy per token, less idle power", Unit: "J/token", Kind: record.Timed, Better: record.Lower})
	estimatedPerToken = record.Define(record.Quantity{Name: "joules_per_token_estimated", Title: "energy per token, estimated from time", Unit: "J/token", Kind: record.Estimated, Better: record.Lower})
	windowJoules      = record.Define(record.Quantity{Name: "joules", Title: "measured energy of the window", Unit: "J", Kind: record.Timed})
	windowSeconds     = record.Define(record.Quantity{Name: "energy_window", Title: "length of the window", Unit: "s", Kind: record.Timed})
	partJoules        = record.Define(record.Quantity{Name: "joules:", Title: "energy of the window, a part: ", Unit: "J", Kind: record.Timed})
)

// joules reads the energy counters around a sample, and estimates energy from
// processor time. Everything in the window is assumed to draw the same power,
// so the work gets its share of the energy by time.
type joules struct {
	energy *Energy
	window Window
}

// Close implements Meter.
func (m *joules) Close() { m.energy.Close() }

// Begin implements Around.
func (m *joules) Begin() { m.window = m.energy.Start() }

// Enough reports whether the window is long enough for the counters.
func (m *joules) Enough() bool { return m.window.Enough() }

// End implements Around.
func (m *joules) End(w Work) Reading {
	entries := m.window.Stop()
	var out Reading
	perToken := func(q record.Quantity, e *record.Energy) record.Value {
		share := 1.0
		if e.WindowNS > w.Duration.Nanoseconds() {
			share = float64(w.Duration.Nanoseconds()) / float64(e.WindowNS)
		}
		v := q.Of(*e.Joules * share / float64(w.Tokens))
		v.Source, v.Reason = e.Source, e.Reason
		return v
	}
	total := record.Measured(entries)
	if total == nil || total.Joules == nil {
		reason := record.NoTotal(entries)
		out.Values = append(out.Values, joulesPerToken.Missing(reason), netPerToken.Missing(reason))
	} else {
		gross := perToken(joulesPerToken, total)
		gross.Reason = ""
		out.Values = append(out.Values, gross, windowJoules.Of(*total.Joules), windowSeconds.Of(float64(total.WindowNS)/1e9))
	}
	if e := record.Total(entries, record.TierEstimated); e != nil && e.Joules != nil {
		out.Values = append(out.Values, perToken(estimatedPerToken, e))
	}
	for i, e := range entries {
		if measured := e.Tier == record.TierCounter || e.Tier == record.TierSampled; measured && !e.Total && e.Joules != nil {
			q := partJoules
			q.Name, q.Title = fmt.Sprintf("%s%s/%d", q.Name, e.Domain, i), q.Title+e.Domain
			out.Values = append(out.Values, q.Of(*e.Joules))
		}
	}
	return out
}

// TakeIdle adds the net energy to a record with measured energy: without the
// idle power of the total that Energy.Idle measured.
func TakeIdle(r *record.Record, idle []record.Energy) {
	gross, ok1 := r.Value(windowJoules.Name)
	window, ok2 := r.Value(windowSeconds.Name)
	whole, ok3 := r.Value(joulesPerToken.Name)
	if !ok1 || !ok2 || !ok3 || gross <= 0 {
		return
	}
	total := record.Measured(idle)
	switch {
	case total == nil || total.IdleW == nil:
		r.Add(netPerToken.Missing("the idle power was not measured"))
		return
	case gross < *total.IdleW*window:
		r.Add(netPerToken.Missing(fmt.Sprintf("the idle power measured, %.3g W, is above that of the work", *total.IdleW)))
		return
	}
	v := netPerToken.Of(whole * (1 - *total.IdleW*window/gross))
	v.Source = fmt.Sprintf("idle power %.3g W", *total.IdleW)
	r.Add(v)
}
