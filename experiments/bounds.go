package experiments

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"

	"workbench/experiments/workload"

	"github.com/goccy/go-yaml/ast"
)

// Bounds of what is no workload's own.
const (
	maxTokens = 1 << 20
	maxSeeds  = 1000
)

// whole is the least and the most of a whole number of a study that stands under
// a key of a workload, or of what else holds it.
func whole(holder, key string) (bounds [2]int64, ok bool) {
	if w := workload.Find(holder); w != nil {
		for _, o := range w.Options() {
			if o.Key == key && o.Most > 0 {
				return [2]int64{o.Least, o.Most}, true
			}
		}
		return bounds, false
	}
	switch {
	case holder == "probes" && key == "every":
		return [2]int64{1, maxTokens}, true
	case key == "seeds" && holder != "arch" && holder != "lr":
		return [2]int64{1, maxSeeds}, true
	}
	return bounds, false
}

// fractions are the bounds of the other numbers, but for learning rates.
var fractions = map[string][2]float64{
	"match": {0, 1}, "at": {0, maxTokens}, "below": {-math.MaxFloat64, math.MaxFloat64}, "above": {-math.MaxFloat64, math.MaxFloat64},
}

// mayBeEmpty are the lists of which none is something to say.
var mayBeEmpty = []string{"rules", "claims", "probes"}

// oddNumber matches numbers that readers of YAML take differently: 010 is
// octal 8 to some, 1_000 is text to others.
var oddNumber = regexp.MustCompile(`^[-+]?(0[0-9]|[0-9]+_|0[xob])`)

// checkTree refuses what would surprise or cannot be measured: several
// documents, anchors and aliases, odd numbers, numbers out of bounds, keys
// without a value, and lists that are empty or hold a value twice.
func checkTree(file string, tree *ast.File) (document, error) {
	d := document{file: file}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return d, fmt.Errorf("%s: a study file holds one YAML document, this one holds %d", file, len(tree.Docs))
	}
	d.root = tree.Docs[0].Body
	return d, d.locate(checkNode(d.root, "", ""))
}

// checkNode checks what stands under a key, and under the key that holds that.
func checkNode(n ast.Node, holder, key string) error {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			name := pair.Key.GetToken().Value
			if pair.Key.Type() == ast.MergeKeyType {
				return onLine(pair.Key, "anchors, aliases and tags are not used in studies: write the value out")
			}
			if pair.Value.Type() == ast.NullType {
				return onLine(pair.Key, "%s has no value: give one, or leave the key out", name)
			}
			if err := checkNode(pair.Value, key, name); err != nil {
				return err
			}
		}
		return nil
	case *ast.SequenceNode:
		return checkList(n, holder, key)
	}
	return checkScalar(n, holder, key)
}

// onLine is a fault on the line of a node.
func onLine(n ast.Node, format string, args ...any) error {
	return &fault{line: line(n), text: fmt.Sprintf(format, args...)}
}

func checkList(n *ast.SequenceNode, holder, key string) error {
	if len(n.Values) == 0 && !slices.Contains(mayBeEmpty, key) {
		return onLine(n, "%s: the list is empty", qualified(holder, key))
	}
	seen := map[string]bool{}
	for _, v := range n.Values {
		if v.Type() == ast.NullType {
			return onLine(v, "%s: a value of the list is missing", qualified(holder, key))
		}
		if err := checkNode(v, holder, key); err != nil {
			return err
		}
		if _, ok := v.(ast.ScalarNode); !ok {
			continue
		}
		value := v.GetToken().Value
		same := value
		if x, err := strconv.ParseFloat(value, 64); err == nil {
			same = fmt.Sprint(x)
		}
		if seen[same] {
			return onLine(v, "%s: %s stands in the list twice", qualified(holder, key), value)
		}
		seen[same] = true
	}
	return nil
}

// qualified names a key, with the phase that it belongs to.
func qualified(holder, key string) string {
	if _, ok := whole(holder, key); ok && key != "seeds" || holder == "arch" || holder == "probes" || workload.Find(holder) != nil {
		return holder + ": " + key
	}
	return key
}

func checkScalar(n ast.Node, holder, key string) error {
	value := n.GetToken().Value
	bounds, isWhole := whole(holder, key)
	limits, fraction := fractions[key]
	switch n.Type() {
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType, ast.TagType:
		return onLine(n, "anchors, aliases and tags are not used in studies: write the value out")
	case ast.InfinityType, ast.NanType:
		return onLine(n, "%s is not a number to measure with", value)
	case ast.IntegerType, ast.FloatType:
		switch {
		case oddNumber.MatchString(value):
			return onLine(n, "number %s is read in more than one way: write plain decimal digits", value)
		case n.Type() == ast.FloatType && !fraction && key != "lr" && holder != "lr":
			return onLine(n, "%s is not a whole number", value)
		}
	}
	switch {
	case isWhole:
		x, err := strconv.ParseInt(value, 10, 64)
		if err != nil && !numeric(value) {
			return onLine(n, "%s: %s is not a whole number", qualified(holder, key), value)
		}
		if err != nil || x < bounds[0] || x > bounds[1] {
			return onLine(n, "%s: %s is not between %d and %d", qualified(holder, key), value, bounds[0], bounds[1])
		}
	case fraction && holder != "arch" && holder != "lr":
		x, err := strconv.ParseFloat(value, 64)
		if err != nil || !(x >= limits[0] && x <= limits[1]) {
			return onLine(n, "%s: %s is not a number between %g and %g", key, value, limits[0], limits[1])
		}
	}
	return nil
}

var digits = regexp.MustCompile(`^[-+]?[0-9]+$`)

func numeric(s string) bool { return digits.MatchString(s) }
