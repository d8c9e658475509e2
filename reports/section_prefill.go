package reports

import (
	"slices"

	"workbench/experiments/record"
)

func init() { registerSection("prefill", 20, (*view).prefillBlocks) }

// prefillBlocks shows how fast a text is read in pieces.
func (v *view) prefillBlocks(part *partView) []Block {
	if !part.has("prefill") {
		return nil
	}
	q := part.quantity("tokens_per_second")
	f := part.axisFigure("prefill", "Speed of reading a text in pieces", "prefill", q)
	at := xs(f.Series)
	if all, ok := part.wholeText(at); ok {
		f.X.Ticks = pointTicks(at, map[float64]string{all: "all"})
		f.Note += " “all” is the whole text of " + count(int(all), "token") + " in one call."
	}
	return []Block{{Heading: "Prefill: reading speed", Figure: &f, Says: nonEmpty(v.comparedSentence(part, "prefill", part.quantity(timePerToken), "takes %s the time of %s per token"))}}
}

// wholeText is the largest of the positions if it is the length of the text,
// which the records say.
func (part *partView) wholeText(at []float64) (all float64, ok bool) {
	if len(at) == 0 {
		return 0, false
	}
	all = slices.Max(at)
	return all, slices.ContainsFunc(part.inWorkload("prefill"), func(r *record.Record) bool {
		text, ok := r.Key("text")
		return ok && text == all
	})
}
