//go:build amd64 && !purego

package kernels

func fmaRoundsAVX2(rounds int) float32 {
	fmaLoopAVX2(rounds)
	return 0
}

// readSpan is the number of floats of one call, kept short because assembly
// cannot be preempted.
const readSpan = 1 << 14

// readFloatsAVX2 sums four streams that lie far apart.
func readFloatsAVX2(x []float32) (sum float32) {
	far := len(x) / 4 &^ 15
	for i := 0; i < far; i += readSpan {
		sum += readStreamsAVX2(&x[i], far, min(readSpan, far-i))
	}
	return sum
}
