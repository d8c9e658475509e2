package experiments

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"workbench/arch/files"
	"workbench/experiments/record"
)

// resume takes up the run in dir. The records decide what is left: a timed
// group whose cells have the samples that were planned, and a job with a record,
// stay; all else is measured again.
func (r *runner) resume(dir string) (err error) {
	r.dir = dir
	switch info, err := os.Stat(dir); {
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("it is no folder: name the folder of a run")
	}
	if r.folder, err = files.Claim(dir, "workbench run --resume"); err != nil {
		return err
	}
	if err := r.load(); err != nil {
		r.folder.Release()
		return err
	}
	return nil
}

func (r *runner) load() error {
	run, records, err := record.Load(r.dir)
	if errors.As(err, new(*record.NoRun)) {
		return fmt.Errorf("it ended before its plan was written: start it again with --out %s", r.dir)
	}
	if err != nil {
		return err
	}
	planned := run.Cells
	r.run, r.threads = *run, firstOf(min(max(0, run.Threads), maxThreads), r.threads)
	r.run.Warnings = slices.DeleteFunc(r.run.Warnings, func(w string) bool { return strings.Contains(w, record.RecordsFile) })
	if r.study, err = read(record.RunFile, run.StudyYAML); err != nil {
		return err
	}
	for i := range r.study.Parts {
		if err := r.study.Parts[i].complete(); err != nil {
			return r.study.doc.locate(r.study.doc.inPart("", &r.study.Parts[i], err))
		}
	}
	r.study.source = ""
	jobs, err := r.plan()
	if err != nil {
		return err
	}
	if !slices.Equal(planned, r.run.Cells) {
		return fmt.Errorf("this version of the program plans other cells than %s holds: start a new run", record.RunFile)
	}
	kept, unknown := r.keepFinished(records)
	if r.jobs = r.pending(jobs); r.run.Finished != nil && r.complete() {
		return nil
	}
	r.run.Finished = nil
	if unknown > 0 {
		r.run.Warnings = append(r.run.Warnings, fmt.Sprintf("%d records of cells that are not in the plan were left out when the run was resumed", unknown))
	}
	if len(records) == 0 {
		r.progress.Say("%s holds a plan and no record: the run starts anew", r.dir)
	} else {
		r.progress.Say("%s: %d of %d records are kept, the rest is measured", r.dir, len(kept), len(records))
	}
	return rewrite(filepath.Join(r.dir, record.RecordsFile), kept)
}

// maxThreads bounds what is read from a file.
const maxThreads = 1 << 12

// keepFinished takes the finished groups out of r.groups and returns the
// records of all that is finished, and how many belong to no planned cell.
func (r *runner) keepFinished(records []record.Record) (kept []record.Record, unknown int) {
	rounds := map[string]map[int]bool{} // of samples, by cell
	for i := range records {
		rec := &records[i]
		if rounds[rec.Cell] == nil {
			rounds[rec.Cell] = map[int]bool{}
		}
		if round, _ := rec.Key(record.KeyBlock); rec.Error == "" {
			rounds[rec.Cell][int(round)] = true
		}
	}
	r.groups = slices.DeleteFunc(r.groups, func(g *timedGroup) bool {
		if !r.finished(g, rounds) {
			r.forget(g)
			return false
		}
		for _, c := range g.cells() {
			r.have[c.ID] = true
		}
		return true
	})
	planned := map[string]string{} // workloads, by cell
	for _, c := range r.run.Cells {
		planned[c.ID] = c.Workload
		if isWhole(c.Workload) {
			r.have[c.ID] = len(rounds[c.ID]) > 0
		}
	}
	for _, rec := range records {
		switch {
		case planned[rec.Cell] == "" || planned[rec.Cell] != rec.Text(record.KeyWorkload):
			unknown++
		case rec.Error == "" && r.have[rec.Cell]:
			kept = append(kept, rec)
		}
	}
	return kept, unknown
}

// finished tells that every cell of a group has a sample of every round.
func (r *runner) finished(g *timedGroup, rounds map[string]map[int]bool) bool {
	i := slices.IndexFunc(r.run.Groups, g.is)
	if i < 0 {
		// Note: runs of earlier versions have no plans; a finished one is taken at its word.
		return r.run.Groups == nil && r.run.Finished != nil
	}
	p := r.run.Groups[i]
	for _, point := range p.Points {
		for _, a := range g.arms {
			for round := range p.Rounds {
				if !rounds[g.id(a, point)][round] {
					return false
				}
			}
		}
	}
	return len(p.Points) > 0 && p.Rounds > 0
}

// forget takes away what the run says of a group that is measured again.
func (r *runner) forget(g *timedGroup) {
	r.run.Groups = slices.DeleteFunc(r.run.Groups, g.is)
	r.run.Cuts = slices.DeleteFunc(r.run.Cuts, func(cut string) bool { return strings.HasPrefix(cut, g.cutName()) })
}

// rewrite makes the file at path hold the records alone.
func rewrite(path string, records []record.Record) error {
	return files.Create(path, func(w io.Writer) error {
		for i := range records {
			line, err := records[i].MarshalLine()
			if err != nil {
				return err
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
}

// sources tells which program measured: the commit it was built from and the
// hash of the binary.
func sources(exe string) map[string]string {
	out := map[string]string{"go": runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				out["commit"] = s.Value
			case "vcs.modified":
				out["dirty"] = strconv.FormatBool(s.Value == "true")
			}
		}
	}
	if f, err := os.Open(exe); err == nil {
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err == nil {
			out["binary_sha256"] = hex.EncodeToString(h.Sum(nil))
		}
	}
	return out
}
