package experiments

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress tells a person how far a run is: a bar on a terminal, lines
// elsewhere.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	width int // of the terminal, 0: none
	now   func() time.Time
	begun time.Time
	shown time.Time
}

const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 10 * time.Second
)

func newProgress(w io.Writer, now func() time.Time) *progress {
	p := &progress{w: w, now: now, begun: now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.width = 100
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 20 {
			p.width = width
		}
	}
	return p
}

// say prints a line of its own.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w == nil {
		return
	}
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// at tells which cell is measured, its rate in tokens a second (0: unknown)
// and about how much time the rest of the run takes.
func (p *progress) at(cell string, rate float64, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := lineEvery
	if p.width > 0 {
		every = barEvery
	}
	if now := p.now(); p.w != nil && now.Sub(p.shown) >= every {
		p.shown = now
		p.draw(cell, rate, now.Sub(p.begun), left)
	}
}

func (p *progress) draw(cell string, rate float64, gone, left time.Duration) {
	share := gone.Seconds() / max(gone.Seconds()+left.Seconds(), 1e-9)
	text := fmt.Sprintf("%3.0f %%  %s", 100*share, cell)
	if rate > 0 {
		text += fmt.Sprintf("  %s tok/s", short(rate))
	}
	text += fmt.Sprintf("  %s gone, about %s left", clock(gone), clock(left))
	if p.width == 0 {
		fmt.Fprintln(p.w, text)
		return
	}
	const bar = 20
	full := int(share * bar)
	line := []rune("[" + strings.Repeat("#", full) + strings.Repeat(".", bar-full) + "] " + text)
	fmt.Fprintf(p.w, "\r\x1b[K%s", string(line[:min(len(line), p.width-1)]))
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.width > 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// end takes the bar away for good.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w != nil {
		p.clear()
	}
}

// short writes a number with three digits.
func short(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.3gM", x/1e6)
	case x >= 1e3:
		return fmt.Sprintf("%.3gk", x/1e3)
	}
	return fmt.Sprintf("%.3g", x)
}

// clock writes a duration as 1m05s.
func clock(d time.Duration) string {
	s := int(max(d, 0).Seconds() + 0.5)
	if s < 60 {
		return fmt.Sprintf("%ds", s)
	}
	return fmt.Sprintf("%dm%02ds", s/60, s%60)
}
