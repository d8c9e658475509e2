package kernels

func dotGeneric(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// softmaxBackGeneric is ds = p·(ds-d)·scale in place.
func softmaxBackGeneric(ds, p []float32, d, scale float32) {
	for i := range ds {
		ds[i] = p[i] * (ds[i] - d) * scale
	}
}

// headDotsGeneric is scores[h,i] = q[h]·k[i,h] for n rows of k, stride apart.
func headDotsGeneric(scores, q, k []float32, n, stride, H, D int) {
	for i := range n {
		for h := range H {
			scores[h*n+i] = dotGeneric(q[h*D:(h+1)*D], k[i*stride+h*D:])
		}
	}
}

// headSumsGeneric is y[h] = Σ_i p[h,i]·v[i,h] over n rows of v, stride apart.
func headSumsGeneric(y, p, v []float32, n, stride, H, D int) {
	clear(y[:H*D])
	for i := range n {
		for h := range H {
			axpyGeneric(y[h*D:(h+1)*D], v[i*stride+h*D:], p[h*n+i])
		}
	}
}
