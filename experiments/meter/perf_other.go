//go:build !linux

package meter

import (
	"fmt"
	"runtime"
)

// perfEvent implements openPerf.
func perfEvent(uint32, uint64, int) (perfCounter, error) {
	return nil, fmt.Errorf("not available on %s", runtime.GOOS)
}
