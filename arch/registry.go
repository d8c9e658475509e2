package arch

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"workbench/arch/nn"
	"workbench/arch/settings"
)

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
func Options(name string) []settings.Option {
	e, ok := registry[name]
	if !ok {
		return nil
	}
	return settings.Options(e.defaults, e.docs...)
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
	if c, err = settings.Resolve(name, e.defaults, config); err != nil {
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
