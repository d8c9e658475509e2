//go:build !linux

package metertest

import "time"

// raisePriority moves the calling goroutine to a thread of highest priority, where the
// system allows that.
func raisePriority() {}

func pause(d time.Duration) { time.Sleep(d) }
