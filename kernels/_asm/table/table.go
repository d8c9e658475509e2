// Package table is the one list of operations, their implementations, and the
// assembly functions that those are made of. From it are generated the choice
// among implementations, the Go declarations of assembly, and the names and
// parameters of the assembly functions.
package table

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// Level is one implementation of the kernels, chosen by its name in
// WORKBENCH_IMPL.
type Level struct {
	Name   string // avx2
	Suffix string // of its functions: expAVX2
	Arch   string // its GOARCH
	Needs  string // condition on golang.org/x/sys/cpu under which a machine runs it
}

// Func is a Go function without its body.
type Func struct {
	Name   string
	Params []Param
	Result string // as written: "", "float32", "(slots, ld int)"
	Doc    string // continues after the name: "is y = e^x."
}

// Param is a parameter, with its type as written.
type Param struct{ Name, Type string }

// Op is an inner operation foo: fooGeneric is written by hand; foo is generated
// and calls fooGeneric or another implementation.
type Op struct {
	Func
	Impls []Impl
}

// Impl is an implementation of an operation at a level and above, such as
// fooAVX2, with the same arguments in the same order. In assembly, slices
// become addresses, and the last argument is n, the length of the first slice.
// Written by hand, it is a Go function that calls Parts.
type Impl struct {
	Level  string
	ByHand bool
	When   string // a condition on the arguments, "": none
}

// Part is assembly that an implementation written by hand calls.
type Part struct {
	Level string
	Func
}

// op is a row of Ops.
func op(signature, doc string, impls ...Impl) Op { return Op{parse(signature, doc), impls} }

func asm(level string) Impl    { return Impl{Level: level} }
func byHand(level string) Impl { return Impl{Level: level, ByHand: true} }

func (i Impl) when(condition string) Impl { i.When = condition; return i }

// part is a row of Parts.
func part(level, signature, doc string) Part { return Part{level, parse(signature, doc)} }

func parse(signature, doc string) Func {
	src := "package p\nfunc " + signature
	file, err := parser.ParseFile(token.NewFileSet(), "", src, 0)
	if err != nil {
		panic(fmt.Sprintf("table: %s: %v", signature, err))
	}
	decl := file.Decls[0].(*ast.FuncDecl)
	text := func(n ast.Node) string { return src[n.Pos()-1 : n.End()-1] }
	f := Func{Name: decl.Name.Name, Doc: doc}
	for _, field := range decl.Type.Params.List {
		for _, name := range field.Names {
			f.Params = append(f.Params, Param{name.Name, text(field.Type)})
		}
	}
	if decl.Type.Results != nil {
		f.Result = text(decl.Type.Results)
	}
	return f
}

// Assembly returns the functions of a level that are in assembly, as declared
// in Go.
func Assembly(level string) []Func {
	var all []Func
	for _, o := range Ops {
		for _, i := range o.Impls {
			if i.Level == level && !i.ByHand {
				all = append(all, o.inAssembly())
			}
		}
	}
	for _, p := range Parts {
		if p.Level == level {
			all = append(all, p.Func)
		}
	}
	suffix := FindLevel(level).Suffix
	for i := range all {
		all[i].Name += suffix
	}
	return all
}

// inAssembly is the operation with addresses in place of slices, and n.
func (o Op) inAssembly() Func {
	f := o.Func
	f.Params = slices.Clone(f.Params)
	for i, p := range f.Params {
		if elem, ok := strings.CutPrefix(p.Type, "[]"); ok {
			f.Params[i].Type = "*" + elem
		}
	}
	f.Params = append(f.Params, Param{"n", "int"})
	return f
}

// FindLevel returns the level of that name.
func FindLevel(name string) Level {
	for _, l := range Levels {
		if l.Name == name {
			return l
		}
	}
	panic(fmt.Sprintf("table: no level %q", name))
}

// Find returns the assembly function of an operation or a part at a level.
func Find(level, name string) Func {
	full := name + FindLevel(level).Suffix
	for _, f := range Assembly(level) {
		if f.Name == full {
			return f
		}
	}
	panic(fmt.Sprintf("table: no assembly of %s at %s", name, level))
}

// Signature is the function's type: func(y, x *float32, n int).
func (f Func) Signature() string { return strings.TrimSpace("func(" + f.Args() + ") " + f.Result) }

// Args lists the parameters, grouping adjacent ones of one type.
func (f Func) Args() string {
	var b strings.Builder
	for i, p := range f.Params {
		b.WriteString(p.Name)
		if i+1 == len(f.Params) || f.Params[i+1].Type != p.Type {
			b.WriteString(" " + p.Type)
		}
		if i+1 < len(f.Params) {
			b.WriteString(", ")
		}
	}
	return b.String()
}
