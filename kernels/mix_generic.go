package kernels

func mixGeneric(y, x, prev, mu []float32) {
	for c, m := range mu {
		y[c] = m*x[c] + (1-m)*prev[c]
	}
}

// mulAddGeneric is y += a·b.
func mulAddGeneric(y, a, b []float32) {
	for i := range y {
		y[i] += a[i] * b[i]
	}
}

// mulAddRestGeneric is y += a·(1-b).
func mulAddRestGeneric(y, a, b []float32) {
	for i := range y {
		y[i] += a[i] * (1 - b[i])
	}
}

// mixMuGradGeneric sums R rows of len(dmu) columns; rows start C apart.
func mixMuGradGeneric(dmu, dy, x, prev []float32, R, C int) {
	for r := range R {
		for c := range dmu {
			dmu[c] += dy[r*C+c] * (x[r*C+c] - prev[r*C+c])
		}
	}
}
