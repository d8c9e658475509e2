package reports

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func line(y ...float64) []Series {
	s := Series{Name: "a", Line: true}
	for i, v := range y {
		s.Points = append(s.Points, Point{float64(i), v, v * 0.9, v * 1.1})
	}
	return []Series{s}
}

func TestLogAxesDropWhatTheyCannotShow(t *testing.T) {
	f := Figure{Name: "f", Title: "t", X: Axis{Label: "Depth", Unit: "tokens", Log: true}, Y: Axis{Label: "y", Unit: "s", Log: true},
		Series: line(5, 0, 2, -3, math.NaN(), math.Inf(1), 7)}
	f.Series[0].Points[2].Lo = -1
	f = f.finish()
	if n := len(f.Series[0].Points); n != 2 {
		t.Fatalf("%d points kept, want 2", n)
	}
	for _, want := range []string{"1 point where depth is 0", "4 points whose value", "1 interval reaching at or below zero"} {
		if !strings.Contains(f.Note, want) {
			t.Errorf("note %q lacks %q", f.Note, want)
		}
	}
	for _, draw := range []func() ([]byte, error){f.png, f.svg} {
		if b, err := draw(); err != nil || len(b) < 1000 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	}
	if f.Series[0].Points[0].Lo != f.Series[0].Points[0].Y {
		t.Error("a bar that reaches zero is not cut")
	}
}

func TestEveryFigureDraws(t *testing.T) {
	for name, s := range map[string][]Series{"one point": line(3), "equal": line(2, 2, 2), "zero": line(0, 0), "tiny": line(1e-25, 2e-25), "huge": line(1e29, 2e29),
		"beyond": line(1e300, 1), "negative": line(-3, -2), "none": nil} {
		for _, log := range []bool{false, true} {
			f := Figure{Name: "f", Title: name, X: Axis{Label: "x", Unit: "tokens"}, Y: Axis{Label: "y", Unit: "s", Log: log}, Series: s}.finish()
			if _, err := f.svg(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, script, err := f.live("x"); err != nil || !strings.Contains(script, `"series"`) {
				t.Errorf("%s: %v: %.200s", name, err, script)
			}
			for _, a := range []Axis{f.X, f.Y} {
				if len(f.Series) > 0 && (len(a.Ticks) < 2 || len(a.Ticks) > 20) {
					t.Errorf("%s, log %v: %d ticks on %s: %v", name, log, len(a.Ticks), a.Label, a.Ticks)
				}
			}
		}
	}
}

func TestAxisWithoutUnitPanics(t *testing.T) {
	defer func() {
		if p := recover(); p == nil || !strings.HasPrefix(p.(string), "reports: ") {
			t.Errorf("recovered %v", p)
		}
	}()
	Figure{Name: "f", X: Axis{Label: "x", Unit: "tokens"}, Y: Axis{Label: "y"}}.finish()
}

func TestTicks(t *testing.T) {
	labels := func(ts []Tick) string {
		var s []string
		for _, t := range ts {
			s = append(s, t.Label)
		}
		return strings.Join(s, " ")
	}
	for _, c := range []struct{ got, want string }{
		{labels(logTicks(0.9, 120)), "1 2 5 10 20 50 100"},
		{labels(logTicks(0.0009, 1100)), "0.001 0.01 0.1 1 10 100 1000"},
		{labels(logTicks(0.27, 5.8)), "0.5 1 2 5"},
		{labels(logTicks(0.92, 1.1)), "0.92 0.94 0.96 0.98 1 1.02 1.04 1.06 1.08 1.1"},
		{labels(linearTicks(0, 2500)), "0 500 1000 1500 2000 2500"},
		{labels(linearTicks(-0.1, 0.32)), "−0.1 0 0.1 0.2 0.3"},
		{labels(pointTicks([]float64{0, 256, 300, 1024}, map[float64]string{1024: "all"})), "0 256 all"},
	} {
		if c.got != c.want {
			t.Errorf("ticks %q, want %q", c.got, c.want)
		}
	}
	if pointTicks(make([]float64, 10), nil) != nil {
		t.Error("ten positions are too many to label each")
	}
}

// TestTickKey: the keys of tick labels are JavaScript's toPrecision(6).
func TestTickKey(t *testing.T) {
	for v, want := range map[float64]string{0: "0.00000", 1: "1.00000", 0.5: "0.500000", 1024: "1024.00", 123456: "123456", 1e6: "1.00000e+6",
		8192000: "8.19200e+6", 0.00025: "0.000250000", 1e-7: "1.00000e-7", -0.1: "-0.100000"} {
		if got := tickKey(v); got != want {
			t.Errorf("tickKey(%g) = %q, want %q", v, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct {
		v          float64
		unit, want string
	}{{0.00231, "s", "2.31 ms"}, {0.00099999, "s", "1.000 ms"}, {1536, "B", "1.50 KiB"}, {0, "B", "0 B"}, {3.5e9, "B", "3.26 GiB"}, {0.035, "J/token", "35.0 mJ/token"},
		{2500, "tokens/s", "2500 tokens/s"}, {2000, "s", "2000 s"}, {1.5e-9, "s", "1.50 ns"}} {
		if got := withUnit(c.v, c.unit); got != c.want {
			t.Errorf("quantity(%g, %s) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}

func TestIntervalText(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		iv   interval
		unit string
		want string
	}{
		{interval{mid: 2.312, lo: 2.104, hi: 2.517}, "×", "2.31× [2.10, 2.52]"},
		{interval{mid: 0.00231, lo: 0.0022, hi: 0.0025}, "s/token", "2.31 [2.20, 2.50] ms/token"},
		{interval{mid: 2.1021, lo: 2.0994, hi: 2.1049}, "bits/byte", "2.102 [2.099, 2.105] bits/byte"},
		{interval{mid: 3276.8, lo: 3276.8, hi: 3276.8}, "×", "3277×"},
		{interval{mid: 12, lo: -inf, hi: inf, reason: "need >= 6 samples"}, "×", "12.0× (no interval: need >= 6 samples)"},
		{interval{mid: 0, lo: -0.02, hi: 0.02}, "", "0.000 [−0.020, 0.020]"},
		{interval{mid: 5, lo: -200, hi: 300}, "", "5 [−200, 300]"},
	} {
		if got := c.iv.text(c.unit); got != c.want {
			t.Errorf("text %q, want %q", got, c.want)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{"../../etc": "etc", "": "x", "rwkv4 token_shift=none": "rwkv4-token-shift-none", "Ünïcode": "n-code", "\x00": "x",
		strings.Repeat("a", 100): strings.Repeat("a", 40)} {
		if got := slug(in); got != want {
			t.Errorf("slug(%q) = %q, want %q", in, got, want)
		}
	}
	used := map[string]bool{}
	if a, b := uniqueSlug("a/b", used), uniqueSlug("a b", used); a == b {
		t.Errorf("two names share the file %q", a)
	}
	for in, want := range map[string]string{"=1+1": "'=1+1", " =1": "' =1", "-5": "-5", "-5+cmd": "'-5+cmd", "+1.5e-3": "+1.5e-3", "@x": "'@x", "a=b": "a=b", "\t=x": "'\t=x", "-": "'-"} {
		if got := csvCell(in); got != want {
			t.Errorf("csvCell(%q) = %q, want %q", in, got, want)
		}
	}
	if got := wrap("rwkv4 token_shift=none", 12); got != "rwkv4 token_\nshift=none" {
		t.Errorf("wrap %q", got)
	}
	if got := wrap(strings.Repeat("x", 30), 10); len(strings.Split(got, "\n")) != 3 {
		t.Errorf("wrap %q", got)
	}
	if got := clean("a\nb\x1b[1m\u202e\xff", false); got != "a b\uFFFD[1m\uFFFD\uFFFD" {
		t.Errorf("clean %q", got)
	}
	for x, want := range map[float64]string{math.Copysign(0, -1): "0", -1e-15: "0", -2.5: "−2.5", 2000: "2000"} {
		if got := tickLabel(x); got != want {
			t.Errorf("tick %v: %q, want %q", x, got, want)
		}
	}
	if got := thousands(1234567); got != "1\u202f234\u202f567" {
		t.Errorf("thousands %q", got)
	}
	for n, want := range map[int]string{1: "1 hole", 2: "2 holes"} {
		if got := count(n, "hole"); got != want {
			t.Error(got)
		}
	}
	ticks := linearTicks(0, 1)
	if !slices.IsSortedFunc(ticks, func(a, b Tick) int {
		return strings.Compare(strconv.FormatFloat(a.Value, 'f', 3, 64), strconv.FormatFloat(b.Value, 'f', 3, 64))
	}) {
		t.Errorf("ticks %v", ticks)
	}
}

// TestEmptyFigures: what has nothing to draw is a sentence with the reason.
func TestEmptyFigures(t *testing.T) {
	for want, s := range map[string][]Series{"": line(1, 2), "No sample has a value": nil, "No sample has": {{Name: "a"}},
		"2 points whose value is not finite": line(math.NaN(), math.Inf(1)), "1 point where x is 0": line(1)} {
		f := Figure{Name: "f", Title: "Speed", X: Axis{Label: "X", Unit: "tokens", Log: strings.Contains(want, "x is 0")}, Y: Axis{Label: "y", Unit: "s"}, Series: s}.finish()
		if got := f.empty(); want == "" && got != "" || want != "" && (!strings.HasPrefix(got, "Speed: nothing to draw. ") || !strings.Contains(got, want)) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
