package metertest

import (
	"runtime"
	"syscall"
	"time"
)

// hurry gives the goroutine that calls it a thread that goes before all others,
// where the system allows that.
func hurry() {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	syscall.Setpriority(syscall.PRIO_PROCESS, 0, -20)
}

// pause sleeps without the help of other threads.
func pause(d time.Duration) {
	t := syscall.NsecToTimespec(d.Nanoseconds())
	syscall.Nanosleep(&t, nil) // what wakes it early does no harm
}
