package experiments

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// progressFile is what a run remembers beside its records, to be resumed.
type progressFile struct {
	Threads int      `json:"threads"`
	Groups  []string `json:"groups"` // timing groups measured without a failure
}

const progressName = "progress.json"

func (p progressFile) save(dir string) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return files.Write(filepath.Join(dir, progressName), append(b, '\n'))
}

// load takes up the run in dir: its finished groups and cells stay, the
// records of others are dropped.
func (r *runner) load(dir string) error {
	run, records, err := record.Load(dir)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(dir, progressName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		if err := json.Unmarshal(b, &r.done); err != nil {
			return fmt.Errorf("%s: %w", progressName, err)
		}
	}
	r.run, r.dir, r.threads = *run, dir, firstOf(max(0, r.done.Threads), r.threads)
	r.run.Warnings = slices.DeleteFunc(r.run.Warnings, func(w string) bool { return strings.Contains(w, record.RecordsFile) })
	if r.study, err = Parse(record.RunFile, run.StudyYAML); err != nil {
		return err
	}
	r.study.source = ""
	if err := r.expand(); err != nil {
		return err
	}
	if r.run.Finished != nil && !slices.ContainsFunc(records, func(rec record.Record) bool { return rec.Error != "" }) {
		return errors.New("the run is finished")
	}
	r.run.Finished = nil
	return r.drop(records)
}

// drop rewrites the records without those that will be measured again.
func (r *runner) drop(records []record.Record) error {
	var kept bytes.Buffer
	for i := range records {
		rec := &records[i]
		timed := rec.Phase != phaseQuality && rec.Phase != phaseCheck
		if rec.Error != "" || timed && !slices.Contains(r.done.Groups, rec.Part+"/"+rec.Phase) {
			continue
		}
		line, err := rec.MarshalLine()
		if err != nil {
			return err
		}
		kept.Write(line)
		r.have[rec.Cell] = true
	}
	r.run.Cuts = slices.DeleteFunc(r.run.Cuts, func(cut string) bool {
		return !slices.ContainsFunc(r.done.Groups, func(g string) bool {
			return strings.HasPrefix(cut, strings.Replace(g, "/", ", ", 1)+": ")
		})
	})
	return files.Write(filepath.Join(r.dir, record.RecordsFile), kept.Bytes())
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
