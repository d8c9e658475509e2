//go:build !purego

package kernels

//go:generate go run -C _asm ./ops -group rope -out ../rope_amd64.s -stubs ../rope_amd64.go -pkg kernels

func rotate(y, x, cos, sin []float32) {
	if half := len(cos); useAVX2 {
		rotateAVX2(at(y), at(y[half:]), at(x), at(x[half:]), at(cos), at(sin), half)
		return
	}
	rotateGeneric(y, x, cos, sin)
}

func rotateBackAdd(dx, dy, cos, sin []float32) {
	if half := len(cos); useAVX2 {
		rotateBackAddAVX2(at(dx), at(dx[half:]), at(dy), at(dy[half:]), at(cos), at(sin), half)
		return
	}
	rotateBackAddGeneric(dx, dy, cos, sin)
}

func rotatePairs(y, x, cos, sin []float32) {
	if useAVX2 {
		rotatePairsAVX2(at(y), at(x), at(cos), at(sin), len(y))
		return
	}
	rotatePairsGeneric(y, x, cos, sin)
}

func rotatePairsBackAdd(dx, dy, cos, sin []float32) {
	if useAVX2 {
		rotatePairsBackAddAVX2(at(dx), at(dy), at(cos), at(sin), len(dx))
		return
	}
	rotatePairsBackAddGeneric(dx, dy, cos, sin)
}
