package reports

import (
	"maps"
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
	run := record.Run{Parts: []record.Part{{Name: "p", Labels: []string{long + "1", long + "2"}}},
		Claims: []record.Claim{{Rules: []record.Rule{{Arch: long + "2"}}}}}
	v := newView(run, []record.Record{{Part: "p", Label: long + "2", Phase: "decode"}, {Part: "p", Label: long + "1", Phase: "decode"}})
	if len(v.labels) != 2 || v.labels[0] == v.labels[1] || len([]rune(v.labels[1])) > 64 {
		t.Fatalf("labels %q", v.labels)
	}
	if got := v.run.Claims[0].Rules[0].Arch; got != v.all[0].Label || got != v.labels[1] {
		t.Errorf("the rule names %q, the record %q", got, v.all[0].Label)
	}
	if !strings.HasPrefix(run.Parts[0].Labels[0], long) {
		t.Error("the caller's run was changed")
	}
}

func TestBestLearningRateIsShown(t *testing.T) {
	quality := func(lr, bpb float64, seed uint64) record.Record {
		return record.Record{Part: "p", Label: "a", Phase: "quality", Seed: seed, Quality: &record.Quality{LR: lr, ValBPB: bpb}}
	}
	v := newView(record.Run{}, []record.Record{quality(1e-3, 2.2, 0), quality(1e-3, 2.4, 1), quality(3e-3, 2.1, 0), quality(3e-3, 2.2, 1)})
	ps := v.groups[0].places("a", "quality", "", metrics["val_bits_per_byte"])
	if len(ps) != 1 || len(ps[0].all) != 2 || ps[0].all[0] != 2.1 || ps[0].all[1] != 2.2 {
		t.Errorf("places %v", ps)
	}
	if len(v.notes) != 1 || !strings.Contains(v.notes[0], "0.001 and 0.003") || !strings.Contains(v.notes[0], "0.003, is shown") {
		t.Errorf("notes %q", v.notes)
	}
}

func TestMixedSettingsAreNamed(t *testing.T) {
	v := newView(record.Run{}, []record.Record{{Part: "p", Label: "a", Phase: "decode", Depth: 8, Threads: 1}, {Part: "p", Label: "a", Phase: "decode", Depth: 8, Threads: 2},
		{Part: "p", Label: "a", Phase: "decode", Depth: 16, Threads: 2}})
	if len(v.notes) != 1 || !strings.Contains(v.notes[0], "threads varies (1, 2)") {
		t.Errorf("notes %q", v.notes)
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

func TestPromptLength(t *testing.T) {
	pre := func(chunk, tokens, context int) record.Record {
		return record.Record{Part: "p", Label: "a", Phase: "prefill", Chunk: chunk, Tokens: tokens, Context: context, Batch: 2}
	}
	for name, c := range map[string]struct {
		recs []record.Record
		want int
	}{
		"repeated reads": {[]record.Record{pre(0, 2048, 0), pre(0, 6144, 0)}, 1024},
		"said":           {[]record.Record{pre(0, 6144, 1024)}, 1024},
		"chunk":          {[]record.Record{pre(4096, 2048, 0)}, 4096},
	} {
		g := newView(record.Run{}, c.recs).groups[0]
		if g.prompt != c.want {
			t.Errorf("%s: %d, want %d", name, g.prompt, c.want)
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

// TestMetricsHaveTheirPhases: a study may name what a report knows, and nothing
// else.
func TestMetricsHaveTheirPhases(t *testing.T) {
	if known, named := slices.Sorted(maps.Keys(metrics)), slices.Sorted(maps.Keys(record.Metrics)); !slices.Equal(known, named) {
		t.Errorf("reports know the metrics %q, studies may name %q", known, named)
	}
}
