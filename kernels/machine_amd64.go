//go:build amd64 && !purego

package kernels

func fmaRounds(n int) {
	if useAVX2 {
		fmaLoop(n)
	} else {
		fmaRoundsGeneric(n)
	}
}

// readSpan keeps one call short: assembly cannot be interrupted.
const readSpan = 1 << 14

// readFloats sums four far streams, leaving out a rest of fewer than 64 floats.
func readFloats(x []float32) (sum float32) {
	if !useAVX2 || len(x) < 64 {
		return readFloatsGeneric(x)
	}
	far := len(x) / 4 &^ 15
	for i := 0; i < far; i += readSpan {
		sum += readStreams(&x[i], far, min(readSpan, far-i))
	}
	return sum
}
