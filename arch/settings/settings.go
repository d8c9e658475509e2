// Package settings reads the settings of architectures and tasks: flat structs
// whose fields carry `json:"key" doc:"..."`, those with named values also
// `values:"a,b"`.
package settings

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// An Option is one key of a struct of settings.
type Option struct {
	Key     string   `json:"key"`
	Default any      `json:"default"`
	Values  []string `json:"values,omitempty"` // the allowed ones, where they are named
	Doc     string   `json:"doc"`
}

// Options lists the keys of a struct of defaults.
func Options(defaults any, docs ...map[string]string) []Option {
	var opts []Option
	v := reflect.ValueOf(defaults)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		o := Option{Key: f.Tag.Get("json"), Default: v.Field(i).Interface(), Doc: f.Tag.Get("doc")}
		for i := 0; i < len(docs) && o.Doc == ""; i++ {
			o.Doc = docs[i][o.Key]
		}
		if values := f.Tag.Get("values"); values != "" {
			o.Values = strings.Split(values, ",")
		}
		opts = append(opts, o)
	}
	return opts
}

// Resolve lays values over the defaults, strictly: a key or a value that does
// not exist is an error that begins with name.
func Resolve[C any](name string, defaults C, config map[string]any) (C, error) {
	v := reflect.New(reflect.TypeOf(defaults)).Elem()
	v.Set(reflect.ValueOf(defaults))
	opts := Options(defaults)
	keys := make([]string, 0, len(config))
	for key := range config {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		i := slices.IndexFunc(opts, func(o Option) bool { return o.Key == key })
		if i < 0 {
			var known []string
			for _, o := range opts {
				known = append(known, o.Key)
			}
			return defaults, fmt.Errorf("%s has no setting %q (known: %s)", name, key, strings.Join(known, ", "))
		}
		if err := set(v.Field(i), config[key], opts[i]); err != nil {
			return defaults, fmt.Errorf("%s: %s: %w", name, key, err)
		}
	}
	return v.Interface().(C), nil
}

// maxSize bounds every number of a configuration.
const maxSize = 1 << 24

// set assigns a value as JSON, YAML or the command line gives it.
func set(field reflect.Value, value any, o Option) error {
	switch field.Kind() {
	case reflect.Int:
		n, ok := integer(value)
		if !ok || n < 0 || n > maxSize {
			return fmt.Errorf("%v is not a whole number from 0 to %d", value, maxSize)
		}
		field.SetInt(n)
	case reflect.Float64:
		x, ok := real64(value)
		if !ok {
			return fmt.Errorf("%v is not a number", value)
		}
		field.SetFloat(x)
	case reflect.Bool:
		b, ok := value.(bool)
		if !ok {
			return fmt.Errorf("%v is not true or false", value)
		}
		field.SetBool(b)
	case reflect.String:
		s, ok := value.(string)
		if !ok || o.Values != nil && !slices.Contains(o.Values, s) {
			return fmt.Errorf("%v is not one of %s", value, strings.Join(o.Values, ", "))
		}
		field.SetString(s)
	default:
		panic(fmt.Sprintf("settings: field %s has type %s", o.Key, field.Type()))
	}
	return nil
}

func integer(value any) (int64, bool) {
	switch n := value.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	}
	return 0, false
}

// real64 is a finite number of any kind.
func real64(value any) (float64, bool) {
	if n, ok := integer(value); ok {
		return float64(n), true
	}
	x, ok := value.(float64)
	return x, ok && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// Parse reads "dim=256,layers=6": whole numbers, numbers, true and false, texts.
func Parse(s string) (map[string]any, error) {
	config := map[string]any{}
	for _, pair := range strings.Split(s, ",") {
		if pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("setting %q is not key=value", pair)
		}
		if _, ok := config[key]; ok {
			return nil, fmt.Errorf("setting %q is given twice", key)
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			config[key] = n
		} else if x, err := strconv.ParseFloat(value, 64); err == nil {
			config[key] = x
		} else if b, err := strconv.ParseBool(value); err == nil {
			config[key] = b
		} else {
			config[key] = value
		}
	}
	return config, nil
}
