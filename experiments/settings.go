package experiments

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"workbench/arch/settings"
	"workbench/experiments/workload"
)

// set applies one setting of the command line: "seeds=5", "phase.key=v1,v2" of
// every part that measures the phase, or "key=v1,v2" of every architecture
// that has the key.
func (s *Study) set(given string) error {
	key, value, ok := strings.Cut(given, "=")
	if !ok || key == "" || value == "" {
		return fmt.Errorf("setting %q is not key=value", given)
	}
	values := strings.Split(value, ",")
	phase, field, dotted := strings.Cut(key, ".")
	switch {
	case dotted:
		return s.setPhase(given, phase, field, values)
	case key == "seeds":
		n, err := strconv.Atoi(value)
		for i := range s.Parts {
			s.Parts[i].Seeds = n
		}
		if err != nil || n < 1 || n > maxSeeds {
			return fmt.Errorf("setting %q: the number of seeds is a whole number from 1 to %d", given, maxSeeds)
		}
		return nil
	}
	return s.setAxis(given, key, values)
}

// setPhase reads the setting as a profile would be read.
func (s *Study) setPhase(given, phase, field string, values []string) error {
	w := workload.Find(phase)
	if w == nil {
		return fmt.Errorf("setting %q: there is no phase %q (known: %s)", given, phase, workload.Names())
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
		return fmt.Errorf("setting %q: %s has no setting %q (known: %s)", given, phase, field, strings.Join(known, ", "))
	}
	var over Override
	doc := fmt.Sprintf("%s: {%s: %s}", phase, field, text)
	if _, err := decodeStrict("--set", doc, &over); err != nil {
		return fmt.Errorf("setting %q: %s", given, strings.TrimPrefix(err.Error(), "--set:1: "))
	}
	found := false
	for i := range s.Parts {
		if s.Parts[i].Measure.index(w) >= 0 {
			s.Parts[i].apply(&over)
			found = true
		}
	}
	if !found {
		return fmt.Errorf("setting %q: no part measures %s", given, phase)
	}
	return nil
}

// setAxis gives an axis of the models other values.
func (s *Study) setAxis(given, key string, values []string) error {
	axis := Axis{Key: key}
	for _, v := range values {
		pair, err := settings.Parse(key + "=" + v)
		if err != nil {
			return err
		}
		if slices.Contains(axis.Values, pair[key]) {
			return fmt.Errorf("setting %q: %v stands in the list twice", given, pair[key])
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
		return fmt.Errorf("setting %q: no architecture of study %s has a setting %q", given, s.Name, key)
	}
	return nil
}

// has tells whether every architecture that a uses knows the setting.
func (a Arch) has(key string) bool {
	for _, use := range a.Axes[0].Values {
		if !(combination{use: fmt.Sprint(use)}).has(key) {
			return false
		}
	}
	return true
}
