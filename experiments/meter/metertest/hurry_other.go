//go:build !linux

package metertest

import "time"

// hurry gives the goroutine that calls it a thread that goes before all others,
// where the system allows that.
func hurry() {}

func pause(d time.Duration) { time.Sleep(d) }
