//go:build !amd64 || purego

package kernels

func rmsNormRow(y, x, w []float32, eps float32) float32 { return rmsNormRowGeneric(y, x, w, eps) }

func rmsNormGradRow(dx, dw, dy, x, w []float32, r float32) {
	rmsNormGradRowGeneric(dx, dw, dy, x, w, r)
}
