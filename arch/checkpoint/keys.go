package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"

	"workbench/arch/files"
)

// A rule says how a key that describes a model in its file is handled. A key
// without a rule is refused by name, because it could change what the model
// computes.
type rule struct {
	applied bool   // read by name, and applied
	is      string // the setting that it repeats, known from the tensors
	only    []any  // the values that this program supports
	why     string // reason why no value changes a logit
}

// applied is the rule of a key that is read by its name.
var applied = rule{applied: true}

func is(setting string) rule { return rule{is: setting} }

func only(values ...any) rule { return rule{only: values} }

// harmless is the rule of a key that changes no logit, with the reason.
func harmless(why string) rule { return rule{why: why} }

// description holds the description of a model in its file, beside the tensors: nil,
// bool, float64, string, []any and map[string]any by key.
type description struct {
	from   string // prefix of a key in messages: "FILE: " or "llama."
	values map[string]any
}

// has reports whether a key has a value other than null.
func (s description) has(key string) bool { return s.values[key] != nil }

// check checks every key against the rules, and repeated settings against those
// known from the tensors.
func (s description) check(rules map[string]rule, config map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		v := s.values[key]
		r, known := rules[key]
		switch {
		case v == nil || r.applied || r.why != "":
		case !known:
			return fmt.Errorf("%s%.60s is %.40s, which this program does not know and which may change what the model computes: take the key away if it does not",
				s.from, key, show(v))
		case r.is != "":
			if told, ok := config[r.is]; ok && show(told) != show(v) {
				return fmt.Errorf("%s%s is %.40s, the tensors say %s %v", s.from, key, show(v), r.is, told)
			}
		case !slices.ContainsFunc(r.only, func(o any) bool { return show(o) == show(v) }):
			want := "null"
			if len(r.only) > 0 {
				want = show(r.only[0])
			}
			return fmt.Errorf("%s%s %.40s is not supported, only %s", s.from, key, show(v), want)
		}
	}
	return nil
}

// show returns a value as JSON, in which numbers of different types compare
// equal.
func show(v any) string {
	if x, ok := v.(float64); ok {
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			v = int64(x)
		} else {
			return strconv.FormatFloat(x, 'g', -1, 64)
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// number returns the value of a key, or otherwise where there is none.
func (s description) number(key string, otherwise float64) (float64, error) {
	v := s.values[key]
	if v == nil {
		return otherwise, nil
	}
	x, ok := v.(float64)
	if !ok {
		return 0, fmt.Errorf("%s%s is %.40s and should be a number", s.from, key, show(v))
	}
	return x, nil
}

// count is number for an integer from 0 on.
func (s description) count(key string, otherwise int) (int, error) {
	x, err := s.number(key, float64(otherwise))
	if err == nil && !(x >= 0 && x <= 1<<24 && x == float64(int(x))) {
		err = fmt.Errorf("%s%s is %v: not a model", s.from, key, x)
	}
	return int(x), err
}

// boolean returns the value of a boolean key.
func (s description) boolean(key string, otherwise bool) (bool, error) {
	v := s.values[key]
	if v == nil {
		return otherwise, nil
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%s%s is %.40s and should be true or false", s.from, key, show(v))
	}
	return b, nil
}

// text returns the value of a string key.
func (s description) text(key, otherwise string) (string, error) {
	v := s.values[key]
	if v == nil {
		return otherwise, nil
	}
	t, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s%s is %.40s and should be a string", s.from, key, show(v))
	}
	return t, nil
}

// maxJSON is the size limit of a JSON file beside a model.
const maxJSON = 16 << 20

// readDescription reads a JSON object from a file; a missing file gives an empty one.
func readDescription(path string) (description, error) {
	s := description{from: path + ": "}
	b, err := files.Read(path, maxJSON)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return s, err
	}
	if err := json.Unmarshal(b, &s.values); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
