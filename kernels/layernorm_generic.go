package kernels

import "math"

func layerNormRowGeneric(y, x, w, b []float32, eps float32) (mean, rstd float32) {
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
	}
	mu := sum / float64(len(x))
	for _, v := range x {
		squares += (float64(v) - mu) * (float64(v) - mu)
	}
	r := 1 / math.Sqrt(squares/float64(len(x))+float64(eps))
	mean, rstd = float32(mu), float32(r)
	for c, v := range x {
		y[c] = (v-mean)*rstd*w[c] + b[c]
	}
	return mean, rstd
}

func layerNormGradRowGeneric(dx, dy, x, w []float32, mean, rstd float32) {
	var sumG, sumGH float64
	for c := range dx {
		g, h := dy[c]*w[c], (x[c]-mean)*rstd
		sumG += float64(g)
		sumGH += float64(g) * float64(h)
	}
	meanG := float32(sumG / float64(len(dx)))
	meanGH := float32(sumGH / float64(len(dx)))
	for c := range dx {
		g, h := dy[c]*w[c], (x[c]-mean)*rstd
		dx[c] += rstd * (g - meanG - h*meanGH)
	}
}

// layerNormGradWGeneric sums len(mean) rows of len(dw) columns, C apart.
func layerNormGradWGeneric(dw, dy, x, mean, rstd []float32, C int) {
	for r := range mean {
		for c := range dw {
			dw[c] += dy[r*C+c] * ((x[r*C+c] - mean[r]) * rstd[r])
		}
	}
}
