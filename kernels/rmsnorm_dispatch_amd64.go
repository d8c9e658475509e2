//go:build !purego

package kernels

//go:generate go run -C _asm ./ops -group rmsnorm -out ../rmsnorm_amd64.s -stubs ../rmsnorm_amd64.go -pkg kernels

func rmsNormRow(y, x, w []float32, eps float32) float32 {
	if useAVX2 {
		return rmsNormRowAVX2(at(y), at(x), at(w), eps, len(x))
	}
	return rmsNormRowGeneric(y, x, w, eps)
}

func rmsNormGradRow(dx, dw, dy, x, w []float32, r float32) {
	if useAVX2 {
		rmsNormGradRowAVX2(at(dx), at(dw), at(dy), at(x), at(w), r, len(x))
		return
	}
	rmsNormGradRowGeneric(dx, dw, dy, x, w, r)
}
