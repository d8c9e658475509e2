//go:build !purego

package kernels

func exp(y, x []float32) {
	if useAVX2 {
		expAVX2(at(y), at(x), len(y))
		return
	}
	expGeneric(y, x)
}

func tanh(y, x []float32) {
	if useAVX2 {
		tanhAVX2(at(y), at(x), len(y))
		return
	}
	tanhGeneric(y, x)
}

func sigmoid(y, x []float32) {
	if useAVX2 {
		sigmoidAVX2(at(y), at(x), len(y))
		return
	}
	sigmoidGeneric(y, x)
}

func reluSq(y, x []float32) {
	if useAVX2 {
		reluSqAVX2(at(y), at(x), len(y))
		return
	}
	reluSqGeneric(y, x)
}

func gelu(y, x []float32) {
	if useAVX2 {
		geluAVX2(at(y), at(x), len(y))
		return
	}
	geluGeneric(y, x)
}

func geluTanh(y, x []float32) {
	if useAVX2 {
		geluTanhAVX2(at(y), at(x), len(y))
		return
	}
	geluTanhGeneric(y, x)
}

func silu(y, x []float32) {
	if useAVX2 {
		siluAVX2(at(y), at(x), len(y))
		return
	}
	siluGeneric(y, x)
}

func siluGrad(dx, dy, x []float32) {
	if useAVX2 {
		siluGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	siluGradGeneric(dx, dy, x)
}

func negExp(y, x []float32) {
	if useAVX2 {
		negExpAVX2(at(y), at(x), len(y))
		return
	}
	negExpGeneric(y, x)
}

func tanhGrad(dx, dy, y []float32) {
	if useAVX2 {
		tanhGradAVX2(at(dx), at(dy), at(y), len(dx))
		return
	}
	tanhGradGeneric(dx, dy, y)
}

func reluSqGrad(dx, dy, x []float32) {
	if useAVX2 {
		reluSqGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	reluSqGradGeneric(dx, dy, x)
}

func geluGrad(dx, dy, x []float32) {
	if useAVX2 {
		geluGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	geluGradGeneric(dx, dy, x)
}

func geluTanhGrad(dx, dy, x []float32) {
	if useAVX2 {
		geluTanhGradAVX2(at(dx), at(dy), at(x), len(dx))
		return
	}
	geluTanhGradGeneric(dx, dy, x)
}

func negExpGrad(dx, dy, y []float32) {
	if useAVX2 {
		negExpGradAVX2(at(dx), at(dy), at(y), len(dx))
		return
	}
	negExpGradGeneric(dx, dy, y)
}

func sigmoidMul(y, r, x []float32) {
	if useAVX2 {
		sigmoidMulAVX2(at(y), at(r), at(x), len(y))
		return
	}
	sigmoidMulGeneric(y, r, x)
}

func sigmoidMulGrad(dr, dx, dy, r, x []float32) {
	if useAVX2 {
		sigmoidMulGradAVX2(at(dr), at(dx), at(dy), at(r), at(x), len(dr))
		return
	}
	sigmoidMulGradGeneric(dr, dx, dy, r, x)
}
