//go:build !amd64 || purego

package kernels

func attendTile(j *attentionJob, b, h, t0, rows int) { attendTileGeneric(j, b, h, t0, rows) }

func attendBack(j *attentionGradJob, b, h, group, k0, n int) {
	attendBackGeneric(j, b, h, group, k0, n)
}

func headDots(scores, q, k []float32, n, stride, H, G, D int) (slots, ld int) {
	headDotsGeneric(scores, q, k, n, stride, H, G, D)
	return n, n
}

func headSums(y, p, v []float32, n, stride, H, G, D int) {
	headSumsGeneric(y, p, v, n, stride, H, G, D)
}
