//go:build amd64 && !purego

package kernels

import "math"

func keys7RemovalAVX2(remove, replace, k, a, kk []float32) float32 {
	s := float32(1 / max(math.Sqrt(sumSquaresOfAVX2(at(k), at(kk), len(k))), 1e-12))
	keys7UnitAVX2(at(remove), at(replace), at(k), at(a), at(kk), s, len(k))
	return s
}

func keys7RemovalGradAVX2(dk, da, dkk, dremove, dreplace, remove, k, a, kk []float32, s float32) {
	var along float32
	if s < 1e12 {
		along = keys7AlongAVX2(at(remove), at(a), at(dreplace), at(dremove), len(k))
	}
	keys7UnitGradAVX2(at(dk), at(da), at(dkk), at(dremove), at(dreplace), at(remove), at(k), at(a), at(kk), along, s, len(k))
}
