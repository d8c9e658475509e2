package kernels

func shiftByRowGeneric(y, x, prev, mu, m []float32) {
	for c, v := range x {
		y[c] = v + (mu[c]+m[c])*(prev[c]-v)
	}
}

func shiftByGradRowGeneric(dx, dprev, dmu, dm, dy, x, prev, mu, m []float32) {
	for c, g := range dy {
		share, d := mu[c]+m[c], g*(prev[c]-x[c])
		dx[c] += g * (1 - share)
		dprev[c] += g * share
		dm[c] += d
		dmu[c] += d
	}
}

// mulAddSumGeneric is y += a·(b+c).
func mulAddSumGeneric(y, a, b, c []float32) {
	for i := range y {
		y[i] += a[i] * (b[i] + c[i])
	}
}
