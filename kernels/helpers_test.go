package kernels

import (
	"sync"
	"testing"
)

// skipIfPoolsLeak skips where sync.Pool drops what it is given.
func skipIfPoolsLeak(t *testing.T) {
	pool := sync.Pool{New: func() any { return new(int) }}
	cycle := func() {
		for range 100 {
			pool.Put(pool.Get())
		}
	}
	if testing.AllocsPerRun(10, cycle) > 1 {
		t.Skip("the race detector empties pools")
	}
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
