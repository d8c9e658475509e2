package experiments

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"workbench/arch"
)

// An arm is one model of a part.
type arm struct {
	Label  string
	Arch   string
	Config map[string]any // fully resolved

	params, nonEmb int
	outline        *arch.Outline
}

// maxArms bounds the combinations of axes in a part.
const maxArms = 64

// arms expands the axes of a part and outlines every model, so that wrong
// settings and unequal sizes show before anything is measured.
func (p *Part) arms() ([]arm, error) {
	var out []arm
	for _, a := range p.Arch {
		for _, combo := range a.combinations() {
			if len(out) == maxArms {
				return nil, fmt.Errorf("part %s: more than %d models", p.Name, maxArms)
			}
			m, err := build(combo)
			if err != nil {
				return nil, fmt.Errorf("line %d: part %s: %w", a.line, p.Name, err)
			}
			if slices.ContainsFunc(out, func(o arm) bool { return o.Label == m.Label }) {
				return nil, fmt.Errorf("line %d: part %s: two models are called %q: give each a label", a.line, p.Name, m.Label)
			}
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("part %s: no arch is given", p.Name)
	}
	if p.Baseline == "" {
		p.Baseline = out[0].Label
	}
	if !slices.ContainsFunc(out, func(o arm) bool { return o.Label == p.Baseline }) {
		return nil, fmt.Errorf("part %s: the baseline %q is none of its models", p.Name, p.Baseline)
	}
	return out, p.checkMatch(out)
}

// checkMatch holds the sizes of the arms against the part's match.
func (p *Part) checkMatch(arms []arm) error {
	if p.Match == 0 {
		return nil
	}
	var sizes []string
	least, most := arms[0].nonEmb, arms[0].nonEmb
	for _, a := range arms {
		least, most = min(least, a.nonEmb), max(most, a.nonEmb)
		sizes = append(sizes, fmt.Sprintf("%s %d", a.Label, a.nonEmb))
	}
	if float64(most-least) > p.Match*float64(least) {
		return fmt.Errorf("part %s: the models differ by more than %g %% in parameters without embeddings: %s",
			p.Name, 100*p.Match, strings.Join(sizes, ", "))
	}
	return nil
}

// combination is one value for every axis.
type combination struct {
	label  string
	use    string
	config map[string]any
}

// combinations are all choices of one value an axis, the last varying fastest.
func (a Arch) combinations() []combination {
	combos := []combination{{label: a.Label, config: map[string]any{}}}
	for _, x := range a.Axes {
		var next []combination
		for _, c := range combos {
			for _, v := range x.Values {
				next = append(next, c.with(x, v))
			}
		}
		if combos = next; len(combos) > maxArms {
			break
		}
	}
	return combos
}

// with is c with the value v on axis x.
func (c combination) with(x Axis, v any) combination {
	if x.Key == "use" {
		c.use = fmt.Sprint(v)
		if c.label == "" {
			c.label = c.use
		} else if len(x.Values) > 1 {
			c.label += " " + c.use
		}
		return c
	}
	c.config = maps.Clone(c.config)
	c.config[x.Key] = v
	if len(x.Values) > 1 {
		c.label += fmt.Sprintf(" %s=%v", x.Key, v)
	}
	return c
}

// build counts the parameters of a combination.
func build(c combination) (arm, error) {
	o, err := arch.NewOutline(c.use, c.config)
	if err != nil {
		return arm{}, err
	}
	a := arm{Label: c.label, Arch: c.use, Config: o.Config, outline: o}
	a.params, a.nonEmb = o.Params()
	return a, nil
}

// merge lays the settings that over gives over those of base.
func merge[T any](base, over *T) *T {
	switch {
	case over == nil:
		return base
	case base == nil:
		base = new(T)
	}
	out := *base
	v, o := reflect.ValueOf(&out).Elem(), reflect.ValueOf(over).Elem()
	for i := range v.NumField() {
		if !o.Field(i).IsZero() {
			v.Field(i).Set(o.Field(i))
		}
	}
	return &out
}

// apply changes p as o says.
func (p *Part) apply(o *Override) {
	if o == nil {
		return
	}
	if o.Corpus != "" {
		p.Corpus = o.Corpus
	}
	if o.Seeds != 0 {
		p.Seeds = o.Seeds
	}
	if o.Arch != nil {
		p.Arch = o.Arch
	}
	if o.Check != nil {
		p.Measure.Check = o.Check
	}
	p.Measure.Decode = merge(p.Measure.Decode, o.Decode)
	p.Measure.Prefill = merge(p.Measure.Prefill, o.Prefill)
	p.Measure.Train = merge(p.Measure.Train, o.Train)
	p.Measure.Quality = merge(p.Measure.Quality, o.Quality)
}

// profileNames are the profiles every study has.
var profileNames = []string{"smoke", "quick", "full"}

// resolve is the study as it is executed: with the profile, the settings of
// the command line and all defaults applied.
func (s *Study) resolve(o Options) (*Study, error) {
	r, err := Parse(s.Name+".yaml", s.YAML())
	if err != nil {
		return nil, err
	}
	profile, ok := r.Profiles[o.Profile]
	if !ok && !slices.Contains(profileNames, o.Profile) {
		known := append(slices.Sorted(maps.Keys(r.Profiles)), profileNames...)
		return nil, fmt.Errorf("study %s has no profile %q (known: %s)", s.Name, o.Profile, strings.Join(known, ", "))
	}
	for i := range r.Parts {
		r.Parts[i].apply(profile[r.Parts[i].Name])
	}
	r.Parts = slices.DeleteFunc(r.Parts, func(p Part) bool {
		over := profile[p.Name]
		return over != nil && over.Drop
	})
	r.Profiles, r.source = nil, ""
	for _, set := range o.Set {
		if err := r.set(set); err != nil {
			return nil, err
		}
	}
	for i := range r.Parts {
		if o.Corpus != "" {
			r.Parts[i].Corpus = o.Corpus
		}
		r.Parts[i].Measure.defaults()
		if err := r.Parts[i].check(); err != nil {
			return nil, fmt.Errorf("%s: part %s: %w", s.Name, r.Parts[i].Name, err)
		}
	}
	return r, nil
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// normalise makes a study without parts its own only part, hands the parts
// what the study gives for all, and checks names and references.
func (s *Study) normalise() error {
	if !namePattern.MatchString(s.Name) {
		return fmt.Errorf("name %q: a study's name is made of small letters, digits and -", s.Name)
	}
	switch {
	case len(s.Parts) == 0:
		p := Part{Name: s.Name, Title: s.Title, Arch: s.Arch, Match: s.Match}
		if s.Measure != nil {
			p.Measure = *s.Measure
		}
		s.Parts = []Part{p}
	case s.Arch != nil || s.Measure != nil || s.Match != 0:
		return errors.New("a study with parts has no arch, measure or match of its own: give them in the parts")
	}
	s.Arch, s.Measure, s.Match = nil, nil, 0
	seen := map[string]bool{}
	for i := range s.Parts {
		p := &s.Parts[i]
		if !namePattern.MatchString(p.Name) || seen[p.Name] {
			return fmt.Errorf("part %q: every part has a name of its own, of small letters, digits and -", p.Name)
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
				return fmt.Errorf("profile %s: there is no part %q", name, part)
			}
		}
	}
	return s.checkClaims(seen)
}

// checkClaims refuses rules about parts that do not exist.
func (s *Study) checkClaims(parts map[string]bool) error {
	ids := map[string]bool{}
	for _, c := range s.Claims {
		if c.ID == "" || ids[c.ID] {
			return fmt.Errorf("claim %q: every claim has an id of its own", c.ID)
		}
		ids[c.ID] = true
		for _, r := range c.Rules {
			switch {
			case !slices.Contains([]string{"slope", "ratio", "difference", "check"}, r.Kind):
				return fmt.Errorf("claim %s: unknown kind of rule %q (known: slope, ratio, difference, check)", c.ID, r.Kind)
			case !parts[r.Part]:
				return fmt.Errorf("claim %s: there is no part %q", c.ID, r.Part)
			case r.Below == nil && r.Above == nil:
				return fmt.Errorf("claim %s: a rule has a threshold, below or above", c.ID)
			}
		}
	}
	return nil
}

// firstOf is the first value given.
func firstOf[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}
