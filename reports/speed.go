package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"workbench/experiments/stats"
)

// curve is a metric of every label along an axis: medians with their intervals.
func (g *group) curve(phase, over string, m metric) []Series {
	var out []Series
	for _, label := range g.Labels {
		s := Series{Name: label, Index: g.index[label], Line: true}
		for _, p := range g.places(label, phase, over, m) {
			s.Points = append(s.Points, m.one(p).point(p.x))
		}
		if len(s.Points) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// intervalNote says what the bars of a figure are, and how many samples stand
// behind a point.
func (g *group) intervalNote(phase, over string, m metric) string {
	fewest, most := math.MaxInt, 0
	for _, label := range g.Labels {
		for _, p := range g.places(label, phase, over, m) {
			fewest, most = min(fewest, len(p.all)), max(most, len(p.all))
		}
	}
	n := fmt.Sprint(most)
	if fewest < most {
		n = fmt.Sprintf("%d to %d", fewest, most)
	}
	s := fmt.Sprintf("Points are medians of %s samples, bars the 95 %% interval of the median.", n)
	if fewest < 6 {
		s += " A median of fewer than six samples has no such interval: no bar."
	}
	return s
}

func (v *view) decodeBlocks(g *group) []Block {
	if !g.has("decode") {
		return nil
	}
	m := metrics["duration_per_token"]
	series := g.curve("decode", "depth", m)
	depths := xs(series)
	slopes := g.slopeSentence("decode", "depth", m)
	unit := inUnit(series, m.unit)
	time := Figure{Name: g.slug + "-decode-time", Title: "Time to generate one token after a context",
		X: Axis{Label: "Context already read", Unit: "tokens", Log: true, Ticks: pointTicks(depths, nil)},
		Y: Axis{Label: "Time per token", Unit: unit, Log: true}, Series: series,
		Note: g.intervalNote("decode", "depth", m)}
	out := []Block{{Heading: "Generation: time per token", Figure: &time,
		Says: nonEmpty(v.timingSentence(g, "decode", m), slopes)}}
	if b, ok := v.cumulativeBlock(g); ok {
		out = append(out, b)
	}
	return append(out, g.latencyBlocks()...)
}

// cumulativeBlock integrates the time per token over depth, round by round, by
// the trapezoid rule through the measured depths.
func (v *view) cumulativeBlock(g *group) (Block, bool) {
	m := metrics["duration_per_token"]
	var series []Series
	from := 0.0
	for _, label := range g.Labels {
		ps := g.places(label, "decode", "depth", m)
		if len(ps) < 2 {
			continue
		}
		from = ps[0].x
		s := Series{Name: label, Index: g.index[label], Line: true}
		sums := map[uint64]float64{}
		for i := 1; i < len(ps); i++ {
			next := place{x: ps[i].x, by: map[uint64]float64{}}
			for _, k := range rising(ps[i].by) {
				before, ok := ps[i-1].by[k]
				if _, have := sums[k]; !ok || i > 1 && !have {
					continue
				}
				next.by[k] = sums[k] + (before+ps[i].by[k])/2*(ps[i].x-ps[i-1].x)
				next.all = append(next.all, next.by[k])
			}
			if sums = next.by; len(sums) == 0 {
				break
			}
			s.Points = append(s.Points, m.one(next).point(next.x))
		}
		series = append(series, s)
	}
	if len(xs(series)) == 0 {
		return Block{}, false
	}
	unit := inUnit(series, "s")
	f := Figure{Name: g.slug + "-decode-cumulative", Title: "Time to generate a text of a given length",
		X: Axis{Label: "Length of the text", Unit: "tokens", Log: true, Ticks: pointTicks(xs(series), nil)},
		Y: Axis{Label: "Cumulative time", Unit: unit, Log: true}, Series: series,
		Note: fmt.Sprintf("Computed, not measured: the time per token between the measured depths, joined by straight lines and summed from depth %.0f, round by round.", from)}
	return Block{Heading: "Generation: cumulative time", Figure: &f,
		Says: []string{"Where the time per token does not depend on depth this line has slope 1; attention over a cache bends it towards slope 2."}}, true
}

// latencyBlocks is the table of the single tokens' latencies.
func (g *group) latencyBlocks() []Block {
	t := &Table{Name: g.slug + "-latency", Title: "Latency of single tokens", Text: 1,
		Columns: []string{"Series", "Depth (tokens)", "Tokens", "p50", "p90", "p99", "Largest"},
		Note:    "Every generated token of every round counts once; percentiles are interpolated between observed latencies. The 99th needs a hundred tokens to differ from the largest."}
	for _, label := range g.Labels {
		by := map[uint64][]float64{}
		for _, r := range g.where(label, "decode") {
			for _, ns := range r.LatencyNS {
				by[uint64(r.Depth)] = append(by[uint64(r.Depth)], float64(ns)/1e9)
			}
		}
		for _, d := range rising(by) {
			p, err := stats.Percentiles(by[d], 50, 90, 99)
			if err != nil {
				continue
			}
			t.add(label, fmt.Sprint(int64(d)), fmt.Sprint(len(by[d])), quantity(p[0], "s"), quantity(p[1], "s"),
				quantity(p[2], "s"), quantity(slices.Max(by[d]), "s"))
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{{Heading: "Generation: latency percentiles", Table: t}}
}

func (v *view) prefillBlocks(g *group) []Block {
	if !g.has("prefill") {
		return nil
	}
	m := metrics["tokens_per_second"]
	series := g.curve("prefill", "chunk", m)
	names := map[float64]string{}
	note := g.intervalNote("prefill", "chunk", m)
	for _, r := range g.records {
		if r.Phase == "prefill" && (r.Chunk == 0 || r.Chunk == g.prompt) {
			names[float64(g.prompt)] = "all"
		}
	}
	if len(names) > 0 {
		note += fmt.Sprintf(" “all” is the whole text of %s in one call.", count(g.prompt, "token"))
	}
	f := Figure{Name: g.slug + "-prefill", Title: "Speed of reading a text in pieces",
		X: Axis{Label: "Piece read per call", Unit: "tokens", Log: true, Ticks: pointTicks(xs(series), names)},
		Y: Axis{Label: "Speed", Unit: "tokens/s", Log: wide(series), Zero: true}, Series: series, Note: note}
	return []Block{{Heading: "Prefill: reading speed", Figure: &f, Says: nonEmpty(v.timingSentence(g, "prefill", m))}}
}

func (v *view) trainBlocks(g *group) []Block {
	if !g.has("train") {
		return nil
	}
	m := metrics["tokens_per_second"]
	series := g.curve("train", "context", m)
	f := Figure{Name: g.slug + "-train-speed", Title: "Training speed",
		X: Axis{Label: "Training window", Unit: "tokens", Log: true, Ticks: pointTicks(xs(series), nil)},
		Y: Axis{Label: "Speed", Unit: "tokens/s", Log: wide(series), Zero: true}, Series: series,
		Note: g.intervalNote("train", "context", m) + " A step is forward, backward and the optimiser."}
	return []Block{{Heading: "Training: speed", Figure: &f, Says: nonEmpty(v.timingSentence(g, "train", m))}}
}

// timingSentence compares every label with the baseline at the largest
// position that both have.
func (v *view) timingSentence(g *group, phase string, m metric) string {
	var parts []string
	for _, label := range g.Labels {
		if label == g.Baseline {
			continue
		}
		c, ok := v.compare(g, label, phase, defaultAxis(phase), m)
		if !ok {
			continue
		}
		verb := "takes"
		what := "the time of " + g.Baseline + " per token"
		if m.unit == "tokens/s" {
			verb, what = "runs at", "the speed of "+g.Baseline
		}
		parts = append(parts, fmt.Sprintf("%s %s %s %s%s", label, verb, c.iv.text("×"), what, c.remark()))
	}
	if len(parts) == 0 {
		return ""
	}
	return upper(v.placeOf(g, phase, m)) + strings.Join(parts, "; ") + "."
}

// placeOf names the position that timingSentence speaks of.
func (v *view) placeOf(g *group, phase string, m metric) string {
	over := defaultAxis(phase)
	base := g.places(g.Baseline, phase, over, m)
	var seen []float64
	for _, label := range g.Labels {
		if label == g.Baseline {
			continue
		}
		if x := largestCommon(g.places(label, phase, over, m), base); !math.IsNaN(x) {
			seen = append(seen, x)
		}
	}
	if len(seen) == 0 {
		return ""
	}
	if slices.Min(seen) != slices.Max(seen) {
		return "at the largest " + over + " both were measured at, "
	}
	switch over {
	case "depth":
		return fmt.Sprintf("at depth %.0f ", seen[0])
	case "chunk":
		return fmt.Sprintf("in pieces of %.0f tokens ", seen[0])
	}
	return fmt.Sprintf("with %s of %.0f tokens ", over, seen[0])
}

// slopeSentence gives the exponent of every label's growth along an axis.
func (g *group) slopeSentence(phase, over string, m metric) string {
	var parts []string
	for _, label := range g.Labels {
		f := findSlope(g.places(label, phase, over, m), m, over)
		if f.verdict != "" {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s for %s", f.iv.text(""), label))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("As a power of the %s the %s grows with exponent %s (0: flat, 1: proportional).", over, m.title, list(parts))
}
