package meter

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

const smiLog = `timestamp, power.draw [W]
2026/01/02 15:04:05.000, 60.00 W
2026/01/02 15:04:06.000, 80.00 W
mark start
2026/01/02 15:04:07.000, 80.00 W
2026/01/02 15:04:08.000, 40.00 W
`

// metricsLog is three blocks, whose middles are a second apart.
const metricsLog = `Machine model: Mac14,2
*** Sampled system activity (Fri Jan  2 15:04:05 2026 +0000) (1000.00ms elapsed) ***
**** Processor usage ****
CPU Power: 900 mW
GPU Power: 100 mW
Combined Power (CPU + GPU + ANE): 1000 mW
mark start
*** Sampled system activity (Fri Jan  2 15:04:07 2026 +0000) (1000.00ms elapsed) ***
CPU Power: 2900 mW
Combined Power (CPU + GPU + ANE): 3000 mW
*** Sampled system activity (Fri Jan  2 15:04:07 2026 +0000) (1000.00ms elapsed) ***
Intel energy model derived package power (CPUs+GT+SA): 5.00W
CPU Power: 7 mW
`

// logs are a log in each format: its energy in the two seconds from a time, and
// the time of its mark.
var logs = map[string]struct {
	text        string
	from, start time.Time
	joules      float64
}{
	"seconds":      {"time,watts\n0,10\n1,20\n2.5,20\nmark start\n4,50,x\n", time.Unix(1, 0), time.Unix(3, 250e6), 20*1.5 + (20+30)/2*0.5},
	"unix, no row": {"# wall meter\n1700000000;5\n1700000001;5\n1700000002;15\nmark start\n", time.Unix(1700000000, 0), time.Unix(1700000002, 0), 5 + 10},
	"dates":        {"mark start\n2026-01-02T15:04:05.5Z\t7\n2026-01-02T15:04:06.5Z\t7\n2026-01-02T15:04:07.5Z\t7\n", stamp(5, 500), stamp(5, 500), 14},
	"nvidia-smi":   {smiLog, local(5), local(6).Add(500 * time.Millisecond), 70 + 80},
	"powermetrics": {metricsLog, stamp(4, 500), stamp(5, 0), 2 + 4},
}

func stamp(s, ms int) time.Time { return time.Date(2026, 1, 2, 15, 4, s, ms*1e6, time.UTC) }
func local(s int) time.Time     { return time.Date(2026, 1, 2, 15, 4, s, 0, time.Local) }

// TestPowerLog checks the energy of a window in each format, and the time of a
// mark.
func TestPowerLog(t *testing.T) {
	for name, c := range logs {
		l, err := ReadPowerLog(strings.NewReader(c.text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := l.marks["start"]; !got.Equal(c.start) {
			t.Errorf("%s: the mark is at %v, want %v", name, got, c.start)
		}
		if j, err := l.Joules(c.from, c.from.Add(2*time.Second)); err != nil || math.Abs(j-c.joules) > 1e-9 {
			t.Errorf("%s: %g J, %v, want %g", name, j, err, c.joules)
		}
	}
}

// TestPowerLogWindows checks that parts of a window add up, and that a window
// which the log does not cover is refused.
func TestPowerLogWindows(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "%g,%d\n", float64(i)/2, i%7)
	}
	text.WriteString("60,3\n61,3\n")
	l, err := ReadPowerLog(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	second := func(x float64) time.Time { return time.Unix(0, int64(x*1e9)) }
	joules := func(from, to float64) float64 {
		j, err := l.Joules(second(from), second(to))
		if err != nil || j < 0 {
			t.Errorf("%g to %g: %g, %v", from, to, j, err)
		}
		return j
	}
	for _, mid := range []float64{5, 5.1, 17.25, 40.4} {
		if whole, parts := joules(2.2, 49.3), joules(2.2, mid)+joules(mid, 49.3); math.Abs(whole-parts) > 1e-9 {
			t.Errorf("parts at %g: %g of %g J", mid, parts, whole)
		}
	}
	for reason, window := range map[string][2]float64{
		"shorter than the 2s": {5, 6.9}, "not within the log": {59, 61.5}, "10.5s passed between two samples": {48, 50}, "passed between": {60.1 - 2, 60.1},
	} {
		if _, err := l.Joules(second(window[0]), second(window[1])); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v: %v, want %q", window, err, reason)
		}
	}
	if _, err := l.Joules(second(-1), second(3)); err == nil {
		t.Error("a window before the log")
	}
}

// TestAlign checks that marks set the clock of a log, and when they cannot.
func TestAlign(t *testing.T) {
	read := func(text string) *PowerLog {
		t.Helper()
		l, err := ReadPowerLog(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	const relative = "0,10\nmark a\n1,10\nmark b\n2,30\n3,30\nmark c\n"
	run := time.Unix(1e9, 0)
	l := read(relative)
	err := l.Align(map[string]time.Time{"a": run.Add(500 * time.Millisecond), "b": run.Add(1600 * time.Millisecond), "z": run})
	if err != nil || l.shift != run.Add(100*time.Millisecond).Sub(time.Unix(0, 0)) {
		t.Errorf("%v, %v", l.shift, err)
	}
	if j, err := l.Joules(run.Add(time.Second), run.Add(3*time.Second)); err != nil || math.Abs(j-(1+20+27)) > 1e-6 {
		t.Errorf("%g J, %v", j, err)
	}
	if err := read(relative).Align(map[string]time.Time{"z": run}); err == nil || !strings.Contains(err.Error(), "no mark of the run") {
		t.Error(err)
	}
	if err := read(relative).Align(map[string]time.Time{"a": run, "c": run.Add(5 * time.Second)}); err == nil || !strings.Contains(err.Error(), "differ by 2.5s") {
		t.Error(err)
	}
	if l := read(smiLog); l.Align(nil) != nil || l.shift != 0 {
		t.Errorf("a log with dates: %v", l.shift)
	}
}

// TestBadPowerLog checks that what is not a log is refused with the line.
func TestBadPowerLog(t *testing.T) {
	for text, reason := range map[string]string{
		"": "0 samples", "0,1\n": "1 samples", "hello\nworld\n": "0 samples",
		"0,1\n1,-2\n": "line 2: -2 W is not", "0,1\n1,NaN\n": "line 2: NaN W", "0,1\n1,lots\n": "not a power",
		"0,1\n0,1\n": "does not rise", "0,1\n1,1\nx,1\n": "line 3: \"x\" is not a time", "0,1\n-1,1\n": "not a time in seconds",
		"0,1\n1700000000,1\n": "mixed", "a,b\n1e300,1\n": "not a time", ",,,\n,\n": "is not a time and a power",
		"mark a\nmark a\n": "line 2: mark \"a\"", "mark \n": "0 samples",
		"*** Sampled system activity (now) (1ms elapsed) ***\n": "\"now\" is not a time", "*** Sampled system activity\n": "not the beginning",
		strings.Repeat("x", maxLine+1): "longer than", strings.Repeat("\n", maxLog+1): "larger than", manyMarks(): "more than 1000 marks",
	} {
		if _, err := ReadPowerLog(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%.60q: %v, want %q", text, err, reason)
		}
	}
}

func manyMarks() string {
	var b strings.Builder
	for i := range maxMarks + 1 {
		fmt.Fprintf(&b, "mark %d\n", i)
	}
	return b.String()
}

// FuzzPowerLog checks that no log breaks the parser, and that what it accepts has
// rising times and plausible powers.
func FuzzPowerLog(f *testing.F) {
	for _, c := range logs {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ReadPowerLog(bytes.NewReader(text))
		if err != nil {
			return
		}
		for i, s := range l.samples {
			if !(s.watts >= 0 && s.watts <= maxMachineWatts) || i > 0 && !s.at.After(l.samples[i-1].at) {
				t.Fatalf("sample %d: %+v", i, s)
			}
		}
		first, last := l.samples[0].at, l.samples[len(l.samples)-1].at
		if j, err := l.Joules(first, last); err == nil && !(j >= 0 && j <= maxMachineWatts*last.Sub(first).Seconds()*(1+1e-9)) {
			t.Fatalf("%g J", j)
		}
	})
}
