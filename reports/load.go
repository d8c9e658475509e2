package reports

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"workbench/experiments/record"
)

// A view is what a report knows: the run and its records, every string made
// safe to show, in the order of the files.
type view struct {
	run   record.Run
	all   []record.Record
	arms  []string // of the whole run; the position is the colour
	parts []*partView
	notes []string // found while reading: mixed samples, learning rates

	quantities map[string]record.Quantity // of all records, by name
	names      []string                   // of the quantities, in the records' order
}

// A partView is one part with its successful records.
type partView struct {
	record.Part
	slug    string
	records []*record.Record
	placebo []*record.Record // of the baseline's second process, no arm
	view    *view
	index   map[string]int // arm -> position in view.arms
	tuned   bool           // some arm tried several learning rates

	quantities map[string]record.Quantity // of its records, by name
	families   map[[2]string]*family      // by workload and quantity
}

func load(dir string) (*view, error) {
	run, recs, err := record.Load(dir)
	if err != nil {
		return nil, err
	}
	return newView(*run, recs), nil
}

func newView(run record.Run, recs []record.Record) *view {
	v := &view{run: run, all: slices.Clone(recs)}
	cleanStrings(reflect.ValueOf(&v.run).Elem(), "")
	for i := range v.all {
		cleanStrings(reflect.ValueOf(&v.all[i]).Elem(), "")
	}
	var records []*record.Record
	for i := range v.all {
		records = append(records, &v.all[i])
	}
	v.quantities, v.names = quantitiesOf(records)
	v.nameWorkloads()
	v.shortenArms()
	v.sortIntoParts()
	for _, part := range v.parts {
		part.quantities, _ = quantitiesOf(part.records)
		v.notes = append(v.notes, part.keepBestRates()...)
		v.notes = append(v.notes, part.mixedKeys()...)
	}
	return v
}

// cleanStrings replaces every string under v by its clean form.
func cleanStrings(v reflect.Value, field string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(clean(v.String(), field == "StudyYAML"))
	case reflect.Pointer:
		if !v.IsNil() {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(v.Elem())
			cleanStrings(p.Elem(), field)
			v.Set(p)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); v.IsNil() || k >= reflect.Bool && k <= reflect.Float64 {
			return
		}
		s := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(s, v)
		for i := range s.Len() {
			cleanStrings(s.Index(i), field)
		}
		v.Set(s)
	case reflect.Map:
		if v.IsNil() {
			return
		}
		m := reflect.MakeMapWithSize(v.Type(), v.Len())
		for _, k := range sortedKeys(v) {
			nk, nv := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			nk.Set(k)
			nv.Set(v.MapIndex(k))
			cleanStrings(nk, field)
			cleanStrings(nv, field)
			m.SetMapIndex(nk, nv)
		}
		v.Set(m)
	case reflect.Interface:
		if s, ok := v.Interface().(string); ok {
			v.Set(reflect.ValueOf(clean(s, false)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type().Field(i).Type.PkgPath() != "time" {
				cleanStrings(v.Field(i), v.Type().Field(i).Name)
			}
		}
	}
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	return keys
}

// armRunes is the length to which names are cut.
const armRunes = 60

// shortenArms cuts long part names and labels everywhere alike, keeping
// different ones different.
func (v *view) shortenArms() {
	names, used := map[string]string{}, map[string]bool{}
	fix := func(s *string) {
		if len([]rune(*s)) <= armRunes {
			return
		}
		n, ok := names[*s]
		for i := 1; !ok; i++ {
			n = shorten(*s, armRunes)
			if i > 1 {
				n = fmt.Sprintf("%s~%d", n, i)
			}
			ok = !used[n]
		}
		names[*s], used[n] = n, true
		*s = n
	}
	for i := range v.run.Parts {
		p := &v.run.Parts[i]
		fix(&p.Name)
		fix(&p.Baseline)
		fix(&p.Placebo)
		for j := range p.Arms {
			fix(&p.Arms[j])
		}
	}
	for i := range v.run.Cells {
		fix(&v.run.Cells[i].Part)
		fix(&v.run.Cells[i].Arm)
	}
	for i := range v.run.Claims {
		for j := range v.run.Claims[i].Rules {
			r := &v.run.Claims[i].Rules[j]
			fix(&r.Part)
			fix(&r.Arch)
			fix(&r.Than)
			if c := r.Control; c != nil {
				fix(&c.Part)
				fix(&c.Arch)
				fix(&c.Than)
			}
		}
	}
	for i := range v.all {
		for _, key := range []string{record.KeyPart, record.KeyArm} {
			if s, ok := v.all[i].Keys[key].(string); ok {
				fix(&s)
				v.all[i].Keys[key] = s
			}
		}
	}
}

// sortIntoParts sorts the records into the run's parts; records of a part or with a
// label that the run does not name are shown after those it does.
func (v *view) sortIntoParts() {
	byName := map[string]*partView{}
	slugs := map[string]bool{}
	add := func(p record.Part) *partView {
		if part := byName[p.Name]; part != nil {
			return part
		}
		p.Arms = slices.Clone(p.Arms)
		part := &partView{Part: p, view: v, slug: uniqueSlug(p.Name, slugs), index: map[string]int{}, families: map[[2]string]*family{}}
		byName[p.Name] = part
		v.parts = append(v.parts, part)
		return part
	}
	for _, p := range v.run.Parts {
		add(p)
	}
	for i := range v.all {
		r := &v.all[i]
		name, arm := r.Text(record.KeyPart), r.Text(record.KeyArm)
		part := byName[name]
		if part == nil {
			part = add(record.Part{Name: name, Title: name})
		}
		if part.isPlacebo(r) {
			if r.Error == "" {
				part.placebo = append(part.placebo, r)
			}
			continue
		}
		if !slices.Contains(part.Arms, arm) {
			part.Arms = append(part.Arms, arm)
		}
		if r.Error == "" {
			part.records = append(part.records, r)
		}
	}
	for _, part := range v.parts {
		for _, a := range part.Arms {
			if !slices.Contains(v.arms, a) {
				v.arms = append(v.arms, a)
			}
			part.index[a] = slices.Index(v.arms, a)
		}
		if !slices.Contains(part.Arms, part.Baseline) && len(part.Arms) > 0 {
			part.Baseline = part.Arms[0]
		}
		if part.Title == "" {
			part.Title = part.Name
		}
	}
}

func (v *view) part(name string) *partView {
	for _, part := range v.parts {
		if part.Name == name {
			return part
		}
	}
	return nil
}

// recordsOf lists the successful records of an arm and workload.
func (part *partView) recordsOf(arm, workload string) []*record.Record {
	var out []*record.Record
	for _, r := range part.records {
		if r.Text(record.KeyArm) == arm && r.Text(record.KeyWorkload) == workload {
			out = append(out, r)
		}
	}
	return out
}

// isPlacebo tells whether a record is of the baseline's second process.
func (part *partView) isPlacebo(r *record.Record) bool {
	return r.Keys[record.KeyPlacebo] == true || part.Placebo != "" && r.Text(record.KeyArm) == part.Placebo
}

// inWorkload lists the successful records of a workload.
func (part *partView) inWorkload(workload string) []*record.Record {
	return withWorkload(part.records, workload)
}

// placeboIn lists those of the baseline's second process.
func (part *partView) placeboIn(workload string) []*record.Record {
	return withWorkload(part.placebo, workload)
}

func withWorkload(records []*record.Record, workload string) []*record.Record {
	var out []*record.Record
	for _, r := range records {
		if r.Text(record.KeyWorkload) == workload {
			out = append(out, r)
		}
	}
	return out
}

func (part *partView) has(workload string) bool {
	return slices.ContainsFunc(part.records, func(r *record.Record) bool { return r.Text(record.KeyWorkload) == workload })
}

// workloads are those of the run that the part has records of.
func (part *partView) workloads() []record.Workload {
	return slices.DeleteFunc(slices.Clone(part.view.run.Workloads), func(w record.Workload) bool { return !part.has(w.Name) })
}

// mixedKeys names every key that varies among samples which the report would put
// into one point: those of one arm, workload and position on its axis. Seeds and
// blocks are repetitions.
func (part *partView) mixedKeys() []string {
	type point struct {
		arm, workload string
		x             float64
	}
	points := map[point][]*record.Record{}
	for _, r := range part.records {
		workload := r.Text(record.KeyWorkload)
		at := point{r.Text(record.KeyArm), workload, position(r, part.view.axisKey(workload))}
		points[at] = append(points[at], r)
	}
	found := map[string]bool{}
	for at, records := range points {
		values := map[string]map[string]bool{} // by key
		for _, r := range records {
			for k := range r.Keys {
				values[k] = map[string]bool{}
			}
		}
		for _, k := range []string{record.KeySeed, record.KeyBlock, record.KeySlot} {
			delete(values, k)
		}
		for k, seen := range values {
			for _, r := range records {
				seen[orNA(r.Text(k), r.Keys[k] != nil)] = true
			}
			if len(seen) > 1 {
				found[fmt.Sprintf("%s, %s, %s: %s varies (%s) among samples shown as one point.", part.Title, at.arm, at.workload, k, strings.Join(sortedSet(seen), ", "))] = true
			}
		}
	}
	return sortedSet(found)
}

func sortedSet(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// A hole is a planned cell without a usable record, or one that failed in part.
type hole struct{ part, arm, workload, what, reason string }

// holes compares the plan with the records, in the plan's order; failures that
// the plan does not know come last.
func (v *view) holes() []hole {
	good, errs := map[string]int{}, map[string][]string{}
	planned := map[string]bool{}
	for _, r := range v.all {
		if r.Error == "" {
			good[r.Cell]++
		} else if !slices.Contains(errs[r.Cell], r.Error) {
			errs[r.Cell] = append(errs[r.Cell], r.Error)
		}
	}
	var out []hole
	for _, c := range v.run.Cells {
		planned[c.ID] = true
		why := strings.Join(errs[c.ID], "; ")
		switch {
		case why == "" && good[c.ID] > 0:
			continue
		case why == "":
			why = "no record: the run did not come to it"
		case good[c.ID] > 0:
			why = fmt.Sprintf("%s (%s kept)", why, count(good[c.ID], "sample"))
		}
		out = append(out, hole{c.Part, c.Arm, c.Workload, c.What, why})
	}
	for _, r := range v.all {
		if r.Error != "" && !planned[r.Cell] {
			planned[r.Cell] = true
			out = append(out, hole{r.Text(record.KeyPart), r.Text(record.KeyArm), r.Text(record.KeyWorkload), "not in the plan", strings.Join(errs[r.Cell], "; ")})
		}
	}
	return out
}
