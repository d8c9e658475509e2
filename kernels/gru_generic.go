package kernels

import "math"

// gruCellGeneric is one step of len(h) units. The three parts of g and b lie H
// floats apart. g holds the sums of x and W·h on entry, the gates on return; b
// is added to g and q here.
func gruCellGeneric(h, q, h0, g, b []float32, H int) {
	for k := range h {
		q[k] += b[k+2*H]
		r, z := sigmoid64(float64(g[k]+b[k])), sigmoid64(float64(g[k+H]+b[k+H]))
		n := math.Tanh(float64(g[k+2*H]) + r*float64(q[k]))
		h[k] = float32(n + z*(float64(h0[k])-n))
		g[k], g[k+H], g[k+2*H] = float32(r), float32(z), float32(n)
	}
}

// gruCellGradGeneric is one step backwards of len(e) units. e is the gradient
// to h of this step on entry, its elementwise part to h of the step before on
// return.
func gruCellGradGeneric(dn, dy, e, h0, q, g []float32, H int) {
	for k, d := range e {
		r, z, n := g[k], g[k+H], g[k+2*H]
		dn[k] = d * (1 - z) * (1 - n*n)
		dy[k] = dn[k] * q[k] * r * (1 - r)
		dy[k+H] = d * (h0[k] - n) * z * (1 - z)
		dy[k+2*H] = dn[k] * r
		e[k] = d * z
	}
}
