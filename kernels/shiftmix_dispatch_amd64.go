//go:build !purego

package kernels

// mixRow is what the assembly reads of each output, by offset.
type mixRow struct{ y, mu, dmu [maxMixes]*float32 }

func shiftMixRow(y, mu *mixSet, n, at int, x, prev []float32) {
	if !useAVX2 {
		shiftMixRowGeneric(y, mu, n, at, x, prev)
		return
	}
	var row mixRow
	for i := range n {
		row.y[i], row.mu[i] = &y[i][0], &mu[i][0]
	}
	shiftMixAVX2(&row.y[0], &x[0], &prev[0], n, at, len(x))
}

func shiftMixGradRow(dy, mu, dmu *mixSet, n, at int, x, prev, dx, dprev []float32) {
	if !useAVX2 {
		shiftMixGradRowGeneric(dy, mu, dmu, n, at, x, prev, dx, dprev)
		return
	}
	var row mixRow
	for i := range n {
		row.y[i], row.mu[i], row.dmu[i] = &dy[i][0], &mu[i][0], &dmu[i][0]
	}
	shiftMixGradAVX2(&row.y[0], &x[0], &prev[0], &dx[0], &dprev[0], n, at, len(x))
}
