package kernels

import "math"

func adamWGeneric(p, g, m, v []float32, s *adamScalars) {
	for i := range p {
		d := g[i] * s.gscale
		m[i] += s.blend1 * (d - m[i])
		v[i] = s.beta2*v[i] + s.blend2*d*d
		root := float32(math.Sqrt(float64(v[i]))) * s.root2
		p[i] = p[i]*s.keep - s.rate*m[i]/(root+s.eps)
	}
}
