package reports

import (
	"fmt"
	"maps"
	"slices"

	"workbench/experiments/stats"
)

func init() { registerSection("decode", 10, (*view).decodeBlocks) }

// timePerToken is the timed quantity that arms are compared in.
const timePerToken = "duration_per_token"

// decodeBlocks shows what a token costs after a context.
func (v *view) decodeBlocks(part *partView) []Block {
	if !part.has("decode") {
		return nil
	}
	q := part.quantity(timePerToken)
	time := part.axisFigure("decode-time", "Time to generate one token after a context", "decode", q)
	time.Y.Log = true
	says := nonEmpty(v.comparedSentence(part, "decode", q, "takes %s the time of %s per token"))
	out := []Block{{Heading: "Generation: time per token", Figure: &time, Says: append(says, part.growthSentences("decode", q)...)}}
	if b, ok := v.cumulativeBlock(part); ok {
		out = append(out, b)
	}
	return append(out, part.latencyBlocks()...)
}

// cumulativeBlock integrates the time per token over depth, round by round, by
// the trapezoid rule through the measured depths.
func (v *view) cumulativeBlock(part *partView) (Block, bool) {
	q := part.quantity(timePerToken)
	var series []Series
	from := 0.0
	for _, arm := range part.Arms {
		ps := part.samplesAlong(arm, "decode", "depth", q)
		if len(ps) < 2 {
			continue
		}
		from = ps[0].x
		s := Series{Name: arm, Index: part.index[arm], Line: true}
		sums := map[uint64]float64{}
		for i := 1; i < len(ps); i++ {
			next := samplesAt{x: ps[i].x, by: map[uint64]float64{}}
			for _, k := range slices.Sorted(maps.Keys(ps[i].by)) {
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
			s.Points = append(s.Points, summarize(q, next).point(next.x))
		}
		series = append(series, s)
	}
	if len(xs(series)) == 0 {
		return Block{}, false
	}
	unit := inUnit(series, "s")
	f := Figure{Name: part.slug + "-decode-cumulative", Title: "Time to generate a text of a given length",
		X: Axis{Label: "Length of the text", Unit: "tokens", Log: true, Ticks: pointTicks(xs(series), nil)},
		Y: Axis{Label: "Cumulative time", Unit: unit, Log: true}, Series: series,
		Note: fmt.Sprintf("Computed, not measured: the time per token between the measured depths, joined by straight lines and summed from depth %.0f, round by round.", from)}
	return Block{Heading: "Generation: cumulative time", Figure: &f,
		Says: []string{"Where the time per token does not depend on depth this line has slope 1; attention over a cache bends it towards slope 2."}}, true
}

// latencyBlocks is the table of the single tokens' latencies.
func (part *partView) latencyBlocks() []Block {
	t := &Table{Name: part.slug + "-latency", Title: "Latency of single tokens", Text: 1,
		Columns: []string{"Series", "Depth (tokens)", "Tokens", "p50", "p90", "p99", "Largest"},
		Note:    "Every generated token of every round counts once; percentiles are interpolated between observed latencies. The 99th needs a hundred tokens to differ from the largest."}
	for _, arm := range part.Arms {
		by := map[uint64][]float64{}
		for _, r := range part.recordsOf(arm, "decode") {
			if s := r.Series("latency"); s != nil {
				depth := uint64(position(r, "depth"))
				by[depth] = append(by[depth], s.Y...)
			}
		}
		for _, d := range slices.Sorted(maps.Keys(by)) {
			p, err := stats.Percentiles(by[d], 50, 90, 99)
			if err != nil {
				continue
			}
			t.add(arm, fmt.Sprint(int64(d)), fmt.Sprint(len(by[d])), withUnit(p[0], "s"), withUnit(p[1], "s"),
				withUnit(p[2], "s"), withUnit(slices.Max(by[d]), "s"))
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{{Heading: "Generation: latency percentiles", Table: t}}
}
