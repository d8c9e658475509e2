//go:build unix

package experiments

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch/nn"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/experiments/workload"
	"workbench/reports"
)

// A meter and a workload are a file each: this is one of both. The processes
// of the tests' runs have them too.
func init() {
	meter.Register("toy", 55, func() meter.Meter { return &toyMeter{} }, toyTicks)
	workload.Register(record.Workload{Name: "doze", Title: "Dozing", Axis: &record.Axis{Key: "naps", Title: "Naps", Unit: "naps"}},
		true, func() workload.Settings { return &doze{Naps: []int{1, 2}} }, toyDreams)
}

var (
	toyTicks  = record.Define(record.Quantity{Name: "toy_ticks", Title: "ticks of a toy", Unit: "ticks/token", Kind: record.Exact, Better: record.Lower})
	toyDreams = record.Define(record.Quantity{Name: "toy_dreams", Title: "dreams", Unit: "dreams", Kind: record.Exact})
)

// toyMeter ticks seven times a token.
type toyMeter struct{ begun int }

// toysClosed counts those that were closed in this process.
var toysClosed int

func (m *toyMeter) Close() { toysClosed++ }
func (m *toyMeter) Begin() { m.begun++ }
func (m *toyMeter) End(w meter.Work) meter.Reading {
	ticks := 7 * float64(w.Tokens) * float64(m.begun)
	m.begun = 0
	return meter.Reading{Values: []record.Value{toyTicks.Of(ticks / float64(w.Tokens))}}
}

const toyStudy = `name: toy
arch: [{use: rnn, dim: 8, layers: 1}, {use: gru, dim: 8, layers: 1}]
corpus: grammar
measure:
  decode: {depth: [4], tokens: 2, rounds: 2, sample_ms: 1}
  check: [modes]
claims:
  - {id: ticking, says: Toys tick., rules: [{kind: ratio, part: toy, phase: decode, metric: toy_ticks, arch: rnn, than: gru, below: 2}]}
`

// TestToyMeter: what a registered meter reads is in the records of timed
// workloads, studies may claim something of it, and the report has it.
func TestToyMeter(t *testing.T) {
	if !record.Known("toy_ticks") || !workload.Find("decode").Yields("toy_ticks") || workload.Find("quality").Yields("toy_ticks") {
		t.Error("the meter's quantity is not known where it is read, and there only")
	}
	refuse(t, strings.Replace(toyStudy, "toy_ticks", "toy_tocks", 1), `unknown metric "toy_tocks"`)
	dir := filepath.Join(t.TempDir(), "run")
	got, records := run(t, parse(t, toyStudy), Options{Profile: "smoke", Out: dir})
	if n := len(only(records, "decode")); n != 4 || len(records) != 6 {
		t.Fatalf("%d records, %d of decode", len(records), n)
	}
	for _, r := range records {
		x, ok := r.Value("toy_ticks")
		if timed := r.Text(record.KeyWorkload) == "decode"; ok != timed || timed && x != 7 {
			t.Errorf("%s: %g ticks, %v", r.Text(record.KeyWorkload), x, ok)
		}
	}
	if !slices.ContainsFunc(got.Workloads, func(w record.Workload) bool { return w.Name == "doze" && w.Axis.Key == "naps" }) {
		t.Errorf("the run describes the workloads %+v", got.Workloads)
	}
	paths, err := reports.Render(dir, []string{"csv", "md"})
	if err != nil {
		t.Fatal(err)
	}
	if md, err := os.ReadFile(paths["md"]); err != nil || !strings.Contains(string(md), "Toys tick.") {
		t.Errorf("the report does not judge the claim: %v", err)
	}
	f, err := os.Open(filepath.Join(paths["csv"], "samples.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(rows[0], func(s string) bool { return strings.HasPrefix(s, "toy_ticks") })
	if at < 0 {
		t.Fatalf("the samples have the columns %q", rows[0])
	}
	found := 0
	for _, row := range rows[1:] {
		if row[at] == "7" {
			found++
		}
	}
	if found != 4 {
		t.Errorf("%d of %d rows of the samples hold the ticks, want 4", found, len(rows)-1)
	}
}

// doze is a workload that only reads the text: two tokens a nap.
//
// Note: a study's Measure has a field for each workload of the program, so this
// one is asked of a process, as a run does it.
type doze struct {
	Naps            []int `yaml:"naps,flow" min:"1" max:"9" doc:"naps of a sample"`
	workload.Timing `yaml:",inline"`
	at              int
	filled          bool
	knows           int // tokens
}

func (d *doze) Complete() error { return nil }
func (d *doze) Points() []int   { return d.Naps }
func (d *doze) Start(e *workload.Env) (workload.Task, error) {
	d.filled, d.knows = true, e.Vocab
	nn.Walk(e.Model, func(p nn.Param) { d.filled = d.filled && (len(p.Tensor.Shape) < 2 || p.Tensor.Data[0] != 0) })
	return d, nil
}
func (d *doze) Reach(naps int) error    { d.at = naps; return nil }
func (d *doze) Save([]int) error        { return nil }
func (d *doze) Restore(naps int)        { d.at = naps }
func (d *doze) Work() (int, error)      { return 2 * d.at, nil }
func (d *doze) Load() workload.Load     { return workload.Load{} }
func (d *doze) Series() []record.Series { return nil }
func (d *doze) Describe(r *record.Record) {
	r.Keys["filled"], r.Keys["knows"] = d.filled, d.knows
	r.Add(toyDreams.Of(float64(d.at)))
}

// TestToyWorkload: a process finds a registered workload by its name, with its
// settings, its kind of weights and its points.
func TestToyWorkload(t *testing.T) {
	s := specOf("rwkv4", map[string]any{"dim": 8, "layers": 1}, &doze{Naps: []int{3, 5}})
	if s.Workload != "doze" {
		t.Errorf("the workload is %q", s.Workload)
	}
	toysClosed = 0
	a := serve(t, request{Op: opStart, Spec: s}, request{Op: opVisit, Point: 3}, request{Op: opVisit, Point: 5}, request{Op: opReady, Points: []int{3, 5}},
		request{Op: opSample, Point: 5, Repeats: 10})
	last := a[len(a)-1]
	if last.Error != "" || len(last.Records) != 1 {
		t.Fatalf("%+v", last)
	}
	r := &last.Records[0]
	for name, want := range map[string]float64{"tokens": 100, "toy_dreams": 5, "toy_ticks": 7} {
		if got := number(t, r, name); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	if key(t, r, "naps") != 5 || r.Keys["filled"] != true || key(t, r, "knows") != 256 || r.Keys["config.dim"] == nil {
		t.Errorf("keys %v", r.Keys)
	}
	if toysClosed != 1 {
		t.Errorf("%d instruments of one kind were closed at the end", toysClosed)
	}
}
