package record

import (
	"bytes"
	"errors"
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
	cpu, joules := int64(5), 1.5
	want := Record{
		Schema: Schema, Study: "s", Cell: "c", Config: map[string]any{"dim": 64.0}, Depth: 3,
		Tokens: 2, DurationNS: 9, LatencyNS: []int64{4, 5}, CPUNS: &cpu,
		Energy:  []Energy{{Tier: TierCounter, Joules: &joules}, {Tier: TierNone, Reason: "none"}},
		Quality: &Quality{Curve: []CurvePoint{{Step: 1, ValBPB: 2}}},
		Time:    time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
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
	r := Record{Energy: []Energy{{Tier: TierNone}}}
	line, err := r.MarshalLine()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(line, []byte(`"joules":null`)) || bytes.Contains(line, []byte("state_bytes")) {
		t.Errorf("%s", line)
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

func TestTornFirstLineAndRepair(t *testing.T) {
	_, path := newRun(t)
	if cut, err := Repair(path); cut != 0 || err != nil {
		t.Errorf("missing file: %d, %v", cut, err)
	}
	tail(t, path, `{"schema":1`)
	if cut, err := Repair(path); cut != 11 || err != nil {
		t.Errorf("cut %d, %v", cut, err)
	}
	if b, err := os.ReadFile(path); err != nil || len(b) != 0 {
		t.Errorf("%q, %v", b, err)
	}
}

func TestMalformed(t *testing.T) {
	const good = `{"schema":1,"cell":"a","later_key":{"x":1}}` + "\n"
	for name, c := range map[string]struct{ lines, want string }{
		"middle":   {good + "{\"schema\":1,\n" + good, "records.jsonl:2:"},
		"type":     {good + `{"schema":1,"tokens":"many"}` + "\n", "tokens"},
		"fraction": {`{"schema":1,"tokens":1.5}` + "\n", "tokens"},
		"empty":    {good + "\n" + good, ":2:"},
		"schema":   {good + good + `{"schema":2}` + "\n", ":3: schema version 2"},
		"null":     {"null\n", ":1: schema version 0"},
		"two":      {`{"schema":1}{"schema":1}` + "\n", ":1:"},
		"negative": {`{"schema":1,"duration_ns":-1}` + "\n", "negative"},
		"long":     {`{"schema":1,"cell":"` + strings.Repeat("x", maxLine) + `"}` + "\n", ":1: line longer"},
		"endless":  {strings.Repeat("x", maxLine+1), ":1: line longer"},
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
		"type":   {`{"schema":1,"seed":"x"}`, "seed"},
		"short":  {`{"schema":1`, "run.json"},
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
	if err := Append(path, &Record{Cell: "x9", GCShare: &nan}); err == nil || !strings.Contains(err.Error(), "x9") {
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

// TestSamplesCountOnce: of lines that say the same sample the first counts, and
// samples that differ in what tells them apart all do.
func TestSamplesCountOnce(t *testing.T) {
	dir, path := newRun(t)
	samples := []Record{{Cell: "a"}, {Cell: "b"}, {Cell: "a", Round: 1}, {Cell: "a", Seed: 1}, {Cell: "a", Error: "late"}, {Cell: "a", Part: "p"},
		{Cell: "a", Depth: 1}, {Cell: "a", Threads: 1}, {Cell: "a", Quality: &Quality{LR: 1}}, {Cell: "a", Quality: &Quality{LR: 2}}, {Cell: "a", Check: &Check{Name: "modes"}}}
	for range 3 {
		for i, r := range samples {
			r.Tokens = i
			put(t, path, r)
		}
		samples[0].DurationNS++ // another measurement of the same sample
	}
	run, got, err := Load(dir)
	if err != nil || len(got) != len(samples) || got[0].DurationNS != 0 {
		t.Fatalf("%d samples of %d, %v", len(got), len(samples), err)
	}
	for i := range got {
		if got[i].Tokens != i {
			t.Errorf("sample %d stands at %d", got[i].Tokens, i)
		}
	}
	if len(run.Warnings) != 1 || !strings.Contains(run.Warnings[0], "22 lines hold a sample that is recorded more than once") {
		t.Errorf("warnings %q", run.Warnings)
	}
}

// TestNoRun: what is no run's folder is refused by its name, whatever its files
// are.
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
