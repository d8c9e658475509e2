//go:build amd64 && !purego

package kernels

// mixRow is what the assembly reads of each output, by offset.
type mixRow struct{ y, mu, dmu [MaxMixes]*float32 }

func shiftMixRowAVX2(y, mu *mixSet, n, at int, x, prev []float32) {
	var row mixRow
	for i := range n {
		row.y[i], row.mu[i] = &y[i][0], &mu[i][0]
	}
	shiftMixAVX2(&row.y[0], &x[0], &prev[0], n, at, len(x))
}

func shiftMixGradRowAVX2(dy, mu, dmu *mixSet, n, at int, x, prev, dx, dprev []float32) {
	var row mixRow
	for i := range n {
		row.y[i], row.mu[i], row.dmu[i] = &dy[i][0], &mu[i][0], &dmu[i][0]
	}
	shiftMixGradAVX2(&row.y[0], &x[0], &prev[0], &dx[0], &dprev[0], n, at, len(x))
}
