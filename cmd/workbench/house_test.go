package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/experiments"
	"workbench/kernels/kerneltest"
)

// root is the repository, seen from this package's folder.
const root = "../.."

// rooms says what each package may import beside the standard library: rooms
// of the module by their path, other modules' packages by prefix.
var rooms = map[string][]string{
	"kernels":            {"golang.org/x/sys/cpu"},
	"kernels/kerneltest": {"kernels"},
	"arch/files":         {"github.com/google/renameio/v2", "github.com/gofrs/flock"},
	"arch/nn":            {"kernels"},
	"arch/settings":      {},
	"arch":               {"arch/nn", "arch/settings", "kernels"},
	"arch/rwkv":          {"arch", "arch/nn", "kernels"},
	"arch/transformer":   {"arch", "arch/nn", "kernels"},
	"arch/rnn":           {"arch", "arch/nn", "kernels"},
	"arch/checkpoint":    {"arch/files", "arch/nn", "kernels", "github.com/nlpodyssey/gopickle"},
	"arch/tokenizer":     {"arch/files", "golang.org/x/text/unicode/norm"},
	"arch/archtest":      {"arch", "arch/settings", "arch/files", "arch/nn", "arch/checkpoint", "arch/tokenizer", "kernels", "golang.org/x/text/unicode/norm"},
	"experiments/record": {"arch/files"},
	"experiments/stats":  {"golang.org/x/perf/benchmath"},
	"experiments/meter":  {"arch/files", "experiments/record", "experiments/stats", "kernels", "golang.org/x/exp/trace", "golang.org/x/sys"},
	"experiments/corpus": {"arch/files", "arch/settings", "arch/tokenizer", "experiments/record", "golang.org/x/exp/mmap"},
	"experiments/train":  {"arch", "arch/files", "arch/nn", "kernels", "experiments/corpus", "experiments/record", "arch/checkpoint"},
	"experiments/workload": {"arch", "arch/archtest", "arch/files", "arch/nn", "kernels", "experiments/corpus", "experiments/meter", "experiments/record", "experiments/train",
		"github.com/goccy/go-yaml"},
	"experiments": {"arch", "arch/files", "arch/settings", "arch/nn", "arch/archtest", "arch/checkpoint", "kernels", "experiments/record", "experiments/stats", "experiments/meter",
		"experiments/corpus", "experiments/train", "experiments/workload", "github.com/goccy/go-yaml", "golang.org/x/term"},
	"reports": {"arch/files", "experiments/record", "experiments/stats", "gonum.org/v1/plot", "github.com/go-echarts/go-echarts/v2",
		"github.com/olekukonko/tablewriter", "codeberg.org/go-fonts/liberation", "golang.org/x/image"},
	"cmd/workbench": {"arch", "arch/files", "arch/settings", "arch/archtest", "arch/checkpoint", "arch/nn", "arch/rnn", "arch/rwkv", "arch/tokenizer", "arch/transformer", "kernels", "kernels/kerneltest",
		"experiments", "experiments/corpus", "experiments/meter", "experiments/record", "experiments/train", "experiments/workload", "reports"},

	"experiments/meter/metertest": {},
}

type goPackage struct {
	ImportPath, Dir            string
	GoFiles, CgoFiles, Imports []string
}

// goPackages lists the packages of the module.
func goPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,CgoFiles,Imports", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var list []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func TestImports(t *testing.T) {
	for _, p := range goPackages(t) {
		room := strings.TrimPrefix(p.ImportPath, "workbench/")
		allowed, ok := rooms[room]
		if !ok {
			t.Errorf("package %s is no room of the house: give it a row in the table", room)
		}
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s uses cgo: %v", room, p.CgoFiles)
		}
		for _, path := range p.Imports {
			if !mayImport(allowed, path) {
				t.Errorf("%s imports %s, which the table does not allow", room, path)
			}
		}
	}
}

func mayImport(allowed []string, path string) bool {
	if inner, ok := strings.CutPrefix(path, "workbench/"); ok {
		return slices.Contains(allowed, inner)
	}
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") || slices.ContainsFunc(allowed, func(prefix string) bool {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	})
}

func TestMayImport(t *testing.T) {
	allowed := []string{"arch", "golang.org/x/sys/cpu"}
	for path, want := range map[string]bool{
		"fmt": true, "encoding/json": true, "workbench/arch": true, "workbench/arch/nn": false,
		"golang.org/x/sys/cpu": true, "golang.org/x/sys/unix": false, "golang.org/x/sys/cpux": false,
	} {
		if got := mayImport(allowed, path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// goFiles calls f with every Go file of the repository that is not a test.
func goFiles(t *testing.T, f func(path string, src []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "runs" || name == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err == nil {
			f(path, src)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFileLength(t *testing.T) {
	const limit = 450
	goFiles(t, func(path string, src []byte) {
		if n := bytes.Count(src, []byte("\n")); n > limit && !generated.Match(src) {
			t.Errorf("%s has %d lines, more than %d: would a reader know the room?", path, n, limit)
		}
	})
}

func TestExportedNamesAreDocumented(t *testing.T) {
	described := map[string]bool{}
	goFiles(t, func(path string, src []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			return
		}
		dir := filepath.Dir(path)
		described[dir] = described[dir] || file.Doc != nil
		for _, name := range undocumented(file) {
			t.Errorf("%s: %s is exported and has no comment", path, name)
		}
	})
	for dir, ok := range described {
		if !ok {
			t.Errorf("%s: no file describes the package", dir)
		}
	}
}

// undocumented lists the exported names of a file that have no comment.
func undocumented(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
						names = append(names, s.Name.Name)
					}
				case *ast.ValueSpec:
					for _, n := range s.Names {
						if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
							names = append(names, n.Name)
						}
					}
				}
			}
		}
	}
	return names
}

// exportedReceiver tells whether f is a function, or a method of an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			exported = exported || id.IsExported()
			return false
		}
		return true
	})
	return exported
}

func TestUndocumented(t *testing.T) {
	const src = `package p
func A() {}
// B is described.
func B() {}
func (x *t) C() {}
func (x *T[K]) D() {}
type T[K any] struct{}
const (
	E = 1 // the first
	F = 2
)
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(undocumented(file)), "[A D T F]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

var (
	plainWord  = regexp.MustCompile(`^[a-z]+$`)
	makeTarget = regexp.MustCompile(`(?m)^([a-z-]+):`)
)

func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no README.md yet")
	}
	makefile, err2 := os.ReadFile(filepath.Join(root, "Makefile"))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range makeTarget.FindAllSubmatch(makefile, -1) {
		targets = append(targets, string(m[1]))
	}
	lines := shellLines(string(readme))
	if len(lines) == 0 {
		t.Fatal("README.md shows no shell command")
	}
	for _, line := range lines {
		command, _, _ := strings.Cut(line, "#")
		words := strings.Fields(command)
		for i, word := range words[:max(0, len(words)-1)] {
			switch next := words[i+1]; {
			case filepath.Base(word) == "workbench" && plainWord.MatchString(next):
				if err := checkCall(next, words[i+2:]); err != nil {
					t.Errorf("README.md: %q: %v", line, err)
				}
			case word == "make" && !slices.Contains(targets, next):
				t.Errorf("README.md: %q: the Makefile has no target %s", line, next)
			}
		}
	}
}

// checkCall tells whether a command exists, takes the flags among words, and
// knows the study that they name.
func checkCall(name string, words []string) error {
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name && !c.hidden })
	if i < 0 {
		return fmt.Errorf("there is no command %s", name)
	}
	if redirect := slices.Index(words, ">"); redirect >= 0 {
		words = words[:redirect]
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	commands[i].setup(flags)
	args, err := parse(flags, words)
	if err != nil {
		return err
	}
	if (name == "run" || name == "show") && len(args) > 0 && filepath.Ext(args[0]) == "" && !slices.Contains(experiments.Catalog(), args[0]) {
		return fmt.Errorf("there is no study %s", args[0])
	}
	return nil
}

// shellLines are the lines of the sh blocks of a Markdown text.
func shellLines(markdown string) []string {
	var lines []string
	inside := false
	for s := bufio.NewScanner(strings.NewReader(markdown)); s.Scan(); {
		switch line := s.Text(); {
		case strings.HasPrefix(line, "```"):
			inside = !inside && strings.TrimSpace(line) == "```sh"
		case inside:
			lines = append(lines, line)
		}
	}
	return lines
}

func TestCatalogBuilds(t *testing.T) {
	if !slices.Contains(experiments.Catalog(), defaultStudy) {
		t.Errorf("the catalogue lacks %q, which `workbench run` runs", defaultStudy)
	}
	for _, name := range experiments.Catalog() {
		s, err := experiments.Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		archs := s.Arch
		for _, p := range s.Parts {
			archs = append(archs, p.Arch...)
		}
		for _, profile := range s.Profiles {
			for _, o := range profile {
				archs = append(archs, o.Arch...)
			}
		}
		for _, a := range archs {
			for _, config := range expand(a.Axes) {
				use, _ := config["use"].(string)
				delete(config, "use")
				if _, _, err := arch.New(use, config, 1); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// expand is every choice of one value an axis.
func expand(axes []experiments.Axis) []map[string]any {
	configs := []map[string]any{{}}
	for _, x := range axes {
		var next []map[string]any
		for _, c := range configs {
			for _, v := range x.Values {
				n := maps.Clone(c)
				n[x.Key] = v
				next = append(next, n)
			}
		}
		configs = next
	}
	return configs
}

func TestKernelsAreTimed(t *testing.T) {
	pkg := map[string]bool{}
	goFiles(t, func(path string, src []byte) {
		if filepath.Dir(path) != filepath.Join(root, "kernels") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			return
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.IsExported() {
				pkg[f.Name.Name] = true
			}
		}
	})
	timed := map[string]bool{} // names without their spelling: matmulnt
	for _, c := range kerneltest.Cases() {
		name := strings.ReplaceAll(c.Kernel, "_", "")
		timed[name], timed[strings.TrimRight(name, "123456")] = true, true
	}
	for name := range pkg {
		if forward, ok := strings.CutSuffix(name, "Grad"); ok && pkg[forward] && !timed[strings.ToLower(forward)] {
			t.Errorf("the table of kernels has no %s", forward)
		}
	}
}
