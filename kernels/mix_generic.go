package kernels

func mixGeneric(y, x, prev, mu []float32) {
	for c, m := range mu {
		y[c] = m*x[c] + (1-m)*prev[c]
	}
}

// mulAddRestGeneric is y += a·(1-b).
func mulAddRestGeneric(y, a, b []float32) {
	for i := range y {
		y[i] += a[i] * (1 - b[i])
	}
}

func mixGradGeneric(dx, dprev, dmu, dy, x, prev, mu []float32) {
	for c, m := range mu {
		dx[c] += m * dy[c]
		dprev[c] += (1 - m) * dy[c]
		dmu[c] += dy[c] * (x[c] - prev[c])
	}
}
