package experiments

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"workbench/arch"
	"workbench/arch/settings"
	"workbench/experiments/workload"
)

// An arm is one model of a part.
type arm struct {
	Label  string
	Arch   string
	Config map[string]any // fully resolved

	placebo        bool // the baseline once more
	params, nonEmb int
	outline        *arch.Outline
}

// maxArms bounds the combinations of axes in a part.
const maxArms = 64

// arms outlines every model of a part, which reads tokens below vocab, so that
// wrong settings and unequal sizes show before anything is measured.
func (p *Part) arms(vocab int) ([]arm, error) {
	combos, err := p.combinations()
	if err != nil {
		return nil, err
	}
	var out []arm
	for _, c := range combos {
		if c.config["vocab"] == nil && c.has("vocab") {
			c.config = maps.Clone(c.config)
			c.config["vocab"] = vocab
		}
		m, err := build(c)
		if err != nil {
			return nil, &fault{line: c.line, text: fmt.Sprintf("part %s: %v", p.Name, err)}
		}
		if V, ok := m.Config["vocab"].(float64); ok && int(V) < vocab {
			return nil, &fault{line: c.line, text: fmt.Sprintf("part %s: vocab: %v is less than the %d tokens of corpus %s: leave it out", p.Name, V, vocab, p.Corpus)}
		}
		out = append(out, m)
	}
	p.Baseline = firstOf(p.Baseline, out[0].Label)
	return out, p.checkMatch(out)
}

// combinations expands the axes of a part.
func (p *Part) combinations() ([]combination, error) {
	var out []combination
	labels := map[string]bool{}
	for _, a := range p.Arch {
		for _, c := range a.combinations() {
			switch err := c.known(); {
			case len(out) == maxArms:
				return nil, &fault{line: a.line, text: fmt.Sprintf("part %s: more than %d models", p.Name, maxArms)}
			case err != nil:
				return nil, &fault{line: a.line, text: fmt.Sprintf("part %s: %v", p.Name, err)}
			case labels[c.label]:
				return nil, &fault{line: a.line, text: fmt.Sprintf("part %s: two models are called %q: give each a label", p.Name, c.label)}
			}
			labels[c.label] = true
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, faultf(at("arch"), "part %s: no arch is given", p.Name)
	}
	if p.Baseline != "" && !labels[p.Baseline] {
		return nil, faultf(at("baseline"), "part %s: the baseline %q is none of its models: %s", p.Name, p.Baseline, sortedList(labels))
	}
	return out, nil
}

// sortedList names the keys of a set.
func sortedList[V any](set map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
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
		return faultf(at("match"), "part %s: the models differ by more than %g %% in parameters without embeddings: %s",
			p.Name, 100*p.Match, strings.Join(sizes, ", "))
	}
	return nil
}

// combination is one value for every axis.
type combination struct {
	label  string
	use    string
	config map[string]any
	line   int // of the arch
}

// has tells whether the architecture has a setting.
func (c combination) has(key string) bool {
	return slices.ContainsFunc(arch.Options(c.use), func(o settings.Option) bool { return o.Key == key })
}

// known refuses architectures and settings that do not exist.
func (c combination) known() error {
	options := arch.Options(c.use)
	if options == nil {
		return fmt.Errorf("unknown architecture %q (known: %s)", c.use, strings.Join(arch.Names(), ", "))
	}
	var keys []string
	for _, o := range options {
		keys = append(keys, o.Key)
	}
	for _, key := range slices.Sorted(maps.Keys(c.config)) {
		if !slices.Contains(keys, key) {
			return fmt.Errorf("%s has no setting %q (known: %s)", c.use, key, strings.Join(keys, ", "))
		}
	}
	return nil
}

// combinations are all choices of one value an axis, the last varying fastest.
func (a Arch) combinations() []combination {
	combos := []combination{{label: a.Label, config: map[string]any{}, line: a.line}}
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

// in is the arm as the workloads of a part see it.
func (a arm) in(p *Part) workload.Arm {
	return workload.Arm{Label: a.Label, Arch: a.Arch, Corpus: p.Corpus, Params: a.params}
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
	p.Measure = p.Measure.with(o.Measure)
}

// profileNames are the profiles every study has.
var profileNames = []string{"smoke", "quick", "full"}

// resolve is the study as it is executed: with the profile, the settings of
// the command line and all defaults applied.
func (s *Study) resolve(o Options) (*Study, error) {
	if s.Profiles[o.Profile] == nil && !slices.Contains(profileNames, o.Profile) {
		known := append(slices.Sorted(maps.Keys(s.Profiles)), profileNames...)
		return nil, fmt.Errorf("study %s has no profile %q (known: %s)", s.Name, o.Profile, strings.Join(known, ", "))
	}
	r, err := s.variant(o.Profile)
	if err != nil {
		return nil, err
	}
	for _, set := range o.Set {
		if err := r.set(set); err != nil {
			return nil, err
		}
	}
	for i := range r.Parts {
		p := &r.Parts[i]
		p.Corpus = firstOf(o.Corpus, p.Corpus)
		if err := p.complete(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	r.Profiles, r.source = nil, ""
	return r, nil
}

// variant is a copy of the study with a profile applied.
func (s *Study) variant(profile string) (*Study, error) {
	r, err := read(s.doc.file, s.YAML())
	if err != nil {
		return nil, err
	}
	over := r.Profiles[profile]
	for i := range r.Parts {
		r.Parts[i].apply(over[r.Parts[i].Name])
	}
	r.Parts = slices.DeleteFunc(r.Parts, func(p Part) bool { return over[p.Name] != nil && over[p.Name].Drop })
	return r, nil
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
