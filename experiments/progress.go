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

// A Progress tells a person how far some work is: a bar on a terminal, lines
// elsewhere.
type Progress struct {
	mu    sync.Mutex
	w     io.Writer // nil: silent
	width int       // of the terminal, 0: none
	every time.Duration
	now   func() time.Time
	begun time.Time
	shown time.Time
	done  int // that Count counted
}

const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 10 * time.Second // of a run
)

// NewProgress begins to tell of work that begins now. What is no terminal gets
// a line no more often than that.
func NewProgress(w io.Writer, every time.Duration) *Progress { return newProgress(w, every, time.Now) }

func newProgress(w io.Writer, every time.Duration, now func() time.Time) *Progress {
	p := &Progress{w: w, every: every, now: now, begun: now()}
	p.shown = p.begun
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.width, p.every = 100, barEvery
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 20 {
			p.width = width
		}
	}
	return p
}

// Say prints a line of its own.
func (p *Progress) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w == nil {
		return
	}
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// At tells what is done now, at how many tokens a second (0: unknown), and
// about how much time the rest takes.
func (p *Progress) At(what string, rate float64, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if gone, due := p.due(); due {
		share := gone.Seconds() / max(gone.Seconds()+left.Seconds(), 1e-9)
		p.draw(share, timed(share, perSecond(rate, "tokens"), gone, left)+"  "+what)
	}
}

// Count counts n more units as done, of a total that is 0 where it is not
// known.
func (p *Progress) Count(n, total int, unit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	gone, due := p.due()
	if !due {
		return
	}
	rate := perSecond(float64(p.done)/max(gone.Seconds(), 1e-9), unit)
	if total < 1 {
		p.draw(0, fmt.Sprintf("%d %s%s  %s gone", p.done, unit, rate, clock(gone)))
		return
	}
	share := min(float64(p.done)/float64(total), 1)
	left := time.Duration(float64(gone) * (1/max(share, 1e-9) - 1))
	p.draw(share, timed(share, rate, gone, left))
}

// due tells how much time has gone by, and whether it is time to show that.
func (p *Progress) due() (gone time.Duration, due bool) {
	now := p.now()
	if p.w == nil || now.Sub(p.shown) < p.every {
		return 0, false
	}
	p.shown = now
	return now.Sub(p.begun), true
}

func (p *Progress) draw(share float64, text string) {
	if p.width == 0 {
		fmt.Fprintln(p.w, text)
		return
	}
	bar := min(max(p.width-len(text)-4, 6), 20) // the text before the bar
	full := min(int(share*float64(bar)), bar)
	line := []rune("[" + strings.Repeat("#", full) + strings.Repeat(".", bar-full) + "] " + text)
	fmt.Fprintf(p.w, "\r\x1b[K%s", string(line[:min(len(line), p.width-1)]))
}

// clear takes the bar away.
func (p *Progress) clear() {
	if p.width > 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// End takes the bar away, before something else is written.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w != nil {
		p.clear()
	}
}

// timed is the share that is done with its rate and times.
func timed(share float64, rate string, gone, left time.Duration) string {
	return fmt.Sprintf("%3.0f %%%s  %s gone, about %s left", 100*share, rate, clock(gone), clock(left))
}

// perSecond is a rate as a part of a line, "" for 0.
func perSecond(rate float64, unit string) string {
	if rate <= 0 {
		return ""
	}
	return fmt.Sprintf("  %s %s/s", short(rate), unit)
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
