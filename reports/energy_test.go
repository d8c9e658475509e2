package reports

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"workbench/experiments/meter"
	"workbench/experiments/meter/metertest"
	"workbench/experiments/record"
)

// metered is what the meter tells of a short window on a machine. Where the
// counters were not fed in time it looks again.
func metered(t *testing.T, tree metertest.Tree) []record.Energy {
	t.Helper()
	dir := t.TempDir()
	feeder, err := tree.Feed(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer feeder.Stop()
	begin := time.Now()
	var es []record.Energy
	for range 5 {
		es = window(dir)
		if counted := es[0].Joules != nil; counted && tree.Watts > 0 || !counted && tree.Watts == 0 && strings.HasPrefix(es[0].Reason, tree.Lost) {
			return es
		}
	}
	if !feeder.Late(begin, time.Now()) {
		t.Fatalf("the meter tells %+v", es[0])
	}
	t.Skipf("the machine is too busy to feed a counter: %s", es[0].Reason)
	return nil
}

// window is the energy of a time in which nothing is done.
func window(dir string) []record.Energy {
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

// onMachine is the synthetic run as it would be on a machine with that meter,
// whose windows are four times as long as the work. The generation was recorded
// in schema 1, which holds what the meter tells.
func onMachine(t *testing.T, es []record.Energy, change func(r *old)) *view {
	t.Helper()
	m := newMaker()
	m.run.Host.Energy = es
	var lines []byte
	m.recs = slices.DeleteFunc(m.recs, func(r record.Record) bool {
		seconds, ok := r.Value(qDuration.Name)
		if !ok || r.Text(record.KeyWorkload) != "decode" {
			return false
		}
		block, _ := r.Key(record.KeyBlock)
		depth, _ := r.Key("depth")
		o := old{1, "cost", r.Cell, r.Text(record.KeyArm), "decode", int(depth), int(block), 64, int64(seconds * 1e9), nil}
		if o.Energy = lasting(es, 4*o.DurationNS); change != nil {
			change(&o)
		}
		line, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
		return true
	})
	dir := m.save(t)
	path := filepath.Join(dir, record.RecordsFile)
	rest, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(lines, rest...), 0o666); err != nil {
		t.Fatal(err)
	}
	v, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// old is a line of schema 1.
type old struct {
	Schema     int             `json:"schema"`
	Part       string          `json:"part"`
	Cell       string          `json:"cell"`
	Arm        string          `json:"label"`
	Phase      string          `json:"phase"`
	Depth      int             `json:"depth"`
	Round      int             `json:"round"`
	Tokens     int             `json:"tokens"`
	DurationNS int64           `json:"duration_ns"`
	Energy     []record.Energy `json:"energy"`
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
	v := onMachine(t, es, nil)
	j := judgeOne(v, v.run.Claims[4])
	measured, estimated := joulesAtZero(v, "cost-energy-measured"), joulesAtZero(v, "cost-energy-estimated")
	if math.IsNaN(estimated) {
		t.Error("no estimate")
	}
	if tree.Watts == 0 {
		want := "not decided on this machine: no measured energy per token (" + tree.Lost + ": "
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
func joulesAtZero(v *view, name string) float64 {
	f := figure(v, name)
	if f == nil {
		return math.NaN()
	}
	i := slices.IndexFunc(f.Series, func(s Series) bool { return s.Name == "rwkv4" })
	return f.Series[i].Points[0].Y * map[string]float64{"J/token": 1, "mJ/token": 1e-3}[f.Y.Unit]
}

// figure is one of the notebook's figures, nil if there is none of the name.
func figure(v *view, name string) *Figure {
	for _, f := range v.notebook().figures() {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// TestNetOfAllSamples: net energy stands in the table where as many samples
// have it as have the gross.
func TestNetOfAllSamples(t *testing.T) {
	es := metered(t, metertest.Named("one package"))
	v := onMachine(t, es, func(r *old) {
		if e := &r.Energy[0]; r.Arm != "rnn" && (r.Arm == "rwkv4" || r.Round > 0) {
			e.NetJ = e.Joules
		}
	})
	for _, row := range v.part("cost").energyTable().Rows {
		if gross, net := row[3], row[4]; gross == "n/a" || (net == gross) != (row[0] == "rwkv4") || net != gross && net != "n/a" {
			t.Errorf("%q", row)
		}
	}
}

// TestEnergyInPart: samples without energy are counted in the figure's note, a
// model without any is named in the verdict, and an estimate decides nothing.
func TestEnergyInPart(t *testing.T) {
	es := metered(t, metertest.Named("one package"))
	n := 0
	v := onMachine(t, es, func(r *old) {
		if r.Arm == "transformer" || r.Arm == "rnn" && r.Round == 0 {
			r.Energy[0].Joules, r.Energy[0].Reason = nil, "the counter jumped."
			n++
		}
	})
	if j := judgeOne(v, v.run.Claims[4]); j.short() != "not decided (no measured energy per token in decode of transformer: the counter jumped)" {
		t.Error(j.short())
	}
	if note := v.samplesWithoutEnergy(v.part("cost"), "decode"); note != "Of 120 samples 45 hold none: the counter jumped. " || n != 45 {
		t.Errorf("%d: %q", n, note)
	}
	if f := figure(v, "cost-energy-measured"); f == nil || !strings.Contains(f.Note, "until the counter can tell. Of 120 samples") {
		t.Errorf("%+v", f)
	}
}
