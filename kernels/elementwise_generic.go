package kernels

func tanhSlopeGeneric(y, h []float32) {
	for i, v := range h {
		y[i] *= 1 - v*v
	}
}

func accumulateGeneric(y, x []float32) {
	for i := range y {
		y[i] += x[i]
	}
}

func axpyGeneric(y, x []float32, a float32) {
	for i := range y {
		y[i] += a * x[i]
	}
}

func scaleGeneric(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}

// columnSumsGeneric adds R rows of dy, which lie C floats apart, to db.
func columnSumsGeneric(db, dy []float32, R, C int) {
	for r := range R {
		accumulateGeneric(db, dy[r*C:r*C+len(db)])
	}
}

func sumSquaresGeneric(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}
