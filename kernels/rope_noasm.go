//go:build !amd64 || purego

package kernels

func rotate(y, x, cos, sin []float32)               { rotateGeneric(y, x, cos, sin) }
func rotateBackAdd(dx, dy, cos, sin []float32)      { rotateBackAddGeneric(dx, dy, cos, sin) }
func rotatePairs(y, x, cos, sin []float32)          { rotatePairsGeneric(y, x, cos, sin) }
func rotatePairsBackAdd(dx, dy, cos, sin []float32) { rotatePairsBackAddGeneric(dx, dy, cos, sin) }
