//go:build unix

package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"workbench/arch/files"
	"workbench/experiments/record"
)

// edit changes the lines of a finished run's records as a crash or a hand may.
type edit func(t *testing.T, dir string, lines [][]byte) [][]byte

// TestResumeByRecords: what a run's folder lacks is measured, whatever is lost,
// and what it holds is kept.
func TestResumeByRecords(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "run")
	want, before := run(t, parse(t, twoArms), Options{Profile: "smoke", Out: whole})
	cell := func(i int) string { return before[i].Cell }
	remove := func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, record.RecordsFile)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		change  edit
		kept    int    // records, of 14
		warning string // of the run
	}{
		"nothing":        {func(t *testing.T, _ string, l [][]byte) [][]byte { return l }, 14, ""},
		"missing":        {func(t *testing.T, dir string, _ [][]byte) [][]byte { remove(t, dir); return nil }, 0, ""},
		"empty":          {func(t *testing.T, _ string, _ [][]byte) [][]byte { return [][]byte{} }, 0, ""},
		"last cell lost": {func(t *testing.T, _ string, l [][]byte) [][]byte { return l[:13] }, 13, ""},
		"torn":           {func(t *testing.T, _ string, l [][]byte) [][]byte { return append(l[:13:13], l[13][:20]) }, 13, ""},
		"a sample lost":  {func(t *testing.T, _ string, l [][]byte) [][]byte { return l[1:] }, 8, ""},
		"every line twice": {func(t *testing.T, _ string, l [][]byte) [][]byte { return append(slices.Clone(l), l...) }, 14,
			"14 lines hold a sample that is recorded more than once"},
		"one for another": {func(t *testing.T, _ string, l [][]byte) [][]byte { return append([][]byte{l[1]}, l[1:]...) }, 8, ""},
		"unknown cell": {func(t *testing.T, _ string, l [][]byte) [][]byte {
			return append(l[:13:13], bytes.Replace(l[0], []byte(cell(0)), []byte("123456789abc"), 1))
		}, 13, "1 records of cells that are not in the plan"},
		"killed before the end": {func(t *testing.T, dir string, l [][]byte) [][]byte {
			unfinish(t, dir, func(r *record.Run) {})
			return l
		}, 14, ""},
		"killed at the start": {func(t *testing.T, dir string, _ [][]byte) [][]byte {
			unfinish(t, dir, func(r *record.Run) { r.Groups, r.Host = nil, record.Host{} })
			remove(t, dir)
			return nil
		}, 0, ""},
		"groups without a plan": {func(t *testing.T, dir string, l [][]byte) [][]byte {
			unfinish(t, dir, func(r *record.Run) { r.Groups = nil })
			return l
		}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyRun(t, whole)
			path := filepath.Join(dir, record.RecordsFile)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.SplitAfter(text, []byte("\n"))
			if lines = c.change(t, dir, lines[:14]); lines != nil {
				if err := os.WriteFile(path, bytes.Join(lines, nil), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			after, records := run(t, nil, Options{Resume: dir})
			checkComplete(t, want, records)
			if after.Finished == nil || !slices.Equal(after.Cells, want.Cells) || after.Host.CPU == "" || after.StudyYAML != want.StudyYAML {
				t.Errorf("the run is %+v", after)
			}
			kept := 0
			for _, r := range records {
				if slices.ContainsFunc(before, func(b record.Record) bool { return b.Time.Equal(r.Time) && b.Cell == r.Cell }) {
					kept++
				}
			}
			if kept != c.kept || len(records) != 14 {
				t.Errorf("%d of %d records are those of before, want %d of 14", kept, len(records), c.kept)
			}
			if got := strings.Join(after.Warnings, "; "); !strings.Contains(got, c.warning) || c.warning == "" && got != "" {
				t.Errorf("warnings %q, want %q", got, c.warning)
			}
		})
	}
}

// unfinish changes run.json into that of a run that was killed.
func unfinish(t *testing.T, dir string, change func(*record.Run)) {
	t.Helper()
	run, _, err := record.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	run.Finished = nil
	change(run)
	if err := record.SaveRun(dir, run); err != nil {
		t.Fatal(err)
	}
}

func copyRun(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestResumeOfFinished: it says so and changes nothing.
func TestResumeOfFinished(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	run(t, parse(t, quick), Options{Profile: "smoke", Out: dir})
	before := contents(t, dir)
	var log strings.Builder
	got, err := Run(context.Background(), nil, Options{Resume: dir, Progress: &log})
	if err != nil || got != dir || !strings.Contains(log.String(), "is finished") {
		t.Errorf("%q, %v, said %q", got, err, log.String())
	}
	if after := contents(t, dir); after != before {
		t.Errorf("the folder holds\n%s\nit held\n%s", after, before)
	}
}

const quick = `name: quick
arch: [{use: rnn, dim: 8, layers: 1}]
corpus: grammar
measure: {check: [modes]}
`

// contents is all that a folder holds.
func contents(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(e.Name() + ":\n" + string(b))
	}
	return out.String()
}

// TestResumeErrors: one line that says what to do.
func TestResumeErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	run(t, parse(t, quick), Options{Profile: "smoke", Out: dir})
	write := func(name, text string) func(dir string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666) }
	}
	for want, change := range map[string]func(dir string) error{
		"start it again with --out":     func(dir string) error { return os.Remove(filepath.Join(dir, record.RunFile)) },
		"run.json: ":                    write(record.RunFile, `{"schema":`),
		"records.jsonl:1: not a record": write(record.RecordsFile, "{\"schema\":1,\n{}\n"),
		"no such file":                  os.RemoveAll,
		"it is no folder":               func(dir string) error { os.RemoveAll(dir); return os.WriteFile(dir, nil, 0o666) },
		"run.json is a pipe":            func(dir string) error { return pipe(filepath.Join(dir, record.RunFile)) },
		"records.jsonl is a pipe":       func(dir string) error { return pipe(filepath.Join(dir, record.RecordsFile)) },
		"plans other cells":             func(dir string) error { return replan(dir) },
		"is in use by process":          func(dir string) error { _, err := files.Claim(dir, "test"); return err },
	} {
		dir := copyRun(t, dir)
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		_, err := Run(context.Background(), nil, Options{Resume: dir})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v does not contain %q", err, want)
		}
	}
}

func pipe(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o666)) }

// replan gives the plan of dir a cell more.
func replan(dir string) error {
	run, _, err := record.Load(dir)
	if err != nil {
		return err
	}
	run.Cells = append(run.Cells, record.Cell{ID: "x"})
	return record.SaveRun(dir, run)
}

// TestOneRunAFolder: while a run works in its folder no other may, a folder
// without a name of its own gets another, and folders that were there stay.
func TestOneRunAFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	theirs := "theirs"
	if err := os.Mkdir(theirs, 0o777); err != nil {
		t.Fatal(err)
	}
	s := parse(t, quick)
	live, err := newRunner(s, Options{Profile: "smoke", Out: theirs})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(theirs, record.RunFile)); err != nil || !json.Valid(b) {
		t.Errorf("a run that begins has no plan: %v", err)
	}
	for _, o := range []Options{{Out: theirs}, {Resume: theirs}} {
		if _, err := Run(context.Background(), s, o); !errors.As(err, new(*files.InUse)) {
			t.Errorf("%+v into the folder of a live run: %v", o, err)
		}
	}
	live.folder.Release()
	if _, err := Run(context.Background(), s, Options{Out: theirs}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a run overwrites another: %v", err)
	}
	at := time.Now()
	var dirs []string
	for range 3 {
		r := &runner{run: record.Run{Study: "s", Started: at}}
		if err := r.claim(""); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, strings.TrimPrefix(r.dir, filepath.Join("runs", "s-"+at.Format("20060102-150405"))))
	}
	if !slices.Equal(dirs, []string{"", "-2", "-3"}) {
		t.Errorf("runs that begin in the same second are called %q", dirs)
	}
}

// TestEmptyFolderStays: a run that cannot begin leaves the user's folder.
func TestEmptyFolderStays(t *testing.T) {
	dir := t.TempDir()
	if _, err := Run(context.Background(), parse(t, quick), Options{Out: dir, Corpus: filepath.Join(dir, "nowhere")}); err == nil {
		t.Error("a missing corpus is no error")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// TestDiskFull: a record that cannot be written ends the run on one line, what
// is recorded is kept, and the run can be resumed.
func TestDiskFull(t *testing.T) {
	for _, room := range []int{0, 7, 13} {
		dir, n := filepath.Join(t.TempDir(), "run"), 0
		appendRecord = func(path string, r *record.Record) error {
			if n++; n > room {
				return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
			}
			return record.Append(path, r)
		}
		_, err := Run(context.Background(), parse(t, twoArms), Options{Profile: "smoke", Out: dir})
		appendRecord = record.Append
		if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "--resume "+dir) {
			t.Errorf("room for %d records: %v", room, err)
		}
		if _, records, err := record.Load(dir); err != nil || len(records) != room {
			t.Errorf("%d records of %d are kept, %v", len(records), room, err)
		}
		after, records := run(t, nil, Options{Resume: dir})
		checkComplete(t, after, records)
	}
}

// TestDiskFullForAFailure: a failure that cannot be written down ends the run too.
func TestDiskFullForAFailure(t *testing.T) {
	t.Setenv("FAKE", "run rnn panic")
	appendRecord = func(path string, r *record.Record) error { return syscall.ENOSPC }
	defer func() { appendRecord = record.Append }()
	if _, err := Run(context.Background(), parse(t, quick), Options{Profile: "smoke", Out: filepath.Join(t.TempDir(), "run")}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
}
