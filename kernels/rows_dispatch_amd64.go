//go:build !purego

package kernels

import "math"

func layerNormRow(y, x, w, b []float32, eps float32) (mean, rstd float32) {
	if !useAVX2 {
		return layerNormRowGeneric(y, x, w, b, eps)
	}
	n := len(x)
	mean = sumAVX2(at(x), n) / float32(n)
	rstd = float32(1 / math.Sqrt(float64(sumDevAVX2(at(x), mean, n))/float64(n)+float64(eps)))
	normApplyAVX2(at(y), at(x), at(w), at(b), mean, rstd, n)
	return mean, rstd
}

func layerNormGradRow(dx, dy, x, w []float32, mean, rstd float32) {
	if !useAVX2 {
		layerNormGradRowGeneric(dx, dy, x, w, mean, rstd)
		return
	}
	n := len(x)
	g, gh := normSumsAVX2(at(dy), at(x), at(w), mean, rstd, n)
	normBackAVX2(at(dx), at(dy), at(x), at(w), mean, rstd, g/float32(n), gh/float32(n), n)
}

func layerNormGradW(dw, dy, x, mean, rstd []float32, C int) {
	if useAVX2 {
		normWeightAVX2(at(dw), at(dy), at(x), at(mean), at(rstd), len(mean), C, len(dw))
		return
	}
	layerNormGradWGeneric(dw, dy, x, mean, rstd, C)
}

func maxOf(x []float32) float32 {
	if useAVX2 {
		return maxOfAVX2(at(x), len(x))
	}
	return maxOfGeneric(x)
}

func expShift(y, x []float32, scale, top float32) float32 {
	if useAVX2 {
		return expShiftAVX2(at(y), at(x), scale, top, len(y))
	}
	return expShiftGeneric(y, x, scale, top)
}

func sumExpShift(x []float32, top float32) float32 {
	if useAVX2 {
		return sumExpShiftAVX2(at(x), top, len(x))
	}
	return sumExpShiftGeneric(x, top)
}

func addExpShift(y, x []float32, shift, scale float32) {
	if useAVX2 {
		addExpShiftAVX2(at(y), at(x), shift, scale, len(y))
		return
	}
	addExpShiftGeneric(y, x, shift, scale)
}

func dot(a, b []float32) float32 {
	if useAVX2 {
		return dotAVX2(at(a), at(b), len(a))
	}
	return dotGeneric(a, b)
}

func softmaxBack(ds, p []float32, d, scale float32) {
	if useAVX2 {
		softmaxBackAVX2(at(ds), at(p), d, scale, len(ds))
		return
	}
	softmaxBackGeneric(ds, p, d, scale)
}

func headDots(scores, q, k []float32, n, stride, H, D int) {
	if useAVX2 && D%8 == 0 {
		headDotsAVX2(at(scores), at(q), at(k), n, stride, H, D)
		return
	}
	headDotsGeneric(scores, q, k, n, stride, H, D)
}

func headSums(y, p, v []float32, n, stride, H, D int) {
	if useAVX2 && D%8 == 0 {
		clear(y[:H*D])
		headSumsAVX2(at(y), at(p), at(v), n, stride, H, D)
		return
	}
	headSumsGeneric(y, p, v, n, stride, H, D)
}
