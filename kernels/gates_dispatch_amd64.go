//go:build !purego

package kernels

import "math"

//go:generate go run -C _asm ./ops -group gates -out ../gates_amd64.s -stubs ../gates_amd64.go -pkg kernels

func shiftByRow(y, x, prev, mu, m []float32) {
	if useAVX2 {
		shiftByRowAVX2(at(y), at(x), at(prev), at(mu), at(m), len(x))
		return
	}
	shiftByRowGeneric(y, x, prev, mu, m)
}

func shiftByGradRow(dx, dprev, dmu, dm, dy, x, prev, mu, m []float32) {
	if useAVX2 {
		shiftByGradRowAVX2(at(dx), at(dprev), at(dmu), at(dm), at(dy), at(x), at(prev), at(mu), at(m), len(dy))
		return
	}
	shiftByGradRowGeneric(dx, dprev, dmu, dm, dy, x, prev, mu, m)
}

func mulAddSum(y, a, b, c []float32) {
	if useAVX2 {
		mulAddSumAVX2(at(y), at(a), at(b), at(c), len(y))
		return
	}
	mulAddSumGeneric(y, a, b, c)
}

func lerp(y, a, b, s []float32) {
	if useAVX2 {
		lerpAVX2(at(y), at(a), at(b), at(s), len(y))
		return
	}
	lerpGeneric(y, a, b, s)
}

func lerpGrad(da, db, ds, dy, a, b, s []float32) {
	if useAVX2 {
		lerpGradAVX2(at(da), at(db), at(ds), at(dy), at(a), at(b), at(s), len(dy))
		return
	}
	lerpGradGeneric(da, db, ds, dy, a, b, s)
}

func curveGrad(dx, dy, y []float32, top float32) {
	if useAVX2 {
		curveGradAVX2(at(dx), at(dy), at(y), 1/top, len(y))
		return
	}
	curveGradGeneric(dx, dy, y, top)
}

func relu(y, x []float32) {
	if useAVX2 {
		reluAVX2(at(y), at(x), len(x))
		return
	}
	reluGeneric(y, x)
}

func reluGrad(dx, dy, x []float32) {
	if useAVX2 {
		reluGradAVX2(at(dx), at(dy), at(x), len(x))
		return
	}
	reluGradGeneric(dx, dy, x)
}

func keys7Scaled(key, k, a, ka []float32) {
	if useAVX2 {
		keys7ScaledAVX2(at(key), at(k), at(a), at(ka), len(k))
		return
	}
	keys7ScaledGeneric(key, k, a, ka)
}

func keys7ScaledGrad(dk, da, dka, dkey, k, a, ka []float32) {
	if useAVX2 {
		keys7ScaledGradAVX2(at(dk), at(da), at(dka), at(dkey), at(k), at(a), at(ka), len(k))
		return
	}
	keys7ScaledGradGeneric(dk, da, dka, dkey, k, a, ka)
}

func keys7Removal(remove, replace, k, a, kk []float32) float32 {
	if !useAVX2 || a == nil {
		return keys7RemovalGeneric(remove, replace, k, a, kk)
	}
	s := float32(1 / max(math.Sqrt(sumSquaresOfAVX2(at(k), at(kk), len(k))), 1e-12))
	keys7UnitAVX2(at(remove), at(replace), at(k), at(a), at(kk), s, len(k))
	return s
}

func keys7RemovalGrad(dk, da, dkk, dremove, dreplace, remove, k, a, kk []float32, s float32) {
	if !useAVX2 || a == nil {
		keys7RemovalGradGeneric(dk, da, dkk, dremove, dreplace, remove, k, a, kk, s)
		return
	}
	var along float32
	if s < 1e12 {
		along = keys7AlongAVX2(at(remove), at(a), at(dreplace), at(dremove), len(k))
	}
	keys7UnitGradAVX2(at(dk), at(da), at(dkk), at(dremove), at(dreplace), at(remove), at(k), at(a), at(kk), along, s, len(k))
}

func dot3(a, b, c []float32) float32 {
	switch {
	case !useAVX2:
		return dot3Generic(a, b, c)
	case c == nil:
		return dot2AVX2(at(a), at(b), len(a))
	}
	return dot3AVX2(at(a), at(b), at(c), len(a))
}

func addScaled(y, x, v []float32, s float32) {
	if useAVX2 {
		addScaledAVX2(at(y), at(x), at(v), s, len(y))
		return
	}
	addScaledGeneric(y, x, v, s)
}

func multiply(y, a, b []float32) {
	if useAVX2 {
		multiplyAVX2(at(y), at(a), at(b), len(y))
		return
	}
	multiplyGeneric(y, a, b)
}

func mulAxpy(y, a, b []float32, s float32) {
	if useAVX2 {
		mulAxpyAVX2(at(y), at(a), at(b), s, len(y))
		return
	}
	mulAxpyGeneric(y, a, b, s)
}

func bonus7Grad(dr, dkey, drk, r, key, rk []float32, e float32) {
	if useAVX2 {
		bonus7GradAVX2(at(dr), at(dkey), at(drk), at(r), at(key), at(rk), e, len(r))
		return
	}
	bonus7GradGeneric(dr, dkey, drk, r, key, rk, e)
}
