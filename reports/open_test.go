package reports

import (
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"workbench/experiments/record"
)

// drops is a quantity that no code of this package knows.
var drops = record.Quantity{Name: "drops_per_throw", Title: "balls dropped", Unit: "drops", Kind: record.Timed, Better: record.Lower, Main: true}

// juggling is a run of the toy workload along an axis of its own: the drops of
// one grow with the balls, and clumsy drops three times as many. Clumsy's last
// sample was taken on the moon.
func juggling() *maker {
	m := &maker{run: record.Run{Schema: record.Schema, Study: "circus", Title: "Juggling", Workloads: workloads(),
		Parts: []record.Part{{Name: "ring", Title: "In the ring", Arms: []string{"deft", "clumsy"}, Baseline: "deft", Placebo: "deft again"}}}}
	rule := func(kind, than string) record.Rule {
		return record.Rule{Kind: kind, Part: "ring", Phase: "toy", Metric: drops.Name, Arch: "clumsy", Than: than, Over: "balls", Above: ptr(0.9)}
	}
	m.run.Claims = []record.Claim{{ID: "slope", Says: "Drops grow with the balls.", Rules: []record.Rule{rule("slope", "")}},
		{ID: "ratio", Says: "The clumsy drop more.", Rules: []record.Rule{rule("ratio", "deft")}}}
	for i, arm := range m.run.Parts[0].Arms {
		for _, balls := range []float64{1, 2, 4, 8} {
			for block := range 8 {
				x := balls * (1 + 0.01*float64(block)) * float64(1+2*i)
				m.add(fmt.Sprintf("balls %g", balls), sample("ring", arm, "toy", balls, block, drops.Of(x)))
			}
		}
	}
	m.recs[len(m.recs)-1].Keys["place"] = "moon"
	return m
}

func init() {
	registerSection("applause", 75, func(v *view, part *partView) []Block {
		if !part.has("toy") {
			return nil
		}
		f := part.axisFigure("drops", "Balls on the floor", "toy", part.quantity(drops.Name))
		t := &Table{Name: part.slug + "-applause", Columns: []string{"Artist"}, Rows: [][]string{{"Rastelli"}}}
		return []Block{{Heading: "Applause", Figure: &f, Says: []string{"Bravo!"}, Table: t}}
	})
}

// TestQuantityThatNobodyKnows: a new quantity of a new workload reaches the
// comparison, the samples, the claims and the notes from its records alone.
func TestQuantityThatNobodyKnows(t *testing.T) {
	m := juggling()
	files := render(t, m.save(t), "csv")
	rows := func(name string) [][]string {
		t.Helper()
		out, err := csv.NewReader(strings.NewReader(string(files[name]))).ReadAll()
		if err != nil || len(out) < 2 {
			t.Fatalf("%s: %d rows, %v", name, len(out), err)
		}
		return out
	}
	comparison := rows("tables/ring-comparison.csv")
	if want := []string{"clumsy", "balls dropped (toy)", "balls 8", "3.000× [3.000, 3.000]", "8", "0.008", "1.00×", "higher"}; len(comparison) != 2 || !slices.Equal(comparison[1], want) {
		t.Errorf("comparison %q, want the row %q", comparison, want)
	}
	samples := rows("tables/samples.csv")
	place, balls, number := slices.Index(samples[0], "place"), slices.Index(samples[0], "balls"), slices.Index(samples[0], drops.Name)
	if place < 0 || balls < 0 || number < 0 || len(samples) != 65 {
		t.Fatalf("%d rows under %q", len(samples), samples[0])
	}
	if last := samples[64]; last[place] != "moon" || last[balls] != "8" || last[number] != fmt.Sprint(8*1.07*3) || samples[1][place] != "" {
		t.Errorf("the last sample is %q", last)
	}
	v := newView(m.run, m.recs)
	for i, want := range []struct {
		mid  float64
		asks string
	}{{1, "log-log slope of balls dropped (toy) against balls, clumsy: above 0.9"}, {3, "balls dropped (toy) of clumsy over deft at the largest balls: above 0.9"}} {
		r := v.run.Claims[i].Rules[0]
		if got := v.apply(r); got.Verdict != Holds || got.Asks != want.asks || math.Abs(v.find(r).iv.mid-want.mid) > 1e-9 {
			t.Errorf("%s: %s, %s: %g, want %g", r.Kind, got.Asks, got.Verdict, v.find(r).iv.mid, want.mid)
		}
	}
	if want := "In the ring, clumsy, toy: place varies (moon, n/a) among samples shown as one point."; !slices.Equal(v.notes, []string{want}) {
		t.Errorf("notes %q, want %q", v.notes, want)
	}
}

// TestSettingsThatNobodyKnows: the table of settings has every key of the
// records that says how they were taken.
func TestSettingsThatNobodyKnows(t *testing.T) {
	m := juggling()
	want := [][2]string{{record.KeyThreads, "2"}, {record.KeyImpl, "avx2"}, {"batch", "1"}, {"place", "moon"}}
	if got := newView(m.run, m.recs).settings(); !slices.Equal(got, want) {
		t.Errorf("settings %q, want %q", got, want)
	}
}

// TestSectionThatNobodyKnows: a registered section shows in every format, at
// its place among the others, and only where its workload has records.
func TestSectionThatNobodyKnows(t *testing.T) {
	files := render(t, juggling().save(t))
	html, text := string(files["report.html"]), string(files["report.md"])
	for name, wants := range map[string][]string{html: {"<h3>Applause</h3>", "Bravo!", "Rastelli", "Balls dropped (drops)", "Balls in the air (number)"},
		text: {"### Applause", "Bravo\\!", "Rastelli", "![Balls on the floor](figures/ring-drops.svg)"}} {
		for _, want := range wants {
			if !strings.Contains(name, want) {
				t.Errorf("a report lacks %q", want)
			}
		}
	}
	if a, b := strings.Index(text, "### Applause"), strings.Index(text, "### All against deft"); b < a {
		t.Errorf("the section of order 75 stands at %d, that of order 80 at %d", a, b)
	}
	for _, name := range []string{"figures/ring-drops.png", "figures/ring-drops.svg", "tables/figure-ring-drops.csv", "tables/ring-applause.csv"} {
		if len(files[name]) == 0 {
			t.Errorf("there is no %s", name)
		}
	}
	if other := render(t, newMaker().save(t), "md"); strings.Contains(string(other["report.md"]), "Applause") {
		t.Error("the section shows in a run without its workload")
	}
	defer func() {
		if p := recover(); p != "reports: section applause is registered twice" {
			t.Errorf("recovered %v", p)
		}
	}()
	registerSection("applause", 1, nil)
}

// TestScoreThatNobodyKnows: a trained source's own score is shown along the
// training and at its end, in files of its own.
func TestScoreThatNobodyKnows(t *testing.T) {
	m := &maker{run: record.Run{Workloads: workloads()}}
	for seed := range 3 {
		r := sample("p", "a", "quality", 0, seed)
		for _, name := range []string{"share right", "share/right"} {
			q := record.Quantity{Name: name, Title: name, Kind: record.Seeded, Better: record.Higher, Main: true}
			r.Add(q.Of(0.5 + 0.1*float64(seed)))
			r.Samples = append(r.Samples, record.Series{Name: name, Title: name, X: []float64{0, 500, 1000}, Y: []float64{0, 0.3, 0.5}, Axis: "text read", AxisUnit: "tokens"})
		}
		m.add("seed", r)
	}
	n := newView(m.run, m.recs).notebook()
	var names []string
	for _, f := range n.figures() {
		names = append(names, f.Name)
		if f.Y.Unit != "ratio" || len(f.Series[0].Points) < 2 {
			t.Errorf("%s: unit %q, points %v", f.Name, f.Y.Unit, f.Series[0].Points)
		}
	}
	if want := []string{"p-training-share-right", "p-final-share-right", "p-training-share-right-2", "p-final-share-right-2"}; !slices.Equal(names, want) {
		t.Errorf("figures %q, want %q", names, want)
	}
	tables := map[string]bool{}
	for _, b := range n.tables() {
		if tables[b.Name] {
			t.Errorf("two tables are called %s", b.Name)
		}
		tables[b.Name] = true
	}
}

// TestRunWithoutWords: a run that names no workload, axis, title or unit still
// renders.
func TestRunWithoutWords(t *testing.T) {
	m := newMaker()
	m.run.Workloads = nil
	bare := newMaker()
	for i := range bare.run.Workloads {
		if w := &bare.run.Workloads[i]; w.Axis != nil {
			w.Title, w.Axis = "", &record.Axis{Key: w.Axis.Key}
		}
	}
	for i := range bare.recs {
		for j := range bare.recs[i].Values {
			bare.recs[i].Values[j].Title, bare.recs[i].Values[j].Unit = "", ""
		}
		for j := range bare.recs[i].Samples {
			s := &bare.recs[i].Samples[j]
			s.Title, s.Unit, s.Axis, s.AxisUnit = "", "", "", ""
		}
	}
	for name, want := range map[*maker]string{m: "nothing to draw. ", bare: "Duration_per_token (ratio)"} {
		files := render(t, name.save(t), "html")
		if html := string(files["report.html"]); !strings.Contains(html, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}
