package arch

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"workbench/arch/nn"
)

// Option is one key of an architecture's configuration.
type Option struct {
	Key     string   `json:"key"`
	Default any      `json:"default"`
	Values  []string `json:"values,omitempty"` // the allowed values, where they have names
	Doc     string   `json:"doc"`
}

type entry struct {
	defaults any
	build    func(config any, seed uint64) (Model, error)
	docs     []map[string]string
}

var registry = map[string]entry{}

// Register adds an architecture under a name. C is a flat struct whose fields
// carry `json:"key" doc:"..."`, those with named values also `values:"a,b"`;
// defaults holds the default values. A field without a doc gets the doc of its
// key from the first of docs that has one. build gets the resolved
// configuration and the seed of the initial weights. C may have a method
// Resolve() any that replaces values which stand for a rule ("0 means 4·dim").
func Register[C any](name string, defaults C, build func(C, uint64) (Model, error), docs ...map[string]string) {
	if _, ok := registry[name]; ok {
		panic("arch: " + name + " is registered twice")
	}
	registry[name] = entry{defaults, func(c any, seed uint64) (Model, error) { return build(c.(C), seed) }, docs}
}

// Names lists the registered architectures.
func Names() []string {
	var names []string
	for n := range registry {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Options lists the configuration keys of an architecture, nil when unknown.
func Options(name string) []Option {
	e, ok := registry[name]
	if !ok {
		return nil
	}
	var opts []Option
	v := reflect.ValueOf(e.defaults)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		o := Option{Key: f.Tag.Get("json"), Default: v.Field(i).Interface(), Doc: f.Tag.Get("doc")}
		for i := 0; i < len(e.docs) && o.Doc == ""; i++ {
			o.Doc = e.docs[i][o.Key]
		}
		if values := f.Tag.Get("values"); values != "" {
			o.Values = strings.Split(values, ",")
		}
		opts = append(opts, o)
	}
	return opts
}

// New builds an architecture from its configuration and the seed of its initial
// weights. Keys that config lacks have their defaults. New also returns the
// fully resolved configuration.
func New(name string, config map[string]any, seed uint64) (Model, map[string]any, error) {
	if seed == nn.Blank {
		return nil, nil, fmt.Errorf("seed %d is kept for models without initial weights", seed)
	}
	return build(name, config, seed)
}

// Empty is New for a model whose weights come from a file: weights that New
// draws at random stay zero, which touches no memory and takes no time.
func Empty(name string, config map[string]any) (Model, map[string]any, error) {
	return build(name, config, nn.Blank)
}

// EmptyWithin is Empty for a configuration from a file of that many weights:
// see OutlineWithin.
func EmptyWithin(name string, config map[string]any, weights int) (Model, map[string]any, error) {
	if _, err := OutlineWithin(name, config, weights); err != nil {
		return nil, nil, err
	}
	return Empty(name, config)
}

// Filled is New for measuring speed and memory: every matrix holds random
// numbers of the magnitude of initial weights. Matrices that New leaves zero
// would all map to one page of zeros, which is not counted as resident and is
// read at the speed of a cache.
func Filled(name string, config map[string]any, seed uint64) (Model, map[string]any, error) {
	m, resolved, err := Empty(name, config)
	if err != nil {
		return nil, nil, err
	}
	nn.Walk(m, func(p nn.Param) {
		if len(p.Tensor.Shape) > 1 {
			nn.Uniform(p.Tensor, nn.Rand(seed, p.Name), 1/math.Sqrt(float64(p.Tensor.Dim(-1))))
		}
	})
	return m, resolved, nil
}

func build(name string, config map[string]any, seed uint64) (Model, map[string]any, error) {
	e, c, err := configure(name, config)
	if err != nil {
		return nil, nil, err
	}
	m, err := e.make(name, c, seed)
	if err != nil {
		return nil, nil, err
	}
	all, err := resolved(c)
	return m, all, err
}

// configure returns the architecture of that name and its full configuration.
func configure(name string, config map[string]any) (e entry, c any, err error) {
	e, ok := registry[name]
	if !ok {
		return e, nil, fmt.Errorf("unknown architecture %q (known: %s)", name, strings.Join(Names(), ", "))
	}
	if c, err = resolve(name, e.defaults, config); err != nil {
		return e, nil, err
	}
	if r, ok := c.(interface{ Resolve() any }); ok {
		c = r.Resolve()
	}
	return e, c, nil
}

// make builds the architecture.
func (e entry) make(name string, c any, seed uint64) (Model, error) {
	m, err := e.build(c, seed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// resolve overlays the defaults with config and refuses unknown keys.
func resolve(name string, defaults any, config map[string]any) (any, error) {
	v := reflect.New(reflect.TypeOf(defaults)).Elem()
	v.Set(reflect.ValueOf(defaults))
	opts := Options(name)
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
			return nil, fmt.Errorf("%s has no setting %q (known: %s)", name, key, strings.Join(known, ", "))
		}
		if err := set(v.Field(i), config[key], opts[i]); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, key, err)
		}
	}
	return v.Interface(), nil
}

// maxSize bounds every number of a configuration.
const maxSize = 1 << 24

// set assigns a value from JSON, YAML or the command line.
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
		panic(fmt.Sprintf("arch: setting %s has type %s", o.Key, field.Type()))
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

// real64 returns a finite number of any numeric type.
func real64(value any) (float64, bool) {
	if n, ok := integer(value); ok {
		return float64(n), true
	}
	x, ok := value.(float64)
	return x, ok && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// ParseSet parses settings of the command line: "dim=256,layers=6".
func ParseSet(s string) (map[string]any, error) {
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
