package kernels

func rotateGeneric(y, x, cos, sin []float32) {
	half := len(cos)
	for i := range cos {
		a, b := x[i], x[half+i]
		y[i] = a*cos[i] - b*sin[i]
		y[half+i] = b*cos[i] + a*sin[i]
	}
}

func rotateBackAddGeneric(dx, dy, cos, sin []float32) {
	half := len(cos)
	for i := range cos {
		a, b := dy[i], dy[half+i]
		dx[i] += a*cos[i] + b*sin[i]
		dx[half+i] += b*cos[i] - a*sin[i]
	}
}
