package metertest

import (
	"runtime"
	"syscall"
	"time"
)

// raisePriority moves the calling goroutine to a thread of highest priority, where the
// system allows that.
func raisePriority() {
	runtime.LockOSThread() // not unlocked, so that the thread ends with the goroutine
	syscall.Setpriority(syscall.PRIO_PROCESS, 0, -20)
}

// pause sleeps in the kernel, without waiting for the Go scheduler.
func pause(d time.Duration) {
	t := syscall.NsecToTimespec(d.Nanoseconds())
	syscall.Nanosleep(&t, nil) // waking early does no harm
}
