package kernels

func lerpGeneric(y, a, b, s []float32) {
	for i, v := range a {
		y[i] = v + s[i]*(b[i]-v)
	}
}

func lerpGradGeneric(da, db, ds, dy, a, b, s []float32) {
	for i, d := range dy {
		da[i] += d * (1 - s[i])
		db[i] += d * s[i]
		ds[i] += d * (b[i] - a[i])
	}
}

// curveGradGeneric is dx += dy·y·(1 - y/top), the gradient of y = top·σ(x).
func curveGradGeneric(dx, dy, y []float32, top float32) {
	for i, v := range y {
		dx[i] += dy[i] * (v - v*v/top)
	}
}

func reluGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = max(v, 0)
	}
}

func reluGradGeneric(dx, dy, x []float32) {
	for i, v := range x {
		if v > 0 {
			dx[i] += dy[i]
		}
	}
}
