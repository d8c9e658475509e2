package kernels

import "math"

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

func sigmoid64(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func expGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = exp32(v)
	}
}

func tanhGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = float32(math.Tanh(float64(v)))
	}
}

func sigmoidGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = float32(sigmoid64(float64(v)))
	}
}

func tanhGradGeneric(dx, dy, y []float32) {
	for i, v := range y {
		dx[i] += dy[i] * (1 - v*v)
	}
}

func sigmoidMulGeneric(y, r, x []float32) {
	for i, v := range r {
		y[i] = float32(sigmoid64(float64(v))) * x[i]
	}
}

func sigmoidMulGradGeneric(dr, dx, dy, r, x []float32) {
	for i, v := range r {
		s := sigmoid64(float64(v))
		dx[i] += dy[i] * float32(s)
		dr[i] += dy[i] * x[i] * float32(s*(1-s))
	}
}

func siluGeneric(y, x []float32) {
	for i, v := range x {
		f := max(float64(v), -120) // the result is 0 below -120; -∞·0 would be NaN
		y[i] = float32(f * sigmoid64(f))
	}
}

func siluGradGeneric(dx, dy, x []float32) {
	for i, v := range x {
		f := min(max(float64(v), -120), 120)
		s := sigmoid64(f)
		dx[i] += dy[i] * float32(s+f*s*(1-s))
	}
}

func reluSqGeneric(y, x []float32) {
	for i, v := range x {
		v = max(v, 0)
		y[i] = v * v
	}
}

func reluSqGradGeneric(dx, dy, x []float32) {
	for i, v := range x {
		dx[i] += dy[i] * (2 * max(v, 0))
	}
}

// phi is Φ, computed with erfc so that the lower tail keeps its relative
// accuracy.
func phi(x float64) float64 { return math.Erfc(-x*(1/math.Sqrt2)) / 2 }

func geluGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = float32(zeroTail(float64(v)) * phi(float64(v)))
	}
}

func geluGradGeneric(dx, dy, x []float32) {
	for i, v := range x {
		f := zeroTail(float64(v))
		dx[i] += dy[i] * float32(phi(f)+f*math.Exp(-f*f/2)*(1/math.Sqrt(2*math.Pi)))
	}
}

// zeroTail clips x at -40, below which the GELUs and their slopes are 0 in
// float32: -∞·0 would be NaN.
func zeroTail(x float64) float64 {
	if x < -40 {
		return -40
	}
	return x
}

const (
	geluTanhScale = 0.7978845608028654 // √(2/π)
	geluTanhCubic = 0.044715
)

// 1/2·(1 + tanh z) is σ(2z).
func geluTanhGeneric(y, x []float32) {
	for i, v := range x {
		f := zeroTail(float64(v))
		y[i] = float32(f * sigmoid64(2*geluTanhScale*(f+geluTanhCubic*f*f*f)))
	}
}

func geluTanhGradGeneric(dx, dy, x []float32) {
	for i, v := range x {
		f := min(zeroTail(float64(v)), 40)
		s := sigmoid64(2 * geluTanhScale * (f + geluTanhCubic*f*f*f))
		slope := 2 * geluTanhScale * (1 + 3*geluTanhCubic*f*f)
		dx[i] += dy[i] * float32(s+f*s*(1-s)*slope)
	}
}

func negExpGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = -exp32(v)
	}
}

func negExpGradGeneric(dx, dy, y []float32) {
	for i, v := range y {
		dx[i] += dy[i] * v
	}
}
