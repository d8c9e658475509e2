//go:build !purego

package kernels

import "unsafe"

func (m *Matrix) dotRows(y, x []float32, row, n, far int) {
	if !useAVX2 {
		m.dotRowsGeneric(y, x, row, n, far)
		return
	}
	switch m.Type {
	case F32:
		dotF32(&y[row], far, &m.f32[row*m.K], far*m.K, &x[0], m.K, n)
	case BF16:
		dotBF16(&y[row], far, &m.half[row*m.stride], far*m.stride, &x[0], m.stride, n)
	default:
		dotF16(&y[row], far, &m.half[row*m.stride], far*m.stride, &x[0], m.stride, n)
	}
}

func (m *Matrix) dotGroups(y []float32, x []actBlock, group, n, far int) {
	if !useAVX2 {
		m.dotGroupsGeneric(y, x, group, n, far)
		return
	}
	size := m.groupBytes()
	w, in := &m.blocks[group*size], (*byte)(unsafe.Pointer(&x[0]))
	if m.Type == Q8_0 {
		dotQ8(&y[0], far*groupRows, w, far*size, in, len(x), n)
	} else {
		dotQ4(&y[0], far*groupRows, w, far*size, in, len(x), n)
	}
}

func quantiseInputs(dst []actBlock, x []float32) {
	if !useAVX2 || len(dst) == 0 {
		quantiseInputsGeneric(dst, x)
		return
	}
	quantiseBlocks((*byte)(unsafe.Pointer(&dst[0])), &x[0], len(dst))
}

func unpackHalf(t DType, dst []float32, src []uint16) {
	n := len(src) &^ 15
	switch {
	case !useAVX2 || n == 0:
		n = 0
	case t == BF16:
		unpackBF16(&dst[0], &src[0], n)
	default:
		unpackF16(&dst[0], &src[0], n)
	}
	unpackHalfGeneric(t, dst[n:], src[n:])
}

func unpackGroup(t DType, dst []float32, ld int, w []byte) {
	switch blocks := len(w) / (groupRows * (2 + payload(t))); {
	case !useAVX2:
		unpackGroupGeneric(t, dst, ld, w)
	case t == Q8_0:
		unpackQ8(&dst[0], ld, &w[0], blocks)
	default:
		unpackQ4(&dst[0], ld, &w[0], blocks)
	}
}
