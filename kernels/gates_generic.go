package kernels

func siluMulGeneric(y, z, x []float32) {
	for i, v := range z {
		f := max(float64(v), -120) // below it is nothing, and -∞·0 not a number
		y[i] = x[i] * float32(f*sigmoid64(f))
	}
}

func siluMulGradGeneric(dz, dx, dy, z, x []float32) {
	for i, v := range z {
		f := min(max(float64(v), -120), 120)
		s := sigmoid64(f)
		dx[i] += dy[i] * float32(f*s)
		dz[i] += dy[i] * x[i] * float32(s+f*s*(1-s))
	}
}

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

// curveGradGeneric is dx += dy·y·(1 - y/top): the slope of top·σ, by its value.
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
