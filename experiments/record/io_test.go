package record

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func newRun(t *testing.T) (dir, lines string) {
	t.Helper()
	dir = t.TempDir()
	if err := SaveRun(dir, &Run{Study: "s", Seed: 7}); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, RecordsFile)
}

func put(t *testing.T, path string, r Record) {
	t.Helper()
	if err := Append(path, &r); err != nil {
		t.Fatal(err)
	}
}

func tail(t *testing.T, path, s string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(s); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestRoundTrip(t *testing.T) {
	dir, path := newRun(t)
	joules := Quantity{"joules", "energy", "J", Timed, Lower, true}
	counted := joules.Of(1.5)
	counted.Source = "RAPL"
	want := Record{
		Schema: Schema, Cell: "c", Keys: map[string]any{KeyStudy: "s", "depth": 3.0, "draft": true, "config.dim": 64.0},
		Values: []Value{counted, Quantity{"net", "net energy", "J", Estimated, "", false}.Missing("no idle power")},
		Samples: []Series{{Name: "latency", Title: "latency of a token", Unit: "s", Y: []float64{4e-3, 5e-3}},
			{Name: "loss", Y: []float64{2, 1}, Axis: "training text", AxisUnit: "tokens", X: []float64{0, 512}}},
		Notes:    map[string]string{"weights_sha256": "ab"},
		Warnings: []string{"noisy"},
		Time:     time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
	put(t, path, want)
	put(t, path, Record{Cell: "d"})
	run, got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !reflect.DeepEqual(got[0], want) || got[1].Schema != Schema {
		t.Errorf("got %+v", got)
	}
	if run.Seed != 7 || run.Schema != Schema || run.Warnings != nil {
		t.Errorf("run %+v", run)
	}
}

func TestNilIsNotZero(t *testing.T) {
	q := Quantity{Name: "joules", Kind: Timed}
	r := Record{Values: []Value{q.Missing("no counter")}}
	line, err := r.MarshalLine()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(line, []byte(`"value":null,"reason":"no counter"`)) || bytes.Contains(line, []byte("samples")) {
		t.Errorf("%s", line)
	}
	for _, v := range []Value{q.Missing("no counter"), q.Of(math.NaN()), q.Of(math.Inf(1))} {
		r.Values = []Value{v}
		if x, ok := r.Value("joules"); ok || v.Value != nil {
			t.Errorf("%v is the number %g", v, x)
		}
	}
	if _, ok := r.Value("watts"); ok {
		t.Error("a quantity that is not there has a number")
	}
	r.Values = []Value{q.Of(0)}
	if x, ok := r.Value("joules"); !ok || x != 0 {
		t.Error("zero is a number")
	}
}

func TestNoRecordsYet(t *testing.T) {
	dir, _ := newRun(t)
	if _, got, err := Load(dir); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTornLine(t *testing.T) {
	whole, _ := (&Record{Schema: Schema, Cell: "b"}).MarshalLine()
	for _, torn := range []string{"{", string(whole[:len(whole)-1]), "\x00\x00\x00", strings.Repeat("x", 200<<10)} {
		dir, path := newRun(t)
		put(t, path, Record{Cell: "a"})
		tail(t, path, torn)
		run, got, err := Load(dir)
		if err != nil || len(got) != 1 || len(run.Warnings) != 1 {
			t.Fatalf("torn %.9q: %d records, warnings %q, %v", torn, len(got), run.Warnings, err)
		}
		put(t, path, Record{Cell: "c"})
		run, got, err = Load(dir)
		if err != nil || len(got) != 2 || got[1].Cell != "c" || len(run.Warnings) != 0 {
			t.Fatalf("after append: %v, %v, %v", got, run.Warnings, err)
		}
	}
}

func TestTornFirstLine(t *testing.T) {
	dir, path := newRun(t)
	tail(t, path, `{"schema":2`)
	put(t, path, Record{Cell: "a"})
	if run, got, err := Load(dir); err != nil || len(got) != 1 || got[0].Cell != "a" || len(run.Warnings) != 0 {
		t.Errorf("%v, %v, %v", got, run, err)
	}
}

func TestMalformed(t *testing.T) {
	const good = `{"schema":2,"cell":"a","keys":{"depth":8},"later_key":{"x":1}}` + "\n"
	for name, c := range map[string]struct{ lines, want string }{
		"middle":    {good + "{\"schema\":2,\n" + good, "records.jsonl:2:"},
		"type":      {good + `{"schema":2,"values":[{"name":"x","value":"many"}]}` + "\n", ":2: not a record"},
		"key":       {`{"schema":2,"keys":{"depth":[1]}}` + "\n", `key "depth" holds neither`},
		"no name":   {`{"schema":2,"values":[{"value":1}]}` + "\n", "has no name"},
		"twice":     {`{"schema":2,"values":[{"name":"x"},{"name":"x"}]}` + "\n", `quantity "x" is there twice`},
		"series":    {`{"schema":2,"samples":[{"name":"y","x":[1,2],"y":[1]}]}` + "\n", `series "y" has 2 places and 1 values`},
		"old twice": {good + `{"schema":1,"phase":"quality","quality":{"probes":[{"slots":"wkv","every":16},{"slots":"wkv","every":16}]}}` + "\n", `jsonl:2: the quantity "probe:wkv/16" is there twice`},
		"old check": {good + `{"schema":1,"phase":"check","params":9,"check":{"name":"params","value":1}}` + "\n", `jsonl:2: the quantity "params" is there twice`},
		"old type":  {good + `{"schema":1,"tokens":"many"}` + "\n", "tokens"},
		"fraction":  {`{"schema":1,"tokens":1.5}` + "\n", "tokens"},
		"empty":     {good + "\n" + good, ":2:"},
		"schema":    {good + good + `{"schema":3}` + "\n", ":3: schema version 3"},
		"null":      {"null\n", ":1: schema version 0"},
		"two":       {`{"schema":2}{"schema":2}` + "\n", ":1:"},
		"negative":  {`{"schema":1,"duration_ns":-1}` + "\n", "negative"},
		"long":      {`{"schema":2,"cell":"` + strings.Repeat("x", maxLine) + `"}` + "\n", ":1: line longer"},
		"endless":   {strings.Repeat("x", maxLine+1), ":1: line longer"},
	} {
		dir, path := newRun(t)
		tail(t, path, c.lines)
		if _, _, err := Load(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	dir, path := newRun(t)
	tail(t, path, good)
	if _, got, err := Load(dir); err != nil || got[0].Cell != "a" {
		t.Errorf("an unknown key must be ignored: %v", err)
	}
}

func TestMalformedRun(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"schema": {`{"schema":9}`, "schema version 9"},
		"type":   {`{"schema":2,"seed":"x"}`, "seed"},
		"short":  {`{"schema":2`, "run.json"},
		"old":    {`{"schema":1,"cells":[{"phase":1}]}`, "phase"},
		"large":  {strings.Repeat(" ", maxRun+1), "larger"},
	} {
		dir, _ := newRun(t)
		if err := os.WriteFile(filepath.Join(dir, RunFile), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestUnwritable(t *testing.T) {
	dir, path := newRun(t)
	nan := math.NaN()
	if err := Append(path, &Record{Cell: "x9", Samples: []Series{{Y: []float64{nan}}}}); err == nil || !strings.Contains(err.Error(), "x9") {
		t.Errorf("NaN: %v", err)
	}
	if err := Append(path, &Record{Error: strings.Repeat("x", maxLine)}); err == nil {
		t.Error("an oversized record was written")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused record left a file")
	}
	if err := SaveRun(dir, &Run{Host: Host{NoiseFloor: &nan}}); err == nil {
		t.Error("NaN in run.json")
	}
	if run, _, err := Load(dir); err != nil || run.Seed != 7 {
		t.Errorf("a failed save must leave the old file: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*tmp*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// TestSamplesCountOnce checks that of repeated records of a sample the first
// counts, and that records that differ in a distinguishing key all count.
func TestSamplesCountOnce(t *testing.T) {
	dir, path := newRun(t)
	counted := func(name string) []Value { return []Value{Quantity{Name: name, Kind: Exact}.Of(1)} }
	samples := []Record{{Cell: "a"}, {Cell: "b"}, {Cell: "a", Error: "late"}, {Cell: "a", Values: counted("modes")}, {Cell: "a", Values: counted("scan")}}
	for _, key := range []string{KeyBlock, KeySeed, KeyPart, "depth", KeyThreads, "lr", "what nobody knows"} {
		samples = append(samples, Record{Cell: "a", Keys: map[string]any{key: 1.0}}, Record{Cell: "a", Keys: map[string]any{key: "2"}})
	}
	took := Quantity{Name: "took", Kind: Timed}
	for again := range 3 { // the same sample measured again, at another place in its block
		for i, r := range samples {
			r.Keys = maps.Clone(r.Keys)
			if r.Keys == nil {
				r.Keys = map[string]any{}
			}
			r.Keys[KeySlot], r.Notes = again, map[string]string{"place": fmt.Sprint(i)}
			r.Values = append([]Value{took.Of(float64(again))}, r.Values...)
			put(t, path, r)
		}
	}
	run, got, err := Load(dir)
	if err != nil || len(got) != len(samples) {
		t.Fatalf("%d samples of %d, %v", len(got), len(samples), err)
	}
	for i, r := range got {
		if x, ok := r.Value(took.Name); !ok || x != 0 || r.Notes["place"] != fmt.Sprint(i) {
			t.Errorf("sample %s, measured for the %g. time, stands at %d", r.Notes["place"], x, i)
		}
	}
	if len(run.Warnings) != 1 || !strings.Contains(run.Warnings[0], "38 lines hold a sample that is recorded more than once") {
		t.Errorf("warnings %q", run.Warnings)
	}
}

// TestNoRun checks that the error for a folder without a run names the folder,
// whatever files it holds.
func TestNoRun(t *testing.T) {
	if _, _, err := Load(t.TempDir()); !errors.As(err, new(*NoRun)) {
		t.Errorf("an empty folder: %v", err)
	}
	for _, name := range []string{RunFile, RecordsFile} {
		dir, path := newRun(t)
		put(t, path, Record{Cell: "a"})
		path = filepath.Join(dir, name)
		if err := errors.Join(os.Remove(path), os.Symlink(os.DevNull, path)); err != nil {
			t.Skip(err)
		}
		if _, _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "is a device") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
