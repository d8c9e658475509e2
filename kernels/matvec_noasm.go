//go:build !amd64 || purego

package kernels

func (m *Matrix) dotRows(y, x []float32, row, n, far int) { m.dotRowsGeneric(y, x, row, n, far) }

func (m *Matrix) dotGroups(y []float32, x []actBlock, group, n, far int) {
	m.dotGroupsGeneric(y, x, group, n, far)
}

func quantiseInputs(dst []actBlock, x []float32)           { quantiseInputsGeneric(dst, x) }
func unpackHalf(t DType, dst []float32, src []uint16)      { unpackHalfGeneric(t, dst, src) }
func unpackGroup(t DType, dst []float32, ld int, w []byte) { unpackGroupGeneric(t, dst, ld, w) }
