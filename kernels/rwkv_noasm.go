//go:build !amd64 || purego

package kernels

func shiftByRow(y, x, prev, mu, m []float32) { shiftByRowGeneric(y, x, prev, mu, m) }
func shiftByGradRow(dx, dprev, dmu, dm, dy, x, prev, mu, m []float32) {
	shiftByGradRowGeneric(dx, dprev, dmu, dm, dy, x, prev, mu, m)
}
func mulAddSum(y, a, b, c []float32) { mulAddSumGeneric(y, a, b, c) }
func lerp(y, a, b, s []float32)      { lerpGeneric(y, a, b, s) }
func lerpGrad(da, db, ds, dy, a, b, s []float32) {
	lerpGradGeneric(da, db, ds, dy, a, b, s)
}
func curveGrad(dx, dy, y []float32, top float32) { curveGradGeneric(dx, dy, y, top) }
func relu(y, x []float32)                        { reluGeneric(y, x) }
func reluGrad(dx, dy, x []float32)               { reluGradGeneric(dx, dy, x) }
func keys7Scaled(key, k, a, ka []float32)        { keys7ScaledGeneric(key, k, a, ka) }
func keys7ScaledGrad(dk, da, dka, dkey, k, a, ka []float32) {
	keys7ScaledGradGeneric(dk, da, dka, dkey, k, a, ka)
}
func keys7Removal(remove, replace, k, a, kk []float32) float32 {
	return keys7RemovalGeneric(remove, replace, k, a, kk)
}
func keys7RemovalGrad(dk, da, dkk, dremove, dreplace, remove, k, a, kk []float32, s float32) {
	keys7RemovalGradGeneric(dk, da, dkk, dremove, dreplace, remove, k, a, kk, s)
}
func dot3(a, b, c []float32) float32         { return dot3Generic(a, b, c) }
func addScaled(y, x, v []float32, s float32) { addScaledGeneric(y, x, v, s) }
func multiply(y, a, b []float32)             { multiplyGeneric(y, a, b) }
func mulAxpy(y, a, b []float32, s float32)   { mulAxpyGeneric(y, a, b, s) }
func bonus7Grad(dr, dkey, drk, r, key, rk []float32, e float32) {
	bonus7GradGeneric(dr, dkey, drk, r, key, rk, e)
}
