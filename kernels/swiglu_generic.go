package kernels

func swiGLUGeneric(y, g, u []float32) {
	for i, v := range g {
		f := float64(v)
		y[i] = float32(f*sigmoid64(f)) * u[i]
	}
}

func swiGLUGradGeneric(dg, du, dy, g, u []float32) {
	for i, v := range g {
		f := float64(v)
		s := sigmoid64(f)
		du[i] += dy[i] * float32(f*s)
		dg[i] += dy[i] * u[i] * float32(s+f*s*sigmoid64(-f))
	}
}
