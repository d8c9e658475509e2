//go:build amd64 && !purego

package kernels

func dotRowsAVX2(m *Matrix, y, x []float32, row, n, far int) {
	switch m.Type {
	case F32:
		dotF32AVX2(&y[row], far, &m.f32[row*m.K], far*m.K, &x[0], m.K, n)
	case BF16:
		dotBF16AVX2(&y[row], far, &m.half[row*m.stride], far*m.stride, &x[0], m.stride, n)
	default:
		dotF16AVX2(&y[row], far, &m.half[row*m.stride], far*m.stride, &x[0], m.stride, n)
	}
}

func dotGroupsAVX2(m *Matrix, y []float32, x []actBlock, group, n, far int) {
	size := m.groupBytes()
	w, in := &m.blocks[group*size], &x[0]
	if m.Type == Q8_0 {
		dotQ8AVX2(&y[0], far*groupRows, w, far*size, in, len(x), n)
	} else {
		dotQ4AVX2(&y[0], far*groupRows, w, far*size, in, len(x), n)
	}
}

func unpackHalfAVX2(t DType, dst []float32, src []uint16) {
	n := len(src) &^ 15
	switch {
	case n == 0:
	case t == BF16:
		unpackBF16AVX2(&dst[0], &src[0], n)
	default:
		unpackF16AVX2(&dst[0], &src[0], n)
	}
	unpackHalfGeneric(t, dst[n:], src[n:])
}

func packHalfAVX2(t DType, dst []uint16, src []float32) {
	n := len(src) &^ 7
	switch {
	case n == 0:
	case t == BF16:
		packBF16AVX2(&dst[0], &src[0], n)
	default:
		packF16AVX2(&dst[0], &src[0], n)
	}
	packHalfGeneric(t, dst[n:], src[n:])
}

func unpackGroupAVX2(t DType, dst []float32, ld int, w []byte) {
	blocks := len(w) / (groupRows * (2 + payload(t)))
	if t == Q8_0 {
		unpackQ8AVX2(&dst[0], ld, &w[0], blocks)
	} else {
		unpackQ4AVX2(&dst[0], ld, &w[0], blocks)
	}
}
