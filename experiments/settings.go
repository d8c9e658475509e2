package experiments

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"workbench/arch"
	"workbench/experiments/workload"
)

// defaults fills in what the study leaves open.
func (m *Measure) defaults() {
	m.Decode, m.Prefill, m.Train, m.Quality = completed(m.Decode), completed(m.Prefill), completed(m.Train), completed(m.Quality)
}

// completed are settings over the defaults of their workload, nil for nil.
func completed[T any, S interface {
	*T
	workload.Settings
}](s S) S {
	if s == nil {
		return nil
	}
	out := workload.Merge(workload.Of(s).New(), s).(S)
	out.Complete()
	return out
}

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
	w := workload.Find(phase)
	if w == nil {
		return fmt.Errorf("setting %q: there is no phase %q (known: %s)", setting, phase, workload.Names())
	}
	var known []string
	text := ""
	for _, o := range w.Options() {
		known = append(known, o.Key)
		switch {
		case o.Key != field:
		case reflect.TypeOf(o.Default).Kind() == reflect.Slice:
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
