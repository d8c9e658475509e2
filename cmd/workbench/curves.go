package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"workbench/experiments/corpus"
	"workbench/experiments/record"
	"workbench/reports"
)

// drawCurves draws the training runs of folders in one picture, in the first.
// Runs that differ in their seed alone are repetitions.
func drawCurves(dirs, formats []string, out output) error {
	formats = slices.DeleteFunc(slices.Clone(formats), func(f string) bool { return f != "png" && f != "svg" }) // the page and the tables are those of studies
	if len(formats) == 0 {
		return usageError{errors.New("training runs are drawn as png or svg")}
	}
	var runs []record.Record
	var settings [][]setting
	for _, dir := range dirs {
		j, err := readJob(dir)
		if err != nil {
			return err
		}
		r, err := curveRecord(dir, j)
		if err != nil {
			return err
		}
		own, err := j.settings()
		if err != nil {
			return err
		}
		runs, settings = append(runs, r), append(settings, own)
	}
	for i, label := range labels(settings) {
		runs[i].Keys[record.KeyArm] = label
	}
	for _, format := range formats {
		path, notes, err := reports.Curves(dirs[0], format, runs)
		if err != nil {
			return err
		}
		if format == formats[0] {
			for _, n := range notes {
				fmt.Fprintln(out.stderr, n)
			}
		}
		if _, err := fmt.Fprintln(out.stdout, path); err != nil {
			return err
		}
	}
	return nil
}

// curveRecord is the held-out loss of a training as a study records it, but by
// steps, as the log has it.
func curveRecord(dir string, j *trainJob) (record.Record, error) {
	q := corpus.BitsPerByte
	s := record.Series{Name: q.Name, Title: q.Title, Unit: q.Unit, Axis: "training", AxisUnit: "optimiser steps"}
	err := eachLogLine(dir, func(_ []byte, l logLine) error {
		if l.Step != nil && l.ValBPB != nil {
			s.X, s.Y = append(s.X, float64(*l.Step)), append(s.Y, *l.ValBPB)
		}
		return nil
	})
	return record.Record{Cell: dir, Keys: map[string]any{record.KeySeed: j.Plan.Seed}, Samples: []record.Series{s}}, err
}

// A setting is one thing that makes a run what it is.
type setting struct {
	name, text string // text is what a label shows
	is         string // what is compared, "": the text
	// follows tells that it comes from others mostly: a label shows it where
	// these are the same.
	follows bool
}

func (s setting) value() string { return cmp.Or(s.is, s.text) }

// settings is everything that decides what a run learns, but for its seed; the
// architecture is first.
func (j *trainJob) settings() ([]setting, error) {
	list := []setting{{name: "arch", text: j.Arch}}
	for _, key := range slices.Sorted(maps.Keys(j.Config)) {
		list = append(list, setting{name: "config " + key, text: fmt.Sprintf("%s=%v", key, j.Config[key]), follows: key == "vocab"})
	}
	var names, sums []string
	for _, t := range j.Corpora {
		names, sums = append(names, filepath.Base(t.Name)), append(sums, t.SHA256)
	}
	texts := strings.Join(sums, "+")
	list = append(list,
		setting{name: "corpus", text: "corpus " + strings.Join(names, "+"), is: texts},
		setting{name: "text", text: fmt.Sprintf("text sha256 %.8s", texts), is: texts, follows: true},
		setting{name: "tokenizer", text: "tokenizer " + filepath.Base(j.Tokenizer), is: j.TokenizerSHA256},
		setting{name: "vocabulary", text: fmt.Sprintf("vocabulary sha256 %.8s", j.TokenizerSHA256), is: j.TokenizerSHA256, follows: true},
		setting{name: "documents", text: fmt.Sprintf("documents %q", j.Documents)},
		setting{name: "held-out", text: fmt.Sprintf("held-out %v", j.HeldOut)})
	b, err := json.Marshal(j.Plan)
	if err != nil {
		return nil, err
	}
	var plan map[string]any
	if err := json.Unmarshal(b, &plan); err != nil {
		return nil, err
	}
	delete(plan, "Seed")
	delete(plan, "Recompute") // the same weights with and without
	for _, field := range slices.Sorted(maps.Keys(plan)) {
		list = append(list, setting{name: field, text: fmt.Sprintf("%s %v", flagName(field), plan[field]), follows: field == "Warmup" || field == "MinLR"})
	}
	return list, nil
}

// flagName is the flag of a field of the plan: min-lr of MinLR.
func flagName(field string) string {
	var b strings.Builder
	small := false // the letter before
	for _, r := range strings.ReplaceAll(field, "Eval", "Val") {
		if unicode.IsUpper(r) && small {
			b.WriteByte('-')
		}
		small = unicode.IsLower(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// labels names runs by their architecture and what differs between them: runs
// of the same settings have the same label, and others another.
func labels(runs [][]setting) []string {
	shown := map[string]bool{"arch": true}
	show := func(names []string) {
		for _, name := range names {
			shown[name] = true
		}
	}
	label := func(run []setting) string {
		var words []string
		for _, s := range run {
			if shown[s.name] {
				words = append(words, s.text)
			}
		}
		return strings.Join(words, " ")
	}
	for i, a := range runs {
		for _, b := range runs[:i] {
			show(differing(a, b, false))
		}
	}
	for i, a := range runs {
		for _, b := range runs[:i] {
			if label(a) == label(b) {
				show(differing(a, b, true))
			}
		}
	}
	var list []string
	for _, run := range runs {
		list = append(list, label(run))
	}
	return list
}

// differing is the settings that both runs have, and not alike.
func differing(a, b []setting, follows bool) (names []string) {
	for _, x := range a {
		for _, y := range b {
			if x.name == y.name && x.follows == follows && x.value() != y.value() && x.text != y.text {
				names = append(names, x.name)
			}
		}
	}
	return names
}
