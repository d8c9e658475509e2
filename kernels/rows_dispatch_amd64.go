//go:build !purego

package kernels

func normRow(y, x, w, b, mean, rstd []float32, eps float32) {
	if useAVX2 {
		normRowAVX2(at(y), at(x), at(w), at(b), at(mean), at(rstd), len(mean), len(x)/len(mean), eps)
		return
	}
	normRowGeneric(y, x, w, b, mean, rstd, eps)
}

func normGradRow(dx, dw, db, dy, x, w, mean, rstd []float32) {
	if useAVX2 {
		normGradRowAVX2(at(dx), at(dw), at(db), at(dy), at(x), at(w), at(mean), at(rstd), len(mean), len(x)/len(mean))
		return
	}
	normGradRowGeneric(dx, dw, db, dy, x, w, mean, rstd)
}

func maxOf(x []float32) float32 {
	if useAVX2 {
		return maxOfAVX2(at(x), len(x))
	}
	return maxOfGeneric(x)
}

func firstOf(x []float32, v float32) int {
	if useAVX2 {
		return firstOfAVX2(at(x), v, len(x))
	}
	return firstOfGeneric(x, v)
}

func expShift(y, x []float32, scale, top float32) float32 {
	if useAVX2 {
		return expShiftAVX2(at(y), at(x), scale, top, len(y))
	}
	return expShiftGeneric(y, x, scale, top)
}

func sumExpShift(x []float32, top float32) float32 {
	if useAVX2 {
		return sumExpShiftAVX2(at(x), top, len(x))
	}
	return sumExpShiftGeneric(x, top)
}

func addExpShift(y, x []float32, shift, scale float32) {
	if useAVX2 {
		addExpShiftAVX2(at(y), at(x), shift, scale, len(y))
		return
	}
	addExpShiftGeneric(y, x, shift, scale)
}

func dot(a, b []float32) float32 {
	if useAVX2 {
		return dotAVX2(at(a), at(b), len(a))
	}
	return dotGeneric(a, b)
}
