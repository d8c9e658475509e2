package kernels

import "math"

func rmsNormRowGeneric(y, x, w []float32, eps float32) float32 {
	var squares float64
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	r := float32(1 / math.Sqrt(squares/float64(len(x))+float64(eps)))
	for c, v := range x {
		y[c] = v * r * w[c]
	}
	return r
}

func rmsNormGradRowGeneric(dx, dw, dy, x, w []float32, r float32) {
	var sum float64
	for c, v := range x {
		sum += float64(dy[c]*w[c]) * float64(v*r)
	}
	mean := float32(sum / float64(len(x)))
	for c, v := range x {
		h := v * r
		dx[c] += r * (dy[c]*w[c] - h*mean)
		dw[c] += dy[c] * h
	}
}
