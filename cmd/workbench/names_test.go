package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"workbench/experiments/corpus"
	"workbench/experiments/record"
	"workbench/experiments/workload"
)

// otherMeanings are strings that are equal to a registered name and name
// something else there.
var otherMeanings = map[string][]string{
	"":                               {"tokens"}, // everywhere: a unit, and a flag
	"experiments/record/run.go":      {"check"},  // a kind of rule
	"cmd/workbench/train.go":         {"train"},  // the command
	"experiments/corpus/gosource.go": {"go"},     // the program that names the toolchain's folder
	"experiments/resume.go":          {"go"},     // a key of the run's sources: the version of Go
}

// namedFreely tells files that are made for the names in them: sections and
// figures, and what schema 1 called things.
func namedFreely(path string) bool {
	dir, file := filepath.Split(path)
	return dir == "reports/" && (strings.HasPrefix(file, "section_") || strings.HasPrefix(file, "figure_")) || path == "experiments/record/schema1.go"
}

// TestRegisteredNames: a workload, a quantity and a source are named in the file
// that registers them, in sections and figures made for them and in studies;
// everything else learns them from the registry or the records.
func TestRegisteredNames(t *testing.T) {
	known := map[string]bool{}
	for _, w := range workload.All() {
		known[w.Name] = true
	}
	for _, q := range record.Quantities() {
		known[strings.TrimSuffix(q.Name, ":")] = true
		known[q.Name] = true
	}
	for _, e := range corpus.Entries() {
		known[e.Name] = true
	}
	at := map[string][]string{} // files, by name
	places := map[string]string{}
	goFiles(t, func(path string, src []byte) {
		path = filepath.ToSlash(strings.TrimPrefix(path, root+"/"))
		if !strings.HasPrefix(path, "experiments/") && !strings.HasPrefix(path, "reports/") && !strings.HasPrefix(path, "cmd/") || namedFreely(path) {
			return
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		own := map[string]bool{}
		if strings.HasSuffix(path, "workload/check.go") { // which defines its properties in a loop
			own = map[string]bool{"check": true, "modes": true, "linear": true, "scan": true}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && slices.Contains([]string{"Register", "Define"}, called(call)) {
				for s := range literals(call) {
					own[s] = true
				}
			}
			return true
		})
		for s, pos := range literals(f) {
			if known[s] && !own[s] && !slices.Contains(slices.Concat(otherMeanings[""], otherMeanings[path]), s) {
				at[s] = append(at[s], path)
				places[s+" "+path] = files.Position(pos).String()
			}
		}
	})
	for s, paths := range at {
		for _, path := range paths {
			t.Errorf("%s: %q is a registered name: take it from the registry, or from the records", places[s+" "+path], s)
		}
	}
	if !known["decode"] || !known["tokens_per_second"] || !known["grammar"] {
		t.Error("the registries are not what they were: this test sees nothing")
	}
}

// called is the name of a called function, without its package.
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// literals are the strings in a piece of code, but for imports; a struct tag is none of the names.
func literals(n ast.Node) map[string]token.Pos {
	found := map[string]token.Pos{}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				found[s] = n.Pos()
			}
		}
		return true
	})
	return found
}
