package kernels

// shiftMixRowGeneric computes the row that starts at offset at in every y.
func shiftMixRowGeneric(y, mu *mixSet, n, at int, x, prev []float32) {
	for i := range n {
		out, m := y[i][at:at+len(x)], mu[i]
		for c, v := range x {
			out[c] = prev[c] + m[c]*(v-prev[c])
		}
	}
}

func shiftMixGradRowGeneric(dy, mu, dmu *mixSet, n, at int, x, prev, dx, dprev []float32) {
	for i := range n {
		g, m, d := dy[i][at:at+len(x)], mu[i], dmu[i]
		for c, v := range x {
			dx[c] += m[c] * g[c]
			dprev[c] += (1 - m[c]) * g[c]
			d[c] += g[c] * (v - prev[c])
		}
	}
}

// mulAddRestGeneric is y += a·(1-b).
func mulAddRestGeneric(y, a, b []float32) {
	for i := range y {
		y[i] += a[i] * (1 - b[i])
	}
}
