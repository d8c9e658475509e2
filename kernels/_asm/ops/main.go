// Command ops writes the AVX2+FMA assembly of every kernel but the matrix
// products, one group of kernels a file.
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
)

var groups = map[string]func(){
	"elementwise": elementwise,
	"activation":  activation,
	"rows":        rows,
	"wkv4":        wkv4,
	"wkv6":        wkv6,
	"wkv7":        wkv7,
	"gates":       gates,
	"attention":   attention,
	"recurrent":   recurrent,
	"rope":        rope,
	"rmsnorm":     rmsNorm,
	"swiglu":      swiGLU,
}

func main() {
	name := flag.String("group", "", "which kernels to write, such as wkv4")
	flag.Parse()
	generate := groups[*name]
	if generate == nil {
		log.Fatalf("ops: no group %q", *name)
	}
	ConstraintExpr("!purego")
	generate()
	Generate()
}
