package experiments

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"workbench/arch"
	"workbench/arch/nn"
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
		p := Part{Name: s.Name, Title: s.Title, Arch: s.Arch, Match: s.Match}
		if s.Measure != nil {
			p.Measure = *s.Measure
		}
		s.Parts = []Part{p}
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
		p.Corpus = firstOf(p.Corpus, s.Corpus, "go")
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
			p.Measure.defaults()
			place := func(err error) error { return s.doc.place(profile, p, err) }
			if err := p.check(); err != nil {
				return place(err)
			}
			if err := have[p.Name].add(p, place); err != nil {
				return place(err)
			}
		}
	}
	for _, p := range s.Parts {
		if err := have[p.Name].checkNames(); err != nil {
			return err
		}
	}
	return s.checkClaims(have)
}

// check refuses settings of a part that do not go together.
func (p *Part) check() error {
	m := p.Measure
	if m.Decode == nil && m.Prefill == nil && m.Train == nil && m.Quality == nil && m.Check == nil {
		return faultf(at("measure"), "nothing is measured")
	}
	if t := m.Train; t != nil {
		for _, c := range t.Context {
			if c > t.BatchTokens {
				return faultf(at("measure", "train", "context"), "train: context: %d is not between 1 and %d, the tokens of a batch", c, t.BatchTokens)
			}
		}
	}
	if m.Check != nil {
		if err := m.checks().Complete(); err != nil {
			return faultf(at("measure", "check"), "check: %v", err)
		}
	}
	if m.Quality == nil {
		return nil
	}
	names := map[string]bool{}
	for i, probe := range m.Quality.Probes {
		path := at("measure", "quality", "probes", i)
		if probe.Name == "" || len(probe.Slots) == 0 || len(probe.Every) == 0 {
			return faultf(path, "quality: a probe has a name, slots and every")
		}
		if names[probe.Name] {
			return faultf(path, "quality: two probes are called %q", probe.Name)
		}
		names[probe.Name] = true
	}
	return nil
}

// slotsOf are the names of an architecture's state slots, without the layer;
// none where its defaults alone make no model.
func slotsOf(use string) []string {
	m, _, err := arch.Empty(use, nil)
	if err != nil {
		return nil
	}
	var out []string
	nn.WalkState(m.NewState(1), func(name string, _ *nn.Tensor) {
		out = append(out, name, name[strings.LastIndex(name, ".")+1:])
	})
	return out
}

// A name is what a part refers to, with the fault where it has nothing of the
// kind.
type name struct {
	text  string
	fault error
}

// facts is what a part has, in the study as it is or with any profile.
type facts struct {
	labels map[string]string    // to architecture
	axis   map[string][]float64 // positions by phase; quality and check have none
	checks map[string]bool
	probes map[string]bool // NAME/EVERY
	long   bool            // positions beyond the training context are evaluated

	rates, slots []name // that the part names
}

func newFacts() *facts {
	return &facts{labels: map[string]string{}, axis: map[string][]float64{}, checks: map[string]bool{}, probes: map[string]bool{}}
}

// add adds what a part has. The faults that it keeps for later get their place.
func (f *facts) add(p *Part, place func(error) error) error {
	combos, err := p.combinations()
	if err != nil {
		return err
	}
	for _, c := range combos {
		f.labels[c.label] = c.use
	}
	m := p.Measure
	for _, g := range p.groups(nil) {
		for _, point := range g.points {
			f.axis[g.workload.Name] = append(f.axis[g.workload.Name], float64(point))
		}
	}
	for _, c := range m.Check {
		f.checks[c], f.axis[phaseCheck] = true, nil
	}
	if m.Quality == nil {
		return nil
	}
	f.axis[phaseQuality] = nil
	f.long = f.long || m.Quality.LongContext > 1
	for i, probe := range m.Quality.Probes {
		for _, every := range probe.Every {
			f.probes[fmt.Sprintf("%s/%d", probe.Name, every)] = true
		}
		for key, slots := range map[string][]string{"slots": probe.Slots, "than": probe.Than} {
			for _, slot := range slots {
				why := faultf(at("measure", "quality", "probes", i, key), "quality: probes: no model of part %s has a state slot %q", p.Name, slot)
				f.slots = append(f.slots, name{slot, place(why)})
			}
		}
	}
	path := at("measure", "quality", "lr")
	for label := range m.Quality.LR.By {
		why := faultf(append(path, label), "part %s: quality: lr: there is no model or architecture %q", p.Name, label)
		f.rates = append(f.rates, name{label, place(why)})
	}
	for _, c := range combos {
		if len(m.Quality.LR.Of(c.label, c.use)) == 0 {
			return faultf(path, "part %s: quality: lr: no learning rate for %q", p.Name, c.label)
		}
	}
	return nil
}

// checkNames refuses learning rates and slots of what the part never has.
func (f *facts) checkNames() error {
	known, slots := map[string]bool{}, map[string]bool{}
	for _, use := range f.labels {
		if len(f.slots) > 0 && !known[use] {
			for _, slot := range slotsOf(use) {
				slots[slot] = true
			}
		}
		known[use] = true
	}
	for label := range f.labels {
		known[label] = true
	}
	for _, n := range f.rates {
		if !known[n.text] {
			return fmt.Errorf("%w (there are: %s)", n.fault, sortedList(known))
		}
	}
	for _, n := range f.slots {
		if !slots[n.text] {
			return n.fault
		}
	}
	return nil
}
