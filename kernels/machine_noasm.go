//go:build !amd64 || purego

package kernels

func fmaRounds(n int)                { fmaRoundsGeneric(n) }
func readFloats(x []float32) float32 { return readFloatsGeneric(x) }
