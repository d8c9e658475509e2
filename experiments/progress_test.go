package experiments

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// toldAt is a Progress into a buffer, with the clock that it looks at.
func toldAt() (p *Progress, out *bytes.Buffer, now *time.Time) {
	out, now = &bytes.Buffer{}, new(time.Unix(0, 0))
	return newProgress(out, lineEvery, func() time.Time { return *now }), out, now
}

// A file gets a line every so often, without terminal codes.
func TestProgressLines(t *testing.T) {
	p, out, now := toldAt()
	p.At("decode 0", 1234, time.Second) // at once: not shown
	*now = now.Add(30 * time.Second)
	p.At("decode a", 1234, 90*time.Second)
	p.At("decode b", 1234, 90*time.Second)
	p.Say("cut")
	*now = now.Add(30 * time.Second)
	p.At("check c", 0, 0)
	p.End()
	want := " 25 %  1.23k tokens/s  30s gone, about 1m30s left  decode a\ncut\n100 %  1m00s gone, about 0s left  check c\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// Units are counted to a total, which may change or be unknown.
func TestProgressCount(t *testing.T) {
	p, out, now := toldAt()
	p.Count(20, 100, "samples")
	*now = now.Add(10 * time.Second)
	p.Count(20, 160, "samples")
	*now = now.Add(10 * time.Second)
	p.Count(10, 0, "samples")
	*now = now.Add(10 * time.Second)
	p.Count(100, 149, "samples") // less than there was
	want := " 25 %  4 samples/s  10s gone, about 30s left\n50 samples  2.5 samples/s  20s gone\n100 %  5 samples/s  30s gone, about 0s left\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// A terminal gets one line, no wider than it is, that makes place for others:
// the bar first.
func TestProgressBar(t *testing.T) {
	p, out, now := toldAt()
	p.width = 60
	*now = now.Add(10 * time.Second)
	p.Count(1, 4, "samples")
	p.width = 40
	*now = now.Add(10 * time.Second)
	p.Count(1, 8, "samples")
	p.Say("cut")
	p.End()
	const erase = "\r\x1b[K"
	want := erase + "[##........]  25 %  0.1 samples/s  10s gone, about 30s left" + erase + "[#.....]  25 %  0.1 samples/s  20s gone" + erase + "cut\n" + erase
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	silent := NewProgress(nil, 0)
	silent.Count(1, 2, "samples")
	silent.At("", 0, 0)
	silent.Say("nothing")
	silent.End()
	if strings.Contains(out.String(), "nothing") {
		t.Error("the silent one speaks")
	}
}
