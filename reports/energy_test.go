package reports

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"workbench/experiments/meter"
	"workbench/experiments/meter/metertest"
	"workbench/experiments/record"
)

// metered is what the meter tells of a short window on a machine.
func metered(t *testing.T, tree metertest.Tree) []record.Energy {
	t.Helper()
	dir := t.TempDir()
	feeder, err := tree.Feed(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer feeder.Stop()
	e := meter.NewEnergy(dir)
	defer e.Close()
	w := e.Start()
	for begin := time.Now(); time.Since(begin) < 5*time.Millisecond || !w.Enough(); {
	}
	return w.Stop()
}

// lasting is the energy of a window that lasts for ns at the same power.
func lasting(es []record.Energy, ns int64) []record.Energy {
	es = slices.Clone(es)
	for i := range es {
		if e := &es[i]; e.Joules != nil {
			e.Joules = ptr(*e.Joules * float64(ns) / float64(e.WindowNS))
		}
		es[i].WindowNS = ns
	}
	return es
}

// onMachine is the synthetic run as it would be on a machine with that meter.
func onMachine(es []record.Energy) *maker {
	m := newMaker()
	m.run.Host.Energy = es
	for i := range m.recs {
		if r := &m.recs[i]; r.Phase == "decode" {
			r.Energy = lasting(es, r.DurationNS)
		}
	}
	return m
}

// TestEnergyOfMachines: on every machine, the figure, the table and the verdict
// take the meter's own total, or say with the meter's words why there is none;
// so they do with records from before the total was marked.
func TestEnergyOfMachines(t *testing.T) {
	for _, tree := range metertest.Trees() {
		t.Run(tree.Name, func(t *testing.T) {
			t.Parallel()
			es := metered(t, tree)
			holdEnergy(t, tree, es)
			for i := range es {
				es[i].Total = false
			}
			holdEnergy(t, tree, es)
		})
	}
}

func holdEnergy(t *testing.T, tree metertest.Tree, es []record.Energy) {
	t.Helper()
	m := onMachine(es)
	v := newView(m.run, m.recs)
	j := v.judge(m.run.Claims[4])
	measured, estimated := joulesAtZero(v, "cost-energy-measured"), joulesAtZero(v, "cost-energy-estimated")
	if math.IsNaN(estimated) {
		t.Error("no estimate")
	}
	if tree.Watts == 0 {
		want := "not decided on this machine: no energy counter (" + tree.Lost + ": "
		if !strings.HasPrefix(j.short(), want) || !math.IsNaN(measured) {
			t.Errorf("%q, %g J a token; want %q", j.short(), measured, want)
		}
		return
	}
	if want := *es[0].Joules / float64(es[0].WindowNS) * 1e6; j.Verdict != Holds || !(math.Abs(measured/want-1) < 0.01) {
		t.Errorf("%s, %g J a token, want %g", j.short(), measured, want)
	}
}

// joulesAtZero is RWKV-4's energy per token at depth 0 in a figure, in J: at
// 1 ms a token a thousandth of the power.
func joulesAtZero(v *view, figure string) float64 {
	for _, f := range v.notebook().figures() {
		for _, s := range f.Series {
			if f.Name == figure && s.Name == "rwkv4" {
				scale := map[string]float64{"J/token": 1, "mJ/token": 1e-3}[f.Y.Unit]
				return s.Points[0].Y * scale
			}
		}
	}
	return math.NaN()
}

// TestEnergySharesAWindow: of a window that is longer than the work, the work
// has its share.
func TestEnergySharesAWindow(t *testing.T) {
	es := metered(t, metertest.Named("two packages, dram"))
	r := record.Record{Tokens: 10, DurationNS: es[0].WindowNS / 4, Energy: es}
	if j, ok := joulesPerToken(&r, record.Measured, false); !ok || math.Abs(j/(*es[0].Joules/40)-1) > 1e-6 {
		t.Errorf("%g J/token of %g J", j, *es[0].Joules)
	}
	if _, ok := joulesPerToken(&r, record.Measured, true); ok {
		t.Error("net energy out of nothing")
	}
}

// TestEnergyInPart: samples without energy are counted in the figure's note, a
// model without any is named in the verdict, and an estimate decides nothing.
func TestEnergyInPart(t *testing.T) {
	es := metered(t, metertest.Named("one package"))
	m := onMachine(es)
	n := 0
	for i := range m.recs {
		if r := &m.recs[i]; r.Phase == "decode" && (r.Label == "transformer" || r.Label == "rnn" && r.Round == 0) {
			r.Energy = slices.Clone(r.Energy)
			r.Energy[0].Joules, r.Energy[0].Reason = nil, "the counter jumped"
			n++
		}
	}
	v := newView(m.run, m.recs)
	if j := v.judge(m.run.Claims[4]); j.short() != "not decided (no measured energy in decode of transformer: the counter jumped)" {
		t.Error(j.short())
	}
	if note := v.gaps(v.part("cost")); note != "Of 120 samples 45 hold none: the counter jumped. " || n != 45 {
		t.Errorf("%d: %q", n, note)
	}
}
