//go:build !linux

package metertest

import "time"

// hurry moves the calling goroutine to a thread of highest priority, where the
// system allows that.
func hurry() {}

func pause(d time.Duration) { time.Sleep(d) }
