package workload

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// An Option is one setting of a workload.
type Option struct {
	Key     string `json:"key"`
	Default any    `json:"default"`
	Least   int64  `json:"least,omitempty"` // of a number, or of each of a list
	Most    int64  `json:"most,omitempty"`  // 0: it is no number
	Doc     string `json:"doc"`
}

// Options lists the settings of a workload.
func (w *Workload) Options() []Option {
	var out []Option
	eachField(w.Defaults(), func(key string, f reflect.StructField, v reflect.Value) {
		if v.Kind() == reflect.Pointer {
			v = reflect.Zero(v.Type().Elem())
		}
		o := Option{Key: key, Default: v.Interface(), Doc: f.Tag.Get("doc")}
		if least, most := f.Tag.Get("min"), f.Tag.Get("max"); most != "" {
			var err1, err2 error
			o.Least, err1 = strconv.ParseInt(least, 10, 64)
			o.Most, err2 = strconv.ParseInt(most, 10, 64)
			if err1 != nil || err2 != nil {
				panic(fmt.Sprintf("workload: %s.%s: bounds %q to %q", w.Name, key, least, most))
			}
		}
		out = append(out, o)
	})
	return out
}

// eachField visits the fields of settings that have a key, those of embedded
// structs too.
func eachField(s Settings, f func(key string, field reflect.StructField, v reflect.Value)) {
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Anonymous {
				walk(v.Field(i))
				continue
			}
			if key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); key != "" && key != "-" {
				f(key, field, v.Field(i))
			}
		}
	}
	walk(reflect.ValueOf(s).Elem())
}

// given is an optional setting, a pointer so that what is given as 0 or false
// is told from what is left out.
func given[T any](setting *T) (value T) {
	if setting != nil {
		value = *setting
	}
	return value
}

// Merge lays the settings that over gives over those of base, both of one
// workload; nil gives nothing.
func Merge(base, over Settings) Settings {
	if over == nil {
		return base
	}
	out := reflect.New(reflect.TypeOf(base).Elem())
	out.Elem().Set(reflect.ValueOf(base).Elem())
	given := map[string]reflect.Value{}
	eachField(over, func(key string, _ reflect.StructField, v reflect.Value) { given[key] = v })
	s := out.Interface().(Settings)
	eachField(s, func(key string, _ reflect.StructField, v reflect.Value) {
		if x := given[key]; !x.IsZero() {
			v.Set(x)
		}
	})
	return s
}

// rising sorts numbers and takes each once.
func rising(v []int) []int { return slices.Compact(slices.Sorted(slices.Values(v))) }
