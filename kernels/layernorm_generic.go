package kernels

import "math"

// normRowGeneric computes one row of len(mean) groups of n channels.
func normRowGeneric(y, x, w, b, mean, rstd []float32, n int, eps float32) {
	for g := range mean {
		var sum, squares float64
		group := x[g*n : (g+1)*n]
		for _, v := range group {
			sum += float64(v)
		}
		mu := sum / float64(n)
		for _, v := range group {
			squares += (float64(v) - mu) * (float64(v) - mu)
		}
		mean[g], rstd[g] = float32(mu), float32(1/math.Sqrt(squares/float64(n)+float64(eps)))
		m, r := float32(mu), float32(1/math.Sqrt(squares/float64(n)+float64(eps)))
		for c := g * n; c < (g+1)*n; c++ {
			y[c] = (x[c]-m)*r*w[c] + b[c]
		}
	}
}

func normGradRowGeneric(dx, dw, db, dy, x, w, mean, rstd []float32, n int) {
	for k := range mean {
		var sumG, sumGH float64
		for c := k * n; c < (k+1)*n; c++ {
			g, h := dy[c]*w[c], (x[c]-mean[k])*rstd[k]
			sumG += float64(g)
			sumGH += float64(g) * float64(h)
		}
		meanG, meanGH := float32(sumG/float64(n)), float32(sumGH/float64(n))
		for c := k * n; c < (k+1)*n; c++ {
			g, h := dy[c]*w[c], (x[c]-mean[k])*rstd[k]
			dx[c] += rstd[k] * (g - meanG - h*meanGH)
			dw[c] += dy[c] * h
			db[c] += dy[c]
		}
	}
}
