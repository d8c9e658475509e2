package experiments

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"workbench/experiments/workload"
)

// Measure is what a part measures: the settings of workloads, in the order in
// which they are measured. In a study file it is a mapping from the names of
// workloads to their settings.
type Measure []workload.Settings

// UnmarshalYAML reads a mapping.
func (m *Measure) UnmarshalYAML(n ast.Node) error {
	mapping, ok := n.(*ast.MappingNode)
	if !ok {
		return fmt.Errorf("line %d: measure is written {WORKLOAD: {key: value, …}, …}", line(n))
	}
	for _, pair := range mapping.Values {
		w := workload.Find(pair.Key.GetToken().Value)
		if w == nil {
			return fmt.Errorf("line %d: unknown workload %q (known: %s)", line(pair.Key), pair.Key.GetToken().Value, workload.Names())
		}
		s := w.Blank()
		if err := yaml.NodeToValue(pair.Value, s, yaml.Strict()); err != nil {
			return err
		}
		*m = append(*m, s)
	}
	m.sort()
	return nil
}

// MarshalYAML writes what UnmarshalYAML reads.
func (m Measure) MarshalYAML() (any, error) {
	var out yaml.MapSlice
	for _, s := range m {
		out = append(out, yaml.MapItem{Key: workload.Of(s).Name, Value: s})
	}
	return out, nil
}

// sort brings the workloads into the order of the registry.
func (m Measure) sort() {
	all := workload.All()
	slices.SortFunc(m, func(a, b workload.Settings) int {
		return slices.Index(all, workload.Of(a)) - slices.Index(all, workload.Of(b))
	})
}

// index is where the settings of a workload are, -1 where it is not measured.
func (m Measure) index(w *workload.Workload) int {
	return slices.IndexFunc(m, func(s workload.Settings) bool { return workload.Of(s) == w })
}

// with is m with the settings that over gives in place of its own.
func (m Measure) with(over Measure) Measure {
	m = slices.Clone(m)
	for _, s := range over {
		if i := m.index(workload.Of(s)); i >= 0 {
			m[i] = workload.Merge(m[i], s)
		} else {
			m = append(m, s)
		}
	}
	m.sort()
	return m
}

// complete fills in what the study leaves open and refuses settings that do not
// go together.
func (p *Part) complete() error {
	if len(p.Measure) == 0 {
		return faultf(at("measure"), "part %s: nothing is measured", p.Name)
	}
	m := slices.Clone(p.Measure)
	for i, s := range m {
		m[i] = workload.Merge(workload.Of(s).Defaults(), s)
		if err := m[i].Complete(); err != nil {
			return p.fault(s, err)
		}
	}
	p.Measure = m
	return nil
}

// fault is what is wrong with the settings of a workload, and where.
func (p *Part) fault(s workload.Settings, err error) error {
	w := workload.Of(s)
	path := at("measure", w.Name)
	var f *workload.Fault
	if errors.As(err, &f) {
		path = append(path, f.Path...)
	}
	return faultf(path, "part %s: %s: %v", p.Name, w.Name, err)
}

// An Override is what a profile changes in a part: every setting it gives
// replaces that of the part. The workloads stand beside the other keys.
type Override struct {
	overrideKeys
	Measure Measure
}

type overrideKeys struct {
	Drop   bool   `yaml:"drop,omitempty"` // leave the part out
	Corpus string `yaml:"corpus,omitempty"`
	Seeds  int    `yaml:"seeds,omitempty"`
	Arch   []Arch `yaml:"arch,omitempty"`
}

// UnmarshalYAML reads a mapping.
func (o *Override) UnmarshalYAML(n ast.Node) error {
	mapping, ok := n.(*ast.MappingNode)
	if !ok {
		return fmt.Errorf("line %d: a profile is written {PART: {key: value, …}, …}", line(n))
	}
	own, measured := *mapping, *mapping
	own.Values, measured.Values = nil, nil
	for _, pair := range mapping.Values {
		if workload.Find(pair.Key.GetToken().Value) != nil {
			measured.Values = append(measured.Values, pair)
		} else {
			own.Values = append(own.Values, pair)
		}
	}
	if err := yaml.NodeToValue(&own, &o.overrideKeys, yaml.Strict()); err != nil {
		return err
	}
	return o.Measure.UnmarshalYAML(&measured)
}
