package experiments

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// An Arch is an architecture of a part with its settings; a list of values is
// an axis, and every combination of values is an arm.
type Arch struct {
	Label string
	Axes  []Axis // the first is "use", the architecture's name

	line int
}

// An Axis is a setting with the values it takes.
type Axis struct {
	Key    string
	Values []any
}

// UnmarshalYAML reads a mapping whose values are scalars or lists of them.
func (a *Arch) UnmarshalYAML(n ast.Node) error {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return fmt.Errorf("line %d: an arch is written {use: NAME, key: value, …}", line(n))
	}
	a.line = line(n)
	for _, pair := range m.Values {
		key := pair.Key.GetToken().Value
		values, err := scalars(pair.Value)
		if err != nil {
			return fmt.Errorf("line %d: arch: %s: %w", line(pair.Key), key, err)
		}
		switch {
		case key == "label":
			label, ok := values[0].(string)
			if !ok || len(values) != 1 {
				return fmt.Errorf("line %d: arch: a label is one text", line(pair.Key))
			}
			a.Label = label
		case key == "use":
			a.Axes = slices.Insert(a.Axes, 0, Axis{key, values})
		default:
			a.Axes = append(a.Axes, Axis{key, values})
		}
	}
	if len(a.Axes) == 0 || a.Axes[0].Key != "use" {
		return fmt.Errorf("line %d: arch: the key use, an architecture's name, is missing", a.line)
	}
	return nil
}

// MarshalYAML writes what UnmarshalYAML reads.
func (a Arch) MarshalYAML() (any, error) {
	var m yaml.MapSlice
	for _, x := range a.Axes {
		var v any = x.Values
		if len(x.Values) == 1 {
			v = x.Values[0]
		}
		m = append(m, yaml.MapItem{Key: x.Key, Value: v})
	}
	if a.Label != "" {
		m = append(m, yaml.MapItem{Key: "label", Value: a.Label})
	}
	return m, nil
}

// scalars are the values of a scalar or of a list of scalars, at least one.
func scalars(n ast.Node) ([]any, error) {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	var values []any
	for _, n := range nodes {
		var v any
		if err := yaml.NodeToValue(n, &v); err != nil {
			return nil, errors.New(firstLine(err.Error()))
		}
		switch x := v.(type) {
		case string, bool, float64:
		case int64:
			v = int(x)
		case uint64:
			v = int(min(x, math.MaxInt))
		default:
			return nil, fmt.Errorf("%v is neither a value nor a list of values", n)
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return nil, errors.New("the list is empty")
	}
	return values, nil
}

// decodeStrict reads YAML into v; an unknown key is an error, and so is what
// would be read differently than it looks. Errors name the file and the line.
func decodeStrict(file, text string, v any) (document, error) {
	if err := checkText(file, text); err != nil {
		return document{}, err
	}
	tree, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return document{}, yamlError(file, err)
	}
	d, err := checkTree(file, tree)
	if err != nil {
		return d, err
	}
	if err := yaml.UnmarshalWithOptions([]byte(text), v, yaml.Strict()); err != nil {
		return d, yamlError(file, err)
	}
	return d, nil
}

func line(n ast.Node) int { return n.GetToken().Position.Line }

var lineOf = regexp.MustCompile(`line (\d+): `)

// yamlError is err on one line, with file and line.
func yamlError(file string, err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil && e.GetToken().Position != nil {
		return fmt.Errorf("%s:%d: %s", file, e.GetToken().Position.Line, firstLine(e.GetMessage()))
	}
	msg := firstLine(err.Error())
	if at := lineOf.FindStringSubmatchIndex(msg); at != nil {
		return fmt.Errorf("%s:%s: %s", file, msg[at[2]:at[3]], msg[at[1]:])
	}
	return fmt.Errorf("%s: %s", file, msg)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// Bounds of a study's text. Lists in lists cost the parser quadratic time, and
// so do empty lines at the end of a block of text, which it takes off one by one.
const (
	maxNesting = 64
	maxBlank   = 100
)

// checkText refuses a text too large, too deep or too empty to be a study.
func checkText(file, text string) error {
	if len(text) > maxStudy {
		return fmt.Errorf("%s: a study file has at most %d bytes, this one has %d", file, maxStudy, len(text))
	}
	depth, blank := 0, 0
	for i, l := range strings.Split(lineBreaks.Replace(text), "\n") {
		depth = max(0, depth+strings.Count(l, "[")+strings.Count(l, "{")-strings.Count(l, "]")-strings.Count(l, "}"))
		opened := strings.Count(l, "[") + strings.Count(l, "{")
		if depth > maxNesting || opened > 4*maxNesting || strings.Count(l, "- ") > maxNesting {
			return fmt.Errorf("%s:%d: too many lists within lists", file, i+1)
		}
		if blank++; strings.TrimSpace(l) != "" {
			blank = 0
		}
		if blank > maxBlank {
			return fmt.Errorf("%s:%d: more than %d empty lines one after another", file, i+1, maxBlank)
		}
	}
	return nil
}

// lineBreaks makes one kind of them.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")
