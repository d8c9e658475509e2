package reports

import (
	"slices"

	"workbench/experiments/record"
)

func init() { registerSection("prefill", 20, (*view).prefillBlocks) }

// prefillBlocks shows how fast a text is read in pieces.
func (v *view) prefillBlocks(g *group) []Block {
	if !g.has("prefill") {
		return nil
	}
	q := v.quantity("tokens_per_second")
	f := g.along("prefill", "Speed of reading a text in pieces", "prefill", q)
	at := xs(f.Series)
	if all, ok := g.wholeText(at); ok {
		f.X.Ticks = pointTicks(at, map[float64]string{all: "all"})
		f.Note += " “all” is the whole text of " + count(int(all), "token") + " in one call."
	}
	return []Block{{Heading: "Prefill: reading speed", Figure: &f, Says: nonEmpty(v.comparedSentence(g, "prefill", q, "runs at %s the speed of %s"))}}
}

// wholeText is the largest of the places if it is the length of the text,
// which the records say.
func (g *group) wholeText(at []float64) (all float64, ok bool) {
	if len(at) == 0 {
		return 0, false
	}
	all = slices.Max(at)
	return all, slices.ContainsFunc(g.of("prefill"), func(r *record.Record) bool {
		text, ok := r.Key("text")
		return ok && text == all
	})
}
