package kernels

import "math"

// gruCellGeneric is one step of len(h) units, whose parts in g and b are H
// floats apart: g goes in as sums and comes out as gates, b is still to be
// added to it and to q.
func gruCellGeneric(h, q, h0, g, b []float32, H int) {
	for k := range h {
		q[k] += b[k+2*H]
		r, z := sigmoid64(float64(g[k]+b[k])), sigmoid64(float64(g[k+H]+b[k+H]))
		n := math.Tanh(float64(g[k+2*H]) + r*float64(q[k]))
		h[k] = float32(n + z*(float64(h0[k])-n))
		g[k], g[k+H], g[k+2*H] = float32(r), float32(z), float32(n)
	}
}

// gruCellGradGeneric is one step back of len(e) units: e goes in and comes out
// as its part of that of the time before.
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
