// Package avx2 begins functions of AVX2 assembly with the name and parameters
// in the table.
package avx2

import (
	"strings"

	"github.com/mmcloughlin/avo/build"
	"workbench/kernels/_asm/table"
)

const noSplit = 4 // NOSPLIT of textflag.h

// Begin begins the function of an operation or a part, and returns it.
func Begin(name string) table.Func {
	f := table.Find("avx2", name)
	known := f // the assembler library knows only Go's basic types
	known.Params = append([]table.Param(nil), f.Params...)
	for i, p := range known.Params {
		if elem := strings.TrimLeft(p.Type, "*"); elem != p.Type && elem != "float32" && elem != "uint16" {
			known.Params[i].Type = "*byte"
		}
	}
	build.TEXT(f.Name, noSplit, known.Signature())
	return f
}
