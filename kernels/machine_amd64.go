//go:build amd64 && !purego

package kernels

func fmaRounds(n int) {
	if useAVX2 {
		fmaLoop(n)
	} else {
		fmaRoundsGeneric(n)
	}
}

func readFloats(x []float32) float32 {
	if !useAVX2 || len(x) < 64 {
		return readFloatsGeneric(x)
	}
	return readStreams(&x[0], len(x)/4, len(x)/4)
}
