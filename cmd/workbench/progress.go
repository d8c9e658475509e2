package main

import (
	"fmt"
	"io"
	"time"
)

// progress says on a line, every two seconds, how far a work is, with its rate
// and time left.
type progress struct {
	w           io.Writer
	unit        string
	total, done int
	begun, said time.Time
}

func newProgress(w io.Writer, total int, unit string) *progress {
	now := time.Now()
	return &progress{w: w, unit: unit, total: total, begun: now, said: now}
}

// step counts n more units as done.
func (p *progress) step(n int) {
	p.done += n
	now := time.Now()
	if now.Sub(p.said) < 2*time.Second {
		return
	}
	p.said = now
	gone := now.Sub(p.begun)
	left := time.Duration(float64(gone) / float64(p.done) * float64(p.total-p.done)).Round(time.Second)
	fmt.Fprintf(p.w, "%3d %%  %.0f %s/s  %s gone, about %s left\n", 100*p.done/p.total, float64(p.done)/gone.Seconds(), p.unit, gone.Round(time.Second), left)
}
