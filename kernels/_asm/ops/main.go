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
	"wkv7":        wkv7,
	"attention":   attention,
}

func main() {
	name := flag.String("group", "", "elementwise, activation, rows, wkv4, wkv7 or attention")
	flag.Parse()
	generate := groups[*name]
	if generate == nil {
		log.Fatalf("ops: no group %q", *name)
	}
	ConstraintExpr("!purego")
	generate()
	Generate()
}
