package experiments

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// A document is a study file as it was read: it knows on which line things
// stand.
type document struct {
	file string
	root ast.Node
}

// A fault is what is wrong with a study, and where: at a path of keys and
// positions in lists, or on a line.
type fault struct {
	path []any
	line int // 0: that of path
	text string
}

// Error implements error.
func (f *fault) Error() string { return f.text }

// at is a path.
func at(keys ...any) []any { return keys }

func faultf(path []any, format string, args ...any) error {
	return &fault{path: path, text: fmt.Sprintf(format, args...)}
}

// locate is err with the file and, where it is a fault, the line.
func (d document) locate(err error) error {
	var f *fault
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &f):
		return fmt.Errorf("%s: %w", d.file, err)
	case f.line == 0:
		f.line, _ = d.find(f.path)
	}
	return fmt.Errorf("%s:%d: %w", d.file, f.line, err)
}

// inPart gives a fault in a part, whose path begins there, its line: where the
// profile has what it is about, or else where the part has.
func (d document) inPart(profile string, p *Part, err error) error {
	f, ok := err.(*fault)
	if !ok || f.line > 0 {
		return err
	}
	path := f.path
	if len(path) > 0 && path[0] == "measure" {
		path = path[1:]
	}
	over, whole := d.find(append(at("profiles", profile, p.Name), path...))
	if f.line = over; whole {
		return f
	}
	path = append(at("parts", p.index), f.path...)
	if _, has := d.find(at("parts")); !has {
		path = f.path
	}
	f.line, _ = d.find(path)
	return f
}

// find is the line of a path, or of as much of it as there is, and tells
// whether that is all of it.
func (d document) find(path []any) (at int, whole bool) {
	n := d.root
	at = 1
	for _, step := range path {
		next := ast.Node(nil)
		switch n := n.(type) {
		case *ast.MappingNode:
			for _, pair := range n.Values {
				if pair.Key.GetToken().Value == step {
					at, next = line(pair.Key), pair.Value
				}
			}
		case *ast.SequenceNode:
			if i, ok := step.(int); ok && i < len(n.Values) {
				next = n.Values[i]
				at = firstLineOf(next)
			}
		}
		if next == nil {
			return at, false
		}
		n = next
	}
	return at, true
}

// firstLineOf is the line on which a node begins.
func firstLineOf(n ast.Node) int {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return line(m.Values[0].Key)
	}
	return line(n)
}
