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
	run    record.Run
	all    []record.Record
	labels []string // of the whole run; the position is the colour
	groups []*group
	notes  []string // found while reading: mixed samples, learning rates
}

// A group is one part with its successful records.
type group struct {
	record.Part
	slug    string
	records []*record.Record
	index   map[string]int // label -> position in view.labels
	prompt  int            // tokens of the prefilled text
	tuned   bool           // some label tried several learning rates
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
	v.shortenLabels()
	v.group()
	for _, g := range v.groups {
		v.notes = append(v.notes, g.bestLR()...)
		v.notes = append(v.notes, g.mixed()...)
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

// labelRunes is the length to which names are cut.
const labelRunes = 60

// shortenLabels cuts long part names and labels everywhere alike, keeping
// different ones different.
func (v *view) shortenLabels() {
	names, used := map[string]string{}, map[string]bool{}
	fix := func(s *string) {
		if len([]rune(*s)) <= labelRunes {
			return
		}
		n, ok := names[*s]
		for i := 1; !ok; i++ {
			n = shorten(*s, labelRunes)
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
		for j := range p.Labels {
			fix(&p.Labels[j])
		}
	}
	for i := range v.run.Cells {
		fix(&v.run.Cells[i].Part)
		fix(&v.run.Cells[i].Label)
	}
	for i := range v.run.Claims {
		for j := range v.run.Claims[i].Rules {
			r := &v.run.Claims[i].Rules[j]
			fix(&r.Part)
			fix(&r.Arch)
			fix(&r.Than)
		}
	}
	for i := range v.all {
		fix(&v.all[i].Part)
		fix(&v.all[i].Label)
	}
}

// group sorts the records into the run's parts; records of a part or with a
// label that the run does not name are shown after those it does.
func (v *view) group() {
	byName := map[string]*group{}
	slugs := map[string]bool{}
	add := func(p record.Part) *group {
		if g := byName[p.Name]; g != nil {
			return g
		}
		p.Labels = slices.Clone(p.Labels)
		g := &group{Part: p, slug: uniqueSlug(p.Name, slugs), index: map[string]int{}}
		byName[p.Name] = g
		v.groups = append(v.groups, g)
		return g
	}
	for _, p := range v.run.Parts {
		add(p)
	}
	for i := range v.all {
		r := &v.all[i]
		g := byName[r.Part]
		if g == nil {
			g = add(record.Part{Name: r.Part, Title: r.Part})
		}
		if !slices.Contains(g.Labels, r.Label) {
			g.Labels = append(g.Labels, r.Label)
		}
		if r.Error == "" {
			g.records = append(g.records, r)
		}
	}
	for _, g := range v.groups {
		for _, l := range g.Labels {
			if !slices.Contains(v.labels, l) {
				v.labels = append(v.labels, l)
			}
			g.index[l] = slices.Index(v.labels, l)
		}
		g.prompt = g.promptLength()
		if !slices.Contains(g.Labels, g.Baseline) && len(g.Labels) > 0 {
			g.Baseline = g.Labels[0]
		}
		if g.Title == "" {
			g.Title = g.Name
		}
	}
}

func (v *view) part(name string) *group {
	for _, g := range v.groups {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// where lists the successful records of a label and phase.
func (g *group) where(label, phase string) []*record.Record {
	var out []*record.Record
	for _, r := range g.records {
		if r.Label == label && r.Phase == phase {
			out = append(out, r)
		}
	}
	return out
}

// of lists the successful records of a phase.
func (g *group) of(phase string) []*record.Record {
	var out []*record.Record
	for _, r := range g.records {
		if r.Phase == phase {
			out = append(out, r)
		}
	}
	return out
}

func (g *group) has(phase string) bool {
	return slices.ContainsFunc(g.records, func(r *record.Record) bool { return r.Phase == phase })
}

// bestLR keeps, for every label whose quality runs tried several learning
// rates, those of the best mean, and says so.
func (g *group) bestLR() []string {
	var notes []string
	for _, label := range g.Labels {
		sum, n := map[float64]float64{}, map[float64]float64{}
		for _, r := range g.where(label, "quality") {
			if r.Quality != nil {
				sum[r.Quality.LR] += r.Quality.ValBPB
				n[r.Quality.LR]++
			}
		}
		if len(sum) < 2 {
			continue
		}
		g.tuned = true
		best, rates := 0.0, []string{}
		lrs := make([]float64, 0, len(sum))
		for lr := range sum {
			lrs = append(lrs, lr)
		}
		slices.Sort(lrs)
		for i, lr := range lrs {
			rates = append(rates, fmt.Sprint(lr))
			if i == 0 || sum[lr]/n[lr] < sum[best]/n[best] {
				best = lr
			}
		}
		g.records = slices.DeleteFunc(g.records, func(r *record.Record) bool {
			return r.Label == label && r.Phase == "quality" && r.Quality != nil && r.Quality.LR != best
		})
		notes = append(notes, fmt.Sprintf("%s, %s: of the learning rates %s the one with the lowest mean, %g, is shown.",
			g.Title, label, list(rates), best))
	}
	return notes
}

// mixed names every setting that varies among samples which the report would
// put into one point.
func (g *group) mixed() []string {
	type point struct {
		label, phase string
		x            float64
	}
	seen := map[point]map[string]map[string]bool{}
	for _, r := range g.records {
		at := point{r.Label, r.Phase, g.position(r, defaultAxis(r.Phase))}
		if seen[at] == nil {
			seen[at] = map[string]map[string]bool{}
		}
		for k, val := range map[string]string{"batch": fmt.Sprint(r.Batch), "threads": fmt.Sprint(r.Threads),
			"kernels": r.Impl, "depth": fmt.Sprint(r.Depth), "context": fmt.Sprint(r.Context)} {
			if seen[at][k] == nil {
				seen[at][k] = map[string]bool{}
			}
			seen[at][k][val] = true
		}
	}
	found := map[string]bool{}
	for at, keys := range seen {
		for k, vals := range keys {
			if len(vals) > 1 && at.phase != "check" {
				found[fmt.Sprintf("%s, %s, %s: %s varies (%s) among samples shown as one point.",
					g.Title, at.label, at.phase, k, strings.Join(sortedSet(vals), ", "))] = true
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
type hole struct{ part, label, phase, what, reason string }

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
		out = append(out, hole{c.Part, c.Label, c.Phase, c.What, why})
	}
	for _, r := range v.all {
		if r.Error != "" && !planned[r.Cell] {
			planned[r.Cell] = true
			out = append(out, hole{r.Part, r.Label, r.Phase, "not in the plan", strings.Join(errs[r.Cell], "; ")})
		}
	}
	return out
}
