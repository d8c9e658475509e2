// Package ops generates the AVX2+FMA assembly of every kernel but the matrix
// products, one group of kernels a file.
package ops

// Groups are the generators of the files, by name.
var Groups = map[string]func(){
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
