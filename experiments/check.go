package experiments

import (
	"maps"
	"regexp"
	"slices"

	"workbench/experiments/corpus"
	"workbench/experiments/workload"
)

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// normalise makes a study without parts its own only part, hands the parts
// what the study gives for all, and checks names.
func (s *Study) normalise() error {
	if !namePattern.MatchString(s.Name) {
		return faultf(at("name"), "name %q: a study's name is made of small letters, digits and -", s.Name)
	}
	switch {
	case len(s.Parts) == 0:
		s.Parts = []Part{{Name: s.Name, Title: s.Title, Arch: s.Arch, Match: s.Match, Measure: s.Measure}}
	case s.Arch != nil || s.Measure != nil || s.Match != 0:
		return faultf(at("parts"), "a study with parts has no arch, measure or match of its own: give them in the parts")
	}
	s.Arch, s.Measure, s.Match = nil, nil, 0
	seen := map[string]bool{}
	for i := range s.Parts {
		p := &s.Parts[i]
		p.index = i
		if !namePattern.MatchString(p.Name) || seen[p.Name] {
			return faultf(at("parts", i, "name"), "part %q: every part has a name of its own, of small letters, digits and -", p.Name)
		}
		seen[p.Name] = true
		p.Seeds = firstOf(p.Seeds, s.Seeds, 3)
		p.Corpus = firstOf(p.Corpus, s.Corpus, corpus.Default)
		p.Title = firstOf(p.Title, p.Name)
	}
	s.Seeds, s.Corpus = 0, ""
	for _, name := range slices.Sorted(maps.Keys(s.Profiles)) {
		for _, part := range slices.Sorted(maps.Keys(s.Profiles[name])) {
			if !seen[part] {
				return faultf(at("profiles", name, part), "profile %s: there is no part %q", name, part)
			}
		}
	}
	return nil
}

// check holds the study, as it is and with every profile of its own, against
// itself: sizes that go together, names of models, slots, learning rates and
// what the claims are about. It builds no model of the study.
func (s *Study) check() error {
	have := map[string]*facts{}
	for _, p := range s.Parts {
		have[p.Name] = newFacts()
	}
	for _, profile := range append([]string{""}, slices.Sorted(maps.Keys(s.Profiles))...) {
		v, err := s.variant(profile)
		if err != nil {
			return err
		}
		for i := range v.Parts {
			p := &v.Parts[i]
			place := func(err error) error { return s.doc.inPart(profile, p, err) }
			if err := p.complete(); err != nil {
				return place(err)
			}
			if err := have[p.Name].add(p, place); err != nil {
				return place(err)
			}
		}
	}
	for _, p := range s.Parts {
		if err := have[p.Name].checkLater(); err != nil {
			return err
		}
	}
	return s.checkClaims(have)
}

// facts is what a part has, in the study as it is or with any profile.
type facts struct {
	labels map[string]string                     // to architecture
	points map[string][]float64                  // positions, by timed workload
	yields map[string]map[string]map[string]bool // labels of models, by whole workload and quantity
	later  []func(arms []workload.Arm) error
}

func newFacts() *facts {
	return &facts{labels: map[string]string{}, points: map[string][]float64{}, yields: map[string]map[string]map[string]bool{}}
}

// add adds what a part has. The faults that all profiles together decide get
// their place for later.
func (f *facts) add(p *Part, place func(error) error) error {
	combos, err := p.combinations()
	if err != nil {
		return err
	}
	var arms []workload.Arm
	for _, c := range combos {
		f.labels[c.label] = c.use
		arms = append(arms, workload.Arm{Label: c.label, Arch: c.use, Corpus: p.Corpus})
	}
	for _, g := range p.groups(nil) {
		for _, point := range g.points {
			f.points[g.workload.Name] = append(f.points[g.workload.Name], float64(point))
		}
	}
	for _, s := range p.Measure {
		whole, ok := s.(workload.Whole)
		if !ok {
			continue
		}
		name := workload.Of(s).Name
		if f.yields[name] == nil {
			f.yields[name] = map[string]map[string]bool{}
		}
		for _, a := range arms {
			for _, q := range whole.Yields(a) {
				if f.yields[name][q] == nil {
					f.yields[name][q] = map[string]bool{}
				}
				f.yields[name][q][a.Label] = true
			}
			if _, err := whole.Cells(a, []uint64{1}); err != nil {
				return p.fault(s, err)
			}
		}
		f.later = append(f.later, func(arms []workload.Arm) error {
			if err := whole.Check(arms); err != nil {
				return place(p.fault(s, err))
			}
			return nil
		})
	}
	return nil
}

// checkLater refuses names in settings of what the part never has.
func (f *facts) checkLater() error {
	var arms []workload.Arm
	for _, label := range slices.Sorted(maps.Keys(f.labels)) {
		arms = append(arms, workload.Arm{Label: label, Arch: f.labels[label]})
	}
	for _, check := range f.later {
		if err := check(arms); err != nil {
			return err
		}
	}
	return nil
}
