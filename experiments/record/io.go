package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"workbench/arch/files"
)

// The files of a run's folder.
const (
	RunFile     = "run.json"
	RecordsFile = "records.jsonl"
)

// Size limits of what Load reads and Append writes, in bytes: far above any
// real run, and low enough that an untrusted file cannot exhaust the memory.
const (
	maxRun     = 64 << 20
	maxLine    = 16 << 20
	maxRecords = 1 << 30
)

// Append appends r to the JSON lines file at path with one write and an fsync,
// creating the file if needed. It sets the schema version. If a crash left a
// last line without a newline, that line is removed first.
func Append(path string, r *Record) error {
	stamped := *r
	stamped.Schema = Schema
	line, err := stamped.MarshalLine()
	if err != nil {
		return fmt.Errorf("record of cell %s cannot be written: %w", r.Cell, err)
	}
	if len(line) > maxLine {
		return fmt.Errorf("record of cell %s has %d bytes, more than the %d that %s allows a line", r.Cell, len(line), maxLine, RecordsFile)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	size, err := cutTorn(f)
	if err == nil {
		err = appendLine(f, size, line)
	}
	return errors.Join(err, f.Close())
}

// appendLine writes line at the end of f, which has the given size, and undoes
// a partial write.
func appendLine(f *os.File, size int64, line []byte) error {
	if _, err := f.Write(line); err != nil {
		f.Truncate(size) // Note: where this fails too, the next Append removes the line.
		return err
	}
	return f.Sync()
}

// cutTorn truncates f after its last newline and returns the new size.
func cutTorn(f *os.File) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	old := info.Size()
	buf := make([]byte, 64<<10)
	for size = old; size > 0; {
		n := min(int64(len(buf)), size)
		if _, err := f.ReadAt(buf[:n], size-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			size += int64(i) + 1 - n
			break
		}
		size -= n
	}
	if size == old {
		return size, nil
	}
	return size, f.Truncate(size)
}

// SaveRun writes run.json in dir atomically and sets the schema version.
func SaveRun(dir string, r *Run) error {
	stamped := *r
	stamped.Schema = Schema
	b, err := json.MarshalIndent(&stamped, "", "  ")
	if err != nil {
		return fmt.Errorf("%s of study %s cannot be written: %w", RunFile, r.Study, err)
	}
	return files.Write(filepath.Join(dir, RunFile), append(b, '\n'))
}

// Load reads the run in dir: run.json and the records so far. A last line that
// a crash cut short is skipped, and repeated records of a sample are dropped,
// both with a warning in Run.Warnings. Any other malformed line is an error
// that names the line. Unknown keys are ignored; unknown schema versions and
// wrong types are errors. Without run.json the error is *NoRun.
func Load(dir string) (*Run, []Record, error) {
	run, err := loadRun(filepath.Join(dir, RunFile))
	if err != nil {
		return nil, nil, err
	}
	records, torn, err := loadRecords(filepath.Join(dir, RecordsFile))
	if err != nil {
		return nil, nil, err
	}
	warn := func(format string, args ...any) {
		if w := fmt.Sprintf(RecordsFile+": "+format, args...); !slices.Contains(run.Warnings, w) {
			run.Warnings = append(run.Warnings, w)
		}
	}
	if torn > 0 {
		warn("the last line was cut short by a crash (%d bytes) and is left out", torn)
	}
	records, repeats := once(records)
	addTextLengths(records)
	if repeats > 0 {
		warn("%d lines hold a sample that is recorded more than once: its first line counts", repeats)
	}
	return run, records, nil
}

// NoRun is the error of a folder that holds no run.
type NoRun struct{ Dir string }

// Error implements error.
func (e *NoRun) Error() string {
	return fmt.Sprintf("%s holds no run: there is no %s in it", e.Dir, RunFile)
}

func loadRun(path string) (*Run, error) {
	f, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NoRun{filepath.Dir(path)}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRun+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxRun {
		return nil, fmt.Errorf("%s is larger than %d bytes: not a run of this program", path, maxRun)
	}
	var run Run
	if err := json.Unmarshal(b, &run); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch run.Schema {
	case 1:
		err = upgradeRun(&run, b)
	case Schema:
	default:
		err = fmt.Errorf("schema version %d, this program reads 1 to %d", run.Schema, Schema)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &run, nil
}

// loadRecords returns the records of the file at path (none if it does not
// exist yet) and the length of an unfinished last line.
func loadRecords(path string) (records []Record, torn int, err error) {
	f, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	total := 0
	for n := 1; ; n++ {
		line, err := readLine(in)
		if err == io.EOF {
			return records, len(line), nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if total += len(line); total > maxRecords {
			return nil, 0, fmt.Errorf("%s is larger than %d bytes: split the study into several runs", path, maxRecords)
		}
		r, err := parse(line)
		if err != nil {
			return nil, 0, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		records = append(records, r)
	}
}

// readLine returns the next line with its newline, or the rest with io.EOF.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("line longer than %d bytes", maxLine)
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

func parse(line []byte) (Record, error) {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return Record{}, fmt.Errorf("not a record: %w", err)
	}
	var r Record
	var err error
	switch head.Schema {
	case 1:
		r, err = upgrade(line)
	case Schema:
		err = json.Unmarshal(line, &r)
	default:
		return r, fmt.Errorf("schema version %d, this program reads 1 to %d", head.Schema, Schema)
	}
	if err != nil {
		return r, fmt.Errorf("not a record: %w", err)
	}
	return r, r.check()
}

// check refuses keys, values and series that cannot be used.
func (r *Record) check() error {
	for k, v := range r.Keys {
		switch v.(type) {
		case string, float64, bool:
		default:
			return fmt.Errorf("key %.40q holds neither a text, a number nor a truth value", k)
		}
	}
	seen := map[string]bool{}
	for _, v := range r.Values {
		if v.Name == "" || seen[v.Name] {
			return fmt.Errorf("the quantity %.40q is there twice, or has no name", v.Name)
		}
		seen[v.Name] = true
	}
	for _, s := range r.Samples {
		if len(s.X) != 0 && len(s.X) != len(s.Y) {
			return fmt.Errorf("the series %.40q has %d places and %d values", s.Name, len(s.X), len(s.Y))
		}
	}
	return nil
}
