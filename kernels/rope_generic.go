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

// rotatePairsGeneric rotates neighbours: cos and sin hold every angle twice,
// the sines as -sin φ, sin φ.
func rotatePairsGeneric(y, x, cos, sin []float32) {
	for i := 0; i < len(y); i += 2 {
		a, b := x[i], x[i+1]
		y[i], y[i+1] = a*cos[i]+b*sin[i], b*cos[i+1]+a*sin[i+1]
	}
}

func rotatePairsBackAddGeneric(dx, dy, cos, sin []float32) {
	for i := 0; i < len(dx); i += 2 {
		a, b := dy[i], dy[i+1]
		dx[i] += a*cos[i] - b*sin[i]
		dx[i+1] += b*cos[i+1] - a*sin[i+1]
	}
}
