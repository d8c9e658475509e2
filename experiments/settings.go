package experiments

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"workbench/arch"
)

// defaults fills in what the study leaves open.
func (m *Measure) defaults() {
	if d := m.Decode; d != nil {
		m.Decode = merge(&Decode{Depth: []int{256, 512, 1024, 2048}, Tokens: 16, Rounds: 8, Batch: 1, SampleMS: 100}, d)
	}
	if p := m.Prefill; p != nil {
		m.Prefill = merge(&Prefill{Tokens: 1024, Chunk: []int{1, 16, 256, 0}, Rounds: 8, Batch: 1, SampleMS: 100}, p)
		for i, c := range m.Prefill.Chunk {
			if c == 0 || c > m.Prefill.Tokens {
				m.Prefill.Chunk[i] = m.Prefill.Tokens
			}
		}
		m.Prefill.Chunk = rising(m.Prefill.Chunk)
	}
	if t := m.Train; t != nil {
		m.Train = merge(&Train{Context: []int{64, 128, 256, 512}, BatchTokens: 2048, Rounds: 8, SampleMS: 100}, t)
		m.Train.Context = rising(m.Train.Context)
	}
	if m.Decode != nil {
		m.Decode.Depth = rising(m.Decode.Depth)
	}
	if q := m.Quality; q != nil {
		m.Quality = merge(&Quality{Steps: 300, Batch: 16, Context: 128, EvalTokens: 65536}, q)
		m.Quality.EvalEvery = firstOf(m.Quality.EvalEvery, max(1, m.Quality.Steps/6))
	}
}

func rising(v []int) []int { return slices.Compact(slices.Sorted(slices.Values(v))) }

// set applies one setting of the command line: "seeds=5", "phase.key=v1,v2" of
// every part that measures the phase, or "key=v1,v2" of every architecture
// that has the key.
func (s *Study) set(setting string) error {
	key, value, ok := strings.Cut(setting, "=")
	if !ok || key == "" || value == "" {
		return fmt.Errorf("setting %q is not key=value", setting)
	}
	values := strings.Split(value, ",")
	phase, field, dotted := strings.Cut(key, ".")
	switch {
	case dotted:
		return s.setPhase(setting, phase, field, values)
	case key == "seeds":
		n, err := strconv.Atoi(value)
		for i := range s.Parts {
			s.Parts[i].Seeds = n
		}
		if err != nil || n < 1 || n > maxSeeds {
			return fmt.Errorf("setting %q: the number of seeds is a whole number from 1 to %d", setting, maxSeeds)
		}
		return nil
	}
	return s.setAxis(setting, key, values)
}

// setPhase reads the setting as a profile would be read.
func (s *Study) setPhase(setting, phase, field string, values []string) error {
	t, ok := reflect.TypeFor[Measure](), false
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == phase && t.Field(i).Type.Kind() == reflect.Pointer {
			t, ok = t.Field(i).Type.Elem(), true
			break
		}
	}
	if !ok {
		return fmt.Errorf("setting %q: there is no phase %q (known: decode, prefill, train, quality)", setting, phase)
	}
	var known []string
	text := ""
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		known = append(known, name)
		switch {
		case name != field:
		case t.Field(i).Type.Kind() == reflect.Slice:
			text = "[" + strings.Join(values, ", ") + "]"
		default:
			text = strings.Join(values, ",")
		}
	}
	if text == "" {
		return fmt.Errorf("setting %q: %s has no setting %q (known: %s)", setting, phase, field, strings.Join(known, ", "))
	}
	var over Override
	doc := fmt.Sprintf("%s: {%s: %s}", phase, field, text)
	if _, err := decodeStrict("--set", doc, &over); err != nil {
		return fmt.Errorf("setting %q: %s", setting, strings.TrimPrefix(err.Error(), "--set:1: "))
	}
	found := false
	for i := range s.Parts {
		m := s.Parts[i].Measure
		has := map[string]bool{"decode": m.Decode != nil, "prefill": m.Prefill != nil, "train": m.Train != nil, "quality": m.Quality != nil}
		if has[phase] {
			s.Parts[i].apply(&over)
			found = true
		}
	}
	if !found {
		return fmt.Errorf("setting %q: no part measures %s", setting, phase)
	}
	return nil
}

// setAxis gives an axis of the models other values.
func (s *Study) setAxis(setting, key string, values []string) error {
	axis := Axis{Key: key}
	for _, v := range values {
		pair, err := arch.ParseSet(key + "=" + v)
		if err != nil {
			return err
		}
		if slices.Contains(axis.Values, pair[key]) {
			return fmt.Errorf("setting %q: %v stands in the list twice", setting, pair[key])
		}
		axis.Values = append(axis.Values, pair[key])
	}
	found := false
	for i := range s.Parts {
		for j := range s.Parts[i].Arch {
			a := &s.Parts[i].Arch[j]
			if !a.has(key) {
				continue
			}
			found = true
			if k := slices.IndexFunc(a.Axes, func(x Axis) bool { return x.Key == key }); k >= 0 {
				a.Axes[k] = axis
			} else {
				a.Axes = append(a.Axes, axis)
			}
		}
	}
	if !found {
		return fmt.Errorf("setting %q: no architecture of study %s has a setting %q", setting, s.Name, key)
	}
	return nil
}

// has tells whether every architecture that a uses knows the setting.
func (a Arch) has(key string) bool {
	for _, use := range a.Axes[0].Values {
		if !slices.ContainsFunc(arch.Options(fmt.Sprint(use)), func(o arch.Option) bool { return o.Key == key }) {
			return false
		}
	}
	return true
}
