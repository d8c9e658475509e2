package meter

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// perfFile is the descriptor of an event.
type perfFile int

// perfEvent implements openPerf.
func perfEvent(unit uint32, event uint64, cpu int) (perfCounter, error) {
	attr := unix.PerfEventAttr{Type: unit, Config: event, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("perf_event_open: %w", err)
	}
	return perfFile(fd), nil
}

func (f perfFile) value() (uint64, error) {
	var b [8]byte
	n, err := unix.Read(int(f), b[:])
	if err == nil && n != len(b) {
		err = fmt.Errorf("%d bytes, not %d", n, len(b))
	}
	return binary.NativeEndian.Uint64(b[:]), err
}

func (f perfFile) close() { unix.Close(int(f)) }
