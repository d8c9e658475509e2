//go:build !purego

package kernels

//go:generate go run -C _asm ./ops -group swiglu -out ../swiglu_amd64.s -stubs ../swiglu_amd64.go -pkg kernels

func swiGLU(y, g, u []float32) {
	if useAVX2 {
		swiGLUAVX2(at(y), at(g), at(u), len(y))
		return
	}
	swiGLUGeneric(y, g, u)
}

func swiGLUGrad(dg, du, dy, g, u []float32) {
	if useAVX2 {
		swiGLUGradAVX2(at(dg), at(du), at(dy), at(g), at(u), len(dy))
		return
	}
	swiGLUGradGeneric(dg, du, dy, g, u)
}
