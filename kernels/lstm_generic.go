package kernels

import "math"

// lstmCellGeneric is one step of len(h) units. The four parts of z lie H floats
// apart; z holds sums on entry, gates on return.
func lstmCellGeneric(h, c, c0, z []float32, H int) {
	for k := range h {
		i, f, o := sigmoid64(float64(z[k])), sigmoid64(float64(z[k+H])), sigmoid64(float64(z[k+3*H]))
		g := math.Tanh(float64(z[k+2*H]))
		cell := f*float64(c0[k]) + i*g
		c[k], h[k] = float32(cell), float32(o*math.Tanh(cell))
		z[k], z[k+H], z[k+2*H], z[k+3*H] = float32(i), float32(f), float32(g), float32(o)
	}
}

// lstmCellGradGeneric is one step backwards of len(e) units. dc is the gradient
// to c of this step on entry, to that of the step before on return.
func lstmCellGradGeneric(dx, dc, e, c, c0, z []float32, H int) {
	for k := range e {
		i, f, g, o := z[k], z[k+H], z[k+2*H], z[k+3*H]
		tc := float32(math.Tanh(float64(c[k])))
		d := dc[k] + e[k]*o*(1-tc*tc)
		dx[k] = d * g * i * (1 - i)
		dx[k+H] = d * c0[k] * f * (1 - f)
		dx[k+2*H] = d * i * (1 - g*g)
		dx[k+3*H] = e[k] * tc * o * (1 - o)
		dc[k] = d * f
	}
}
