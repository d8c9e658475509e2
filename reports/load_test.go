package reports

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"workbench/experiments/record"
)

func TestLongLabelsStayApart(t *testing.T) {
	long := strings.Repeat("x", 200)
	run := record.Run{Parts: []record.Part{{Name: "p", Arms: []string{long + "1", long + "2"}}},
		Claims: []record.Claim{{Rules: []record.Rule{{Arch: long + "2"}}}}}
	recs := []record.Record{sample("p", long+"2", "decode", 8, 0), sample("p", long+"1", "decode", 8, 0)}
	v := newView(run, recs)
	if len(v.arms) != 2 || v.arms[0] == v.arms[1] || len([]rune(v.arms[1])) > 64 {
		t.Fatalf("arms %q", v.arms)
	}
	if got := v.run.Claims[0].Rules[0].Arch; got != v.all[0].Text(record.KeyArm) || got != v.arms[1] {
		t.Errorf("the rule names %q, the record %q", got, v.all[0].Text(record.KeyArm))
	}
	if !strings.HasPrefix(run.Parts[0].Arms[0], long) || recs[0].Text(record.KeyArm) != long+"2" {
		t.Error("the caller's run was changed")
	}
}

func TestBestLearningRateIsShown(t *testing.T) {
	accuracy := record.Quantity{Name: "accuracy", Title: "share of right answers", Kind: record.Seeded, Better: record.Higher, Main: true}
	for _, c := range []struct {
		q    record.Quantity
		sign float64
	}{{qLoss, 1}, {accuracy, -1}} {
		run := func(lr, x float64, seed int) record.Record {
			r := sample("p", "a", "quality", 0, seed, c.q.Of(c.sign*x))
			r.Keys["lr"] = lr
			return r
		}
		v := newView(record.Run{Workloads: workloads()}, []record.Record{run(1e-3, 2.2, 0), run(1e-3, 2.4, 1), run(3e-3, 2.1, 0), run(3e-3, 2.2, 1)})
		ps := v.parts[0].samplesAlong("a", "quality", "", c.q)
		if len(ps) != 1 || !slices.Equal(ps[0].all, []float64{c.sign * 2.1, c.sign * 2.2}) {
			t.Errorf("%s: places %v", c.q.Name, ps)
		}
		if len(v.notes) != 1 || !strings.Contains(v.notes[0], "0.001 and 0.003") || !strings.Contains(v.notes[0], "0.003, is shown") {
			t.Errorf("%s: notes %q", c.q.Name, v.notes)
		}
	}
}

// TestRateThatDiverges: a learning rate at which a training ended without a
// number is not the best one, however good its others are, nor judged by
// another quantity.
func TestRateThatDiverges(t *testing.T) {
	run := func(lr, loss float64, seed int) record.Record {
		r := sample("p", "a", "quality", 0, seed, qGap.Of(-loss), qLoss.Of(loss))
		r.Keys["lr"] = lr
		return r
	}
	nan := math.NaN()
	for want, recs := range map[float64][]record.Record{
		1e-3: {run(1e-3, 2.2, 0), run(1e-3, 2.4, 1), run(3e-3, 1.1, 0), run(3e-3, nan, 1)},
		2e-3: {run(2e-3, 2.2, 0), run(3e-3, nan, 0)},
		3e-3: {run(2e-3, 2.2, 0), run(2e-3, nan, 1), run(3e-3, 2.1, 0), run(3e-3, nan, 1)},
	} {
		part := newView(record.Run{Workloads: workloads()}, recs).parts[0]
		for _, r := range part.records {
			if lr, _ := r.Key("lr"); lr != want {
				t.Errorf("the rate %g is shown, want %g", lr, want)
			}
		}
		if len(part.records) == 0 || !part.tuned {
			t.Errorf("%g: %d records, tuned %v", want, len(part.records), part.tuned)
		}
	}
}

func TestMixedKeysAreNamed(t *testing.T) {
	with := func(depth float64, key string, x any) record.Record {
		r := sample("p", "a", "decode", depth, 0)
		r.Keys[key] = x
		return r
	}
	for _, c := range []struct {
		recs []record.Record
		want string
	}{
		{[]record.Record{with(8, "threads", 1.0), with(8, "threads", 2.0), with(16, "threads", 2.0)}, "threads varies (1, 2)"},
		{[]record.Record{with(8, "config.dim", 64.0), with(8, "config.dim", 128.0)}, "config.dim varies (128, 64)"},
		{[]record.Record{with(8, "draft", true), sample("p", "a", "decode", 8, 1)}, "draft varies (n/a, true)"},
		{[]record.Record{with(8, "threads", 1.0), with(16, "threads", 2.0)}, ""},
		{[]record.Record{sample("p", "a", "decode", 8, 0), sample("p", "a", "decode", 8, 1), sample("p", "b", "decode", 8, 0)}, ""},
	} {
		v := newView(record.Run{Workloads: workloads()}, c.recs)
		if got := strings.Join(v.notes, ";"); !strings.Contains(got, c.want) || c.want == "" && got != "" || len(v.notes) > 1 {
			t.Errorf("notes %q, want one with %q", v.notes, c.want)
		}
	}
}

// TestRepeatsCountOnce: records written twice change no number of the report,
// which says so.
func TestRepeatsCountOnce(t *testing.T) {
	dir := newMaker().save(t)
	once, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, record.RecordsFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, b...), 0o666); err != nil {
		t.Fatal(err)
	}
	twice, err := load(dir)
	if err != nil || !reflect.DeepEqual(once.all, twice.all) {
		t.Fatalf("%d records, %d when every line is there twice, %v", len(once.all), len(twice.all), err)
	}
	if md := string(render(t, dir, "md")["report.md"]); !strings.Contains(md, "recorded more than once") {
		t.Error("the report says nothing of it")
	}
}

func TestHoles(t *testing.T) {
	run := record.Run{Cells: []record.Cell{{ID: "ok"}, {ID: "gone", What: "depth 9"}, {ID: "part"}, {ID: "dead"}}}
	v := newView(run, []record.Record{{Cell: "ok"}, {Cell: "part"}, {Cell: "part", Error: "late"}, {Cell: "dead", Error: "killed"}, {Cell: "unplanned", Error: "odd"}})
	var got []string
	for _, h := range v.holes() {
		got = append(got, h.what+"|"+h.reason)
	}
	want := "depth 9|no record: the run did not come to it;|late (1 sample kept);|killed;not in the plan|odd"
	if strings.Join(got, ";") != want {
		t.Errorf("holes %q, want %q", strings.Join(got, ";"), want)
	}
}

// TestPairs: costs are paired by block, several samples of one by the mean of
// their logarithms; what was trained, by seed.
func TestPairs(t *testing.T) {
	at := func(arm, workload string, turn int, v record.Value) record.Record {
		return sample("p", arm, workload, 8, turn, v)
	}
	var recs []record.Record
	for i := range 6 {
		x := float64(i + 1)
		recs = append(recs, at("a", "decode", i, qPerToken.Of(x)), at("a", "decode", i, qPerToken.Of(4*x)), at("b", "decode", 5-i, qPerToken.Of(6-x+1)),
			at("a", "quality", i, qLoss.Of(3+x)), at("b", "quality", i, qLoss.Of(x)))
	}
	run := record.Run{Workloads: workloads(), Parts: []record.Part{{Name: "p", Arms: []string{"b", "a"}, Baseline: "b", Placebo: "b again"}}}
	v := newView(run, recs)
	for workload, want := range map[string]float64{"decode": 2, "quality": 3} {
		q := map[string]record.Quantity{"decode": qPerToken, "quality": qLoss}[workload]
		c, ok := v.compare(v.parts[0], "a", workload, q)
		if !ok || c.iv.n != 6 || math.Abs(c.iv.lo-want) > 1e-9 || math.Abs(c.iv.hi-want) > 1e-9 || c.p != 2.0/64 || c.conclusion() != higher {
			t.Errorf("%s: %+v, %s, want %g of 6", workload, c, c.conclusion(), want)
		}
	}
}
