package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Figure is one picture, drawn twice from the same value: static by
// gonum/plot and interactive by ECharts.
type Figure struct {
	Name     string // stem of the files: letters a-z, digits and hyphens
	Title    string
	Kind     string // how it is drawn, a name given to registerKind; "": lines
	X, Y     Axis
	Series   []Series
	Note     string // what a reader must know to read it
	NoLegend bool   // the axis names the series already
	Guide    *Guide

	lost string // what finish left out, and why
}

// A Guide is a labelled vertical line.
type Guide struct {
	X     float64
	Label string
}

// An Axis carries its unit; values are already in that unit.
type Axis struct {
	Label string
	Unit  string // required unless Names is set
	Log   bool
	Names []string // a nominal axis: position i stands for Names[i]
	Ticks []Tick   // replaces the computed ticks
	Zero  bool     // a linear axis that starts at zero
}

// A Tick is one labelled position of an axis.
type Tick struct {
	Value float64
	Label string
}

// A Series is one line of a figure. Index selects colour, marker and dash and
// belongs to the label of the run, so it is the same in every figure.
type Series struct {
	Name    string
	Index   int
	Variant int  // shifts marker and dash: several lines of one label
	Thin    bool // a single repetition, drawn faintly and left out of the legend
	Line    bool // joins the points
	Points  []Point
}

// A Point has an interval [Lo, Hi], of 95 % where the figure's note does not
// say otherwise, and equal to Y where there is none.
type Point struct{ X, Y, Lo, Hi float64 }

// String is the axis title with its unit.
func (a Axis) String() string {
	if len(a.Names) > 0 || a.Unit == "" {
		return a.Label
	}
	return a.Label + " (" + a.Unit + ")"
}

// finish drops what cannot be drawn (values that are not finite, values not
// above zero on a log axis) and says so in the note; a figure of which nothing
// is left is empty, and not to be drawn. It panics on an unknown kind and on an
// axis without a unit.
func (f Figure) finish() Figure {
	f.kind()
	for _, a := range []Axis{f.X, f.Y} {
		if a.Label == "" || a.Unit == "" && len(a.Names) == 0 {
			panic(fmt.Sprintf("reports: figure %q has an axis without label or unit", f.Name))
		}
	}
	dropped, atZero, clipped := 0, 0, 0
	var kept []Series
	for _, s := range f.Series {
		var pts []Point
		for _, p := range s.Points {
			if f.X.Log && p.X <= 0 {
				atZero++
				continue
			}
			if !drawable(p.X) || !drawable(p.Y) || f.Y.Log && p.Y <= 0 {
				dropped++
				continue
			}
			if !drawable(p.Lo) || !drawable(p.Hi) {
				p.Lo, p.Hi = p.Y, p.Y
			}
			if f.Y.Log && p.Lo <= 0 {
				p.Lo = p.Y
				clipped++
			}
			pts = append(pts, p)
		}
		if s.Points = pts; len(pts) > 0 {
			kept = append(kept, s)
		}
	}
	f.Series = kept
	if atZero > 0 {
		f.lose("Not drawn: %s where %s is 0, which has no place on a log axis.", count(atZero, "point"), lower(f.X.Label))
	}
	if dropped > 0 {
		f.lose("Not drawn: %s whose value is not finite, or has no place on a log axis (zero or below).", count(dropped, "point"))
	}
	if clipped > 0 {
		f.addNote(fmt.Sprintf("%s at or below zero: the lower half of the bar is left out.", count(clipped, "interval reaching")))
	}
	if g := f.Guide; g != nil {
		if lo, hi := f.bounds(f.X, true); g.X < lo || g.X > hi {
			f.Guide = nil
		}
	}
	f.X.Ticks, f.Y.Ticks = f.ticks(f.X, true), f.ticks(f.Y, false)
	return f
}

// lose notes what is left out.
func (f *Figure) lose(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	f.lost = strings.TrimSpace(f.lost + " " + s)
	f.addNote(s)
}

// empty is, of a finished figure that has nothing to draw, the sentence that
// takes its place; else "".
func (f Figure) empty() string {
	if len(f.Series) > 0 {
		return ""
	}
	return f.Title + ": nothing to draw. " + cmp.Or(f.lost, "No sample has a value for it.")
}

func (f *Figure) addNote(s string) {
	f.Note = strings.TrimSpace(f.Note + " " + s)
}

// bounds is the drawn range of one axis with its margin.
func (f Figure) bounds(a Axis, isX bool) (lo, hi float64) {
	if len(a.Names) > 0 {
		return -0.5, float64(len(a.Names)) - 0.5
	}
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, s := range f.Series {
		for _, p := range s.Points {
			if isX {
				lo, hi = min(lo, p.X), max(hi, p.X)
			} else {
				lo, hi = min(lo, p.Lo, p.Y), max(hi, p.Hi, p.Y)
			}
		}
	}
	if lo > hi {
		return 1, 10
	}
	if a.Log {
		pad := max(math.Pow(hi/lo, 0.06), 1.12)
		return lo / pad, hi * pad
	}
	pad := (hi - lo) * 0.06
	if pad == 0 {
		pad = max(math.Abs(hi)*0.1, 1e-9)
	}
	if a.Zero && lo >= 0 {
		return 0, hi + pad
	}
	return lo - pad, hi + pad
}

// ticks are the labelled positions inside the drawn range.
func (f Figure) ticks(a Axis, isX bool) []Tick {
	lo, hi := f.bounds(a, isX)
	switch {
	case len(a.Names) > 0:
		var t []Tick
		for i, n := range a.Names {
			t = append(t, Tick{float64(i), wrap(n, max(8, 78/len(a.Names)))})
		}
		return t
	case a.Ticks != nil:
		return slices.DeleteFunc(slices.Clone(a.Ticks), func(t Tick) bool { return t.Value < lo || t.Value > hi })
	case a.Log:
		return logTicks(lo, hi)
	}
	return linearTicks(lo, hi)
}

// linearTicks are 4 to 11 multiples of 1, 2 or 5 times a power of ten.
func linearTicks(lo, hi float64) []Tick {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/4)))
	for _, m := range []float64{5, 2} {
		if (hi-lo)/(step*m) >= 4 {
			step *= m
			break
		}
	}
	var t []Tick
	for i := math.Ceil(lo / step); i*step <= hi*(1+1e-12) && len(t) < 20; i++ {
		t = append(t, Tick{i * step, tickLabel(i * step)})
	}
	return t
}

// logTicks are powers of ten times 1, 2 and 5, fewer over many decades and
// evenly spaced where the range is too short for two of them.
func logTicks(lo, hi float64) []Tick {
	decades := math.Log10(hi / lo)
	if decades < 0.7 {
		return linearTicks(lo, hi)
	}
	mult, every := []float64{1, 2, 5}, 1
	if decades > 3.2 {
		mult = []float64{1}
		every = int(math.Ceil(decades / 8))
	}
	var t []Tick
	for e := int(math.Floor(math.Log10(lo))); e <= int(math.Ceil(math.Log10(hi))); e++ {
		if every > 1 && e%every != 0 {
			continue
		}
		for _, m := range mult {
			if v := m * math.Pow(10, float64(e)); v >= lo && v <= hi {
				t = append(t, Tick{v, tickLabel(v)})
			}
		}
	}
	return t
}

func tickLabel(v float64) string {
	if math.Abs(v) < 1e-12 {
		v = 0
	}
	s := strconv.FormatFloat(v, 'g', 6, 64)
	if a := math.Abs(v); a >= 1e-4 && a < 1e7 {
		s = strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
	}
	return strings.Replace(s, "-", "−", 1)
}

// pointTicks labels the measured positions themselves where they are few
// enough to read; nil leaves the ticks to the axis.
func pointTicks(xs []float64, names map[float64]string) []Tick {
	if len(xs) > 9 {
		return nil
	}
	var t []Tick
	for _, x := range xs {
		label := names[x]
		if label == "" {
			label = tickLabel(x)
		}
		if x > 0 && len(t) > 0 && x/t[len(t)-1].Value < 1.35 && names[x] == "" {
			continue
		}
		t = append(t, Tick{x, label})
	}
	return t
}

// xs are the distinct x values of a figure's series in rising order.
func xs(series []Series) []float64 {
	var v []float64
	for _, s := range series {
		for _, p := range s.Points {
			v = append(v, p.X)
		}
	}
	slices.Sort(v)
	return slices.Compact(v)
}

// wide tells whether the values of the series span enough to want a log axis.
func wide(series []Series) bool {
	lo, hi := math.Inf(1), 0.0
	for _, s := range series {
		for _, p := range s.Points {
			if p.Y <= 0 {
				return false
			}
			lo, hi = min(lo, p.Y), max(hi, p.Y)
		}
	}
	return hi/lo > 8
}

// inUnit rescales the series to a readable multiple of unit and names it:
// "s" may become "ms", "B" becomes "MiB", "J/token" becomes "mJ/token".
func inUnit(series []Series, unit string) string {
	largest := 0.0
	for _, s := range series {
		for _, p := range s.Points {
			if finite(p.Y) {
				largest = max(largest, math.Abs(p.Y))
			}
		}
	}
	factor, prefix := siScale(largest, unit)
	for i := range series {
		for j := range series[i].Points {
			p := &series[i].Points[j]
			p.Y, p.Lo, p.Hi = p.Y/factor, p.Lo/factor, p.Hi/factor
		}
	}
	return prefix
}

// drawable leaves room for the arithmetic of axes.
func drawable(v float64) bool { return finite(v) && math.Abs(v) < 1e30 }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
