package kernels

import "math"

// maxOfGeneric returns the largest of x, which is not empty.
func maxOfGeneric(x []float32) float32 {
	top := x[0]
	for _, v := range x[1:] {
		top = max(top, v)
	}
	return top
}

// firstOfGeneric returns the index of the first v in x, or len(x).
func firstOfGeneric(x []float32, v float32) int {
	for i, e := range x {
		if e == v {
			return i
		}
	}
	return len(x)
}

// expShiftGeneric is y = e^(scale·x - top), and returns Σ y.
func expShiftGeneric(y, x []float32, scale, top float32) float32 {
	var sum float64
	for i, v := range x {
		e := math.Exp(float64(scale*v - top))
		y[i] = float32(e)
		sum += e
	}
	return float32(sum)
}

// sumExpShiftGeneric returns Σ e^(x-top).
func sumExpShiftGeneric(x []float32, top float32) float32 {
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v) - float64(top))
	}
	return float32(sum)
}

// addExpShiftGeneric is y += scale·e^(x-shift).
func addExpShiftGeneric(y, x []float32, shift, scale float32) {
	for i, v := range x {
		y[i] += scale * exp32(v-shift)
	}
}
