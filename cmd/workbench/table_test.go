package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/experiments/workload"
)

// What follows is one of everything that a file adds to the program, as house
// rules have it: each is in one place, and all else follows from its
// registration. The architecture stands in toy_test.go; a section and a kind of
// figure are added in the tests of reports.

// registerToys makes them known, in a process of its own: other tests are about
// what the program has.
func registerToys() {
	registerToy()
	meter.Register("toy", 55, func() meter.Meter { return &ticking{} }, ticks)
	workload.Register(workload.Workload{
		Workload: record.Workload{Name: "doze", Title: "Dozing", Axis: &record.Axis{Key: "naps", Title: "Naps", Unit: "naps"}},
		Filled:   true,
		Defaults: func() workload.Settings {
			return &doze{Naps: []int{1, 2}, Timing: workload.Timing{Rounds: 6, SampleMS: 1}}
		},
		Quantities: []record.Quantity{dreams},
	})
	workload.Register(workload.Workload{
		Workload:   record.Workload{Name: "weigh", Title: "Weighing"},
		Defaults:   func() workload.Settings { return &weigh{Grams: 3} },
		Quantities: []record.Quantity{weight},
	})
	corpus.Register("echo", "random letters, and then the same letters once more", echo{Letters: 7},
		func(e echo) (corpus.Source, error) { return e, nil }, repeated)
	commands = append(commands, command{name: "greet", short: "Greet.", example: "workbench greet",
		setup: func(*flag.FlagSet) body {
			return func(_ []string, out output) error {
				_, err := fmt.Fprintln(out.stdout, "hello")
				return err
			}
		}})
}

var (
	ticks    = record.Define(record.Quantity{Name: "toy_ticks", Title: "ticks of a toy", Unit: "ticks/token", Kind: record.Exact, Better: record.Lower})
	dreams   = record.Define(record.Quantity{Name: "toy_dreams", Title: "dreams", Unit: "dreams", Kind: record.Exact})
	weight   = record.Define(record.Quantity{Name: "toy_weight", Title: "weight of a toy", Unit: "g", Kind: record.Seeded, Main: true})
	repeated = record.Define(record.Quantity{Name: "toy_repeated", Title: "letters repeated", Unit: "share", Kind: record.Seeded, Better: record.Higher, Main: true})
)

// ticking is a meter that ticks seven times a token.
type ticking struct{ begun int }

func (m *ticking) Close() {}
func (m *ticking) Begin() { m.begun++ }
func (m *ticking) End(w meter.Work) meter.Reading {
	x := ticks.Of(7 * float64(m.begun))
	m.begun = 0
	return meter.Reading{Values: []record.Value{x}}
}

// doze is a timed workload that does nothing: two tokens a nap.
type doze struct {
	Naps            []int `yaml:"naps,flow" min:"1" max:"9" doc:"naps of a sample"`
	workload.Timing `yaml:",inline"`
	at              int
	filled          bool
}

func (d *doze) Complete() error                 { return nil }
func (d *doze) Need(*arch.Outline) []meter.Part { return nil }
func (d *doze) Points() []int                   { return d.Naps }
func (d *doze) Start(e *workload.Env) (workload.Task, error) {
	if len(e.Tokens) == 0 || int(slices.Max(e.Tokens)) >= e.Vocab {
		return nil, errors.New("tokens that the model does not know")
	}
	d.filled = true
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
	r.Keys["filled"] = d.filled
	r.Add(dreams.Of(float64(d.at)))
}

// weigh is a workload with one cell a seed.
type weigh struct {
	Grams int `yaml:"grams" min:"1" max:"9" doc:"what a seed weighs"`
}

func (w *weigh) Complete() error {
	if w.Grams == 8 {
		return &workload.Fault{Path: []any{"grams"}, Text: "grams: 8 is no good"}
	}
	return nil
}
func (w *weigh) Need(*arch.Outline) []meter.Part { return nil }
func (w *weigh) Check([]workload.Arm) error      { return nil }
func (w *weigh) Operations(workload.Arm) float64 { return 1 }
func (w *weigh) Yields(workload.Arm) []string    { return []string{weight.Name} }
func (w *weigh) Cells(_ workload.Arm, seeds []uint64) (cells []workload.Cell, err error) {
	for _, s := range seeds {
		cells = append(cells, workload.Cell{What: fmt.Sprint("seed ", s), Seed: s})
	}
	return cells, nil
}
func (w *weigh) Run(_ *workload.Env, c workload.Cell, r *record.Record) error {
	r.Add(weight.Of(float64(w.Grams) * float64(c.Seed)))
	return nil
}

// echo is a task: half a row of random letters, and then the same once more,
// which is all that counts.
type echo struct {
	Letters int `json:"letters" doc:"letters there are"`
}

func (e echo) About() record.Corpus {
	return record.Corpus{Name: "echo", Source: "a task of the tests"}
}
func (e echo) Vocab() int            { return e.Letters }
func (e echo) Grader() corpus.Grader { return &heard{} }
func (e echo) Train(B, T int, seed uint64) (corpus.Batches, error) {
	return echoes{e, B, T, seed + 1}, nil
}
func (e echo) Test(T int) (corpus.Set, error) { return echoes{e, 1, T, 0}, nil }

type echoes struct {
	echo
	B, T int
	seed uint64
}

func (e echoes) Batch(step int, tok, targets []int32) {
	for b := range e.B {
		r := nn.Rand(e.seed, fmt.Sprint(step, b))
		row, next := tok[b*e.T:(b+1)*e.T], targets[b*e.T:(b+1)*e.T]
		for i := range row {
			if row[i], next[i] = int32(r.IntN(e.Letters)), -1; i >= e.T/2 {
				row[i] = row[i-e.T/2]
			}
			if i > e.T/2 {
				next[i-1] = row[i]
			}
		}
	}
}
func (e echoes) Counted(int) int                 { return e.B * (e.T - e.T/2 - 1) }
func (e echoes) Len() int                        { return 64 }
func (e echoes) Size(int) int                    { return e.T }
func (e echoes) Row(i int, tok, targets []int32) { e.Batch(i, tok[:e.T], targets[:e.T]) }

// heard counts what was repeated.
type heard struct{ right, all int }

func (h *heard) Add(_ int, target int32, _ float32, logits []float32) {
	h.all++
	if best := slices.Index(logits, slices.Max(logits)); best == int(target) {
		h.right++
	}
}
func (h *heard) Values() []record.Value {
	return []record.Value{repeated.Of(float64(h.right) / float64(h.all))}
}

// toyStudy is a study: one file. Its models are of the toys' architecture and of
// one of the program's.
const toyStudy = `name: playing
arch: [{use: toy, dim: 16, rank: 4}, {use: rnn, dim: 16, layers: 1}]
corpus: echo:letters=5
seeds: 3
measure:
  decode: {depth: [4], tokens: 2, rounds: 6, sample_ms: 1}
  doze: {naps: [3, 5]}
  weigh: {grams: 4}
  quality: {steps: 20, batch: 4, context: 16, lr: 1e-2, eval_tokens: 512, long_context: 2}
claims:
  - {id: ticking, says: Toys tick., rules: [{kind: ratio, part: playing, phase: decode, metric: toy_ticks, arch: toy, than: rnn, below: 2}]}
  - {id: dreaming, says: Toys dream., rules: [{kind: slope, part: playing, phase: doze, metric: toy_dreams, arch: toy, over: naps, above: 0.9}]}
  - {id: weighing, says: Toys weigh., rules: [{kind: difference, part: playing, phase: weigh, metric: toy_weight, arch: toy, above: -99}]}
  - {id: repeating, says: Toys repeat., rules: [{kind: difference, part: playing, phase: quality, metric: toy_repeated, arch: toy, than: rnn, above: -1.5}]}
profiles:
  other:
    playing: {weigh: {grams: 5}}
`

// toys runs this program with the toys in it.
func toys(t *testing.T, args ...string) string {
	t.Helper()
	c := process(args...)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

// TestTable: what one file adds is in the records, the samples' CSV, the lists,
// the claims and the report.
func TestTable(t *testing.T) {
	dir := t.TempDir()
	study, out := filepath.Join(dir, "playing.yaml"), filepath.Join(dir, "run")
	if err := os.WriteFile(study, []byte(toyStudy), 0o666); err != nil {
		t.Fatal(err)
	}
	toys(t, "run", study, "--profile", "smoke", "--out", out)
	toys(t, "report", out, "--format", "md,csv")
	tables, err := filepath.Glob(filepath.Join(out, "*", "samples.csv"))
	if err != nil || len(tables) != 1 {
		t.Fatal(tables, err)
	}
	run, records, err := record.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("record", func(t *testing.T) { tableRecords(t, run, records) })
	t.Run("csv", func(t *testing.T) { tableCSV(t, tables[0]) })
	t.Run("list", func(t *testing.T) {
		var list inventory
		if err := json.Unmarshal([]byte(toys(t, "list", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, a := range list.Architectures {
			names["architecture "+a.Name] = true
		}
		for _, w := range list.Workloads {
			names["workload "+w.Name] = len(w.Options) > 0
		}
		for _, c := range list.Corpora {
			names["corpus "+c.Name] = len(c.Options) > 0 || c.Name != "echo"
		}
		for _, q := range list.Meters {
			names["quantity "+q.Name] = true
		}
		for _, want := range []string{"architecture toy", "workload doze", "workload weigh", "corpus echo", "quantity toy_ticks", "quantity toy_dreams", "quantity toy_weight", "quantity toy_repeated"} {
			if !names[want] {
				t.Errorf("the list lacks %s", want)
			}
		}
		if all := toys(t, "list"); !strings.Contains(all, "letters=7") || !strings.Contains(all, "grams=3") || !strings.Contains(all, "naps=1,2") && !strings.Contains(all, "naps=[1,2]") {
			t.Errorf("settings are missing in:\n%s", all)
		}
	})
	t.Run("report", func(t *testing.T) {
		md, err := os.ReadFile(filepath.Join(out, "report.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Toys tick.", "Toys dream.", "Toys weigh.", "Toys repeat.", "a task of the tests", "ticks of a toy", "Letters repeated", "eight of a toy"} {
			if !strings.Contains(string(md), want) {
				t.Errorf("the report lacks %q", want)
			}
		}
		if n := strings.Count(string(md), "holds"); n < 4 {
			t.Errorf("of four claims that hold %d do", n)
		}
	})
	t.Run("command", func(t *testing.T) {
		if got := toys(t, "greet"); got != "hello\n" || !strings.Contains(toys(t, "help"), "greet") {
			t.Errorf("greet says %q", got)
		}
	})
}

func tableRecords(t *testing.T, run *record.Run, records []record.Record) {
	find := func(workload string) (of []record.Record) {
		for _, r := range records {
			if r.Text(record.KeyWorkload) == workload {
				of = append(of, r)
			}
		}
		return of
	}
	for _, w := range []string{"doze", "weigh"} {
		if !slices.ContainsFunc(run.Workloads, func(x record.Workload) bool { return x.Name == w }) {
			t.Errorf("run.json does not describe %s", w)
		}
	}
	check := func(workload, quantity string, n int, want func(r *record.Record) float64) {
		t.Helper()
		of := find(workload)
		if len(of) != n {
			t.Errorf("%d records of %s, want %d", len(of), workload, n)
		}
		for i := range of {
			if x, ok := of[i].Value(quantity); !ok || x != want(&of[i]) {
				t.Errorf("%s: %s is %g, %v, want %g (%s)", workload, quantity, x, ok, want(&of[i]), of[i].Error)
			}
		}
	}
	seven := func(*record.Record) float64 { return 7 }
	naps := func(r *record.Record) float64 { n, _ := r.Key("naps"); return n }
	check("decode", "toy_ticks", 18, seven)
	check("doze", "toy_ticks", 36, seven)
	check("doze", "toy_dreams", 36, naps)
	check("weigh", "toy_weight", 6, func(r *record.Record) float64 { s, _ := r.Key(record.KeySeed); return 4 * s })
	for _, r := range find("doze") {
		if r.Keys["filled"] != true || r.Keys["config.vocab"] != 5.0 {
			t.Errorf("doze had the keys %v", r.Keys)
		}
	}
	for _, r := range find("quality") {
		x, ok := r.Value("toy_repeated")
		curve := r.Series("toy_repeated")
		if !ok || !(x > 0 && x <= 1) || curve == nil || len(curve.Y) < 3 || curve.Y[len(curve.Y)-1] != x || r.Series("loss_by_position") == nil {
			t.Errorf("quality: %+v", r)
		}
	}
}

func tableCSV(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for quantity, want := range map[string]int{"toy_ticks": 54, "toy_dreams": 36, "toy_weight": 6, "toy_repeated": 6} {
		at, n := slices.IndexFunc(rows[0], func(s string) bool { return strings.HasPrefix(s, quantity) }), 0
		for _, row := range rows[1:] {
			if at >= 0 && row[at] != "" {
				n++
			}
		}
		if n != want {
			t.Errorf("%d rows of the CSV hold %s, want %d (columns %q)", n, quantity, want, rows[0])
		}
	}
}

// TestToyFaults: what is wrong with a toy's settings is said with its line.
func TestToyFaults(t *testing.T) {
	for old, c := range map[string][2]string{
		"grams: 4":    {"grams: 12", "playing.yaml:8: weigh: grams: 12 is not between 1 and 9"},
		"grams: 5":    {"grams: 8", "playing.yaml:17: part playing: weigh: grams: 8 is no good"},
		"weigh: {":    {"wiegh: {", `playing.yaml:8: unknown workload "wiegh"`},
		"letters=5":   {"letters=x", "corpus echo: letters: x is not a whole number"},
		"toy_weight,": {"toy_ticks,", "phase weigh of part playing does not measure toy_ticks (it measures: toy_weight)"},
	} {
		study := filepath.Join(t.TempDir(), "playing.yaml")
		if err := os.WriteFile(study, []byte(strings.Replace(toyStudy, old, c[0], 1)), 0o666); err != nil {
			t.Fatal(err)
		}
		said, err := process("run", study, "--profile", "smoke", "--out", filepath.Join(t.TempDir(), "run")).CombinedOutput()
		if err == nil || !strings.Contains(string(said), c[1]) {
			t.Errorf("%s: %v, %q, want %q", c[0], err, said, c[1])
		}
	}
}
