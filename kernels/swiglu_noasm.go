//go:build !amd64 || purego

package kernels

func swiGLU(y, g, u []float32)              { swiGLUGeneric(y, g, u) }
func swiGLUGrad(dg, du, dy, g, u []float32) { swiGLUGradGeneric(dg, du, dy, g, u) }
