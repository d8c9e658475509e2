// Package dispatch generates the Go files that follow from the table.
package dispatch

import (
	"bytes"
	"fmt"
	"go/format"
	"slices"
	"strings"

	"workbench/kernels/_asm/table"
)

const header = "// Code generated from the table in _asm. DO NOT EDIT.\n\n"

// Files returns the generated files by name: for every GOARCH that has assembly
// the declarations and the dispatch, and one dispatch for all other GOARCHs.
func Files() map[string][]byte {
	files := map[string][]byte{}
	var archs []string
	for _, l := range table.Levels {
		if !slices.Contains(archs, l.Arch) {
			archs = append(archs, l.Arch)
		}
	}
	for _, arch := range archs {
		files["zdispatch_"+arch+".go"] = source(choice(table.Ops, levelsOf(arch)))
		files["zassembly_"+arch+".go"] = source(declarations(levelsOf(arch)))
	}
	files["zdispatch_noasm.go"] = source(fallback(table.Ops, archs))
	return files
}

func levelsOf(arch string) (levels []table.Level) {
	for _, l := range table.Levels {
		if l.Arch == arch {
			levels = append(levels, l)
		}
	}
	return levels
}

func source(text string) []byte {
	src, err := format.Source([]byte(header + text))
	if err != nil {
		panic(fmt.Sprintf("dispatch: %v in\n%s", err, text))
	}
	return src
}

// choice is the file that dispatches to the levels of one GOARCH.
func choice(ops []table.Op, levels []table.Level) string {
	var b bytes.Buffer
	b.WriteString("//go:build !purego\n\npackage kernels\n\nimport (\n\t\"unsafe\"\n\n\t\"golang.org/x/sys/cpu\"\n)\n\n")
	b.WriteString("const (\n\tgeneric level = iota\n")
	for _, l := range levels {
		fmt.Fprintf(&b, "\t%s\n", l.Name)
	}
	b.WriteString(")\n\nvar levels = [...]implementation{\n\tgeneric: {\"generic\", true},\n")
	for _, l := range levels {
		fmt.Fprintf(&b, "\t%s: {%q, %s},\n", l.Name, l.Name, l.Needs)
	}
	b.WriteString("}\n\n// at is the address of x's first element. The callers checked every length.\n")
	b.WriteString("func at[E any](x []E) *E { return unsafe.SliceData(x) }\n")
	for _, o := range ops {
		fmt.Fprintf(&b, "\n// %s %s\nfunc %s(%s) %s {\n", o.Name, o.Doc, o.Name, o.Args(), o.Result)
		for _, l := range slices.Backward(levels) {
			for _, i := range o.Impls {
				if i.Level == l.Name {
					branch(&b, o, i, l)
				}
			}
		}
		b.WriteString(returned(o, call(o, "Generic", false)) + "}\n")
	}
	return b.String()
}

// branch calls an implementation and returns, where that one is in use.
func branch(b *bytes.Buffer, o table.Op, i table.Impl, l table.Level) {
	condition := "inUse >= " + l.Name
	if i.When != "" {
		condition += " && " + i.When
	}
	fmt.Fprintf(b, "if %s {\n%s", condition, returned(o, call(o, l.Suffix, !i.ByHand)))
	if o.Result == "" {
		b.WriteString("return\n")
	}
	b.WriteString("}\n")
}

func returned(o table.Op, call string) string {
	if o.Result != "" {
		call = "return " + call
	}
	return call + "\n"
}

// call is the call of foo with a suffix, with the arguments as assembly takes
// them or unchanged.
func call(o table.Op, suffix string, assembly bool) string {
	var args []string
	length := ""
	for _, p := range o.Params {
		if assembly && strings.HasPrefix(p.Type, "[]") {
			if length == "" {
				length = "len(" + p.Name + ")"
			}
			args = append(args, "at("+p.Name+")")
		} else {
			args = append(args, p.Name)
		}
	}
	if assembly {
		args = append(args, length)
	}
	return o.Name + suffix + "(" + strings.Join(args, ", ") + ")"
}

// declarations is the file of Go declarations of the assembly of one GOARCH.
func declarations(levels []table.Level) string {
	var b bytes.Buffer
	b.WriteString("//go:build !purego\n\npackage kernels\n")
	for _, l := range levels {
		for _, f := range table.Assembly(l.Name) {
			fmt.Fprintf(&b, "\n// %s %s\n//\n//go:noescape\nfunc %s(%s) %s\n", f.Name, f.Doc, f.Name, f.Args(), f.Result)
		}
	}
	return b.String()
}

// fallback is the dispatch where there is no assembly.
func fallback(ops []table.Op, archs []string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "//go:build !(%s) || purego\n\npackage kernels\n\n", strings.Join(archs, " || "))
	b.WriteString("const generic level = 0\n\nvar levels = [...]implementation{generic: {\"generic\", true}}\n\n")
	for _, o := range ops {
		fmt.Fprintf(&b, "func %s(%s) %s { %s }\n", o.Name, o.Args(), o.Result, strings.TrimSpace(returned(o, call(o, "Generic", false))))
	}
	return b.String()
}
