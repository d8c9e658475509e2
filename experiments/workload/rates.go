package workload

import (
	"fmt"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// Rates are learning rates: the same for all arms, or by label or architecture.
// Several of an arm are swept on an equal budget and the best is used.
type Rates struct {
	All []float64
	By  map[string][]float64
}

// UnmarshalYAML reads a number, a list of numbers, or a mapping from names to
// either.
func (r *Rates) UnmarshalYAML(n ast.Node) (err error) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		r.All, err = rates(n)
		return err
	}
	r.By = map[string][]float64{}
	for _, pair := range m.Values {
		if r.By[pair.Key.GetToken().Value], err = rates(pair.Value); err != nil {
			return err
		}
	}
	return nil
}

// rates reads numbers; "2e-3" is text to YAML.
func rates(n ast.Node) ([]float64, error) {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	var out []float64
	for _, v := range nodes {
		x, err := strconv.ParseFloat(v.GetToken().Value, 64)
		if err != nil || !(x > 0 && x <= 1) {
			return nil, fmt.Errorf("line %d: lr: %v is not a learning rate between 0 and 1", v.GetToken().Position.Line, v)
		}
		out = append(out, x)
	}
	return out, nil
}

// MarshalYAML writes what UnmarshalYAML reads.
func (r Rates) MarshalYAML() (any, error) {
	if r.By != nil {
		return r.By, nil
	}
	return r.All, nil
}

// IsZero tells that no rate is given.
func (r Rates) IsZero() bool { return r.All == nil && r.By == nil }

// Of are the rates of an arm.
func (r Rates) Of(label, arch string) []float64 {
	if v, ok := r.By[label]; ok {
		return v
	}
	if v, ok := r.By[arch]; ok {
		return v
	}
	return r.All
}
