//go:build !unix

package meter

import (
	"fmt"
	"runtime"
	"time"
)

// CPUTime returns the user and system time of this process, all threads.
func CPUTime() (time.Duration, error) {
	return 0, fmt.Errorf("processor time is not available on %s", runtime.GOOS)
}
