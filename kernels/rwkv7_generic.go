package kernels

import "math"

// keys7ScaledGeneric is key = k·(1 + (a-1)·ka).
func keys7ScaledGeneric(key, k, a, ka []float32) {
	for i, v := range k {
		key[i] = v * (1 + (a[i]-1)*ka[i])
	}
}

func keys7ScaledGradGeneric(dk, da, dka, dkey, k, a, ka []float32) {
	for i, d := range dkey {
		dk[i] += d * (1 + (a[i]-1)*ka[i])
		da[i] += d * k[i] * ka[i]
		dka[i] += d * k[i] * (a[i] - 1)
	}
}

// keys7RemovalGeneric computes one head and returns 1/max(‖κ‖, 1e-12).
func keys7RemovalGeneric(remove, replace, k, a, kk []float32) float32 {
	var sum float64
	for i, v := range k {
		kappa := v * kk[i]
		sum += float64(kappa) * float64(kappa)
	}
	s := float32(1 / max(math.Sqrt(sum), 1e-12))
	for i, v := range k {
		unit := v * kk[i] * s
		remove[i], replace[i] = -unit, unit
		if a != nil {
			replace[i] = unit * a[i]
		}
	}
	return s
}

// keys7RemovalGradGeneric reads κ̂ as -remove. A norm below 1e-12 is clipped
// and so constant.
func keys7RemovalGradGeneric(dk, da, dkk, dremove, dreplace, remove, k, a, kk []float32, s float32) {
	rate := func(i int) float32 {
		if a == nil {
			return 1
		}
		return a[i]
	}
	var along float64
	for i, u := range remove {
		along += float64(-u) * float64(rate(i)*dreplace[i]-dremove[i])
	}
	if s >= 1e12 {
		along = 0
	}
	for i, u := range remove {
		d := (rate(i)*dreplace[i] - dremove[i] + u*float32(along)) * s
		dk[i] += d * kk[i]
		dkk[i] += d * k[i]
		if a != nil {
			da[i] -= dreplace[i] * u
		}
	}
}

// dot2Generic is Σ a·b.
func dot2Generic(a, b []float32) float32 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return float32(sum)
}

// dot3Generic is Σ a·b·c.
func dot3Generic(a, b, c []float32) float32 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i]) * float64(c[i])
	}
	return float32(sum)
}

// addScaledGeneric is y = x + s·v.
func addScaledGeneric(y, x, v []float32, s float32) {
	for i := range y {
		y[i] = x[i] + s*v[i]
	}
}

// multiplyGeneric is y = a·b.
func multiplyGeneric(y, a, b []float32) {
	for i := range y {
		y[i] = a[i] * b[i]
	}
}

// mulAxpyGeneric is y += s·a·b.
func mulAxpyGeneric(y, a, b []float32, s float32) {
	for i := range y {
		y[i] += s * a[i] * b[i]
	}
}

// bonus7GradGeneric is dr += e·key·rk, dkey += e·r·rk, drk += e·r·key.
func bonus7GradGeneric(dr, dkey, drk, r, key, rk []float32, e float32) {
	for i := range dr {
		dr[i] += e * key[i] * rk[i]
		dkey[i] += e * r[i] * rk[i]
		drk[i] += e * r[i] * key[i]
	}
}
