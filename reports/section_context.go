package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"workbench/experiments/record"
)

func init() { registerSection("long context", 51, (*view).contextBlocks) }

// byPosition is the series of a score by the position in a text.
const byPosition = "loss_by_position"

// contextBlocks shows the score by position in windows longer than those that
// the models were trained on.
func (v *view) contextBlocks(part *partView) []Block {
	var series []Series
	var what *record.Series
	context := 0.0
	for _, arm := range part.Arms {
		at := map[float64][]float64{}
		for _, r := range part.bySeed(arm, "quality") {
			if c, ok := r.Key("context"); ok {
				context = max(context, c)
			}
			if s := r.Series(byPosition); s != nil {
				what = cmp.Or(what, s)
				for i, x := range s.X {
					at[x] = append(at[x], s.Y[i])
				}
			}
		}
		s := Series{Name: arm, Index: part.index[arm], Line: true}
		for _, x := range slices.Sorted(maps.Keys(at)) {
			s.Points = append(s.Points, meanInterval(at[x]).point(x))
		}
		if len(s.Points) > 0 {
			series = append(series, s)
		}
	}
	if len(series) == 0 {
		return nil
	}
	title, unit := shorten(cmp.Or(what.Title, what.Name), titleRunes), shorten(what.Unit, unitRunes)
	f := Figure{Name: part.slug + "-loss-by-position", Title: upper(title) + " by position in a long text",
		X:      Axis{Label: upper(cmp.Or(shorten(what.Axis, titleRunes), "position in the text")), Unit: cmp.Or(shorten(what.AxisUnit, unitRunes), "tokens"), Log: true},
		Y:      Axis{Label: upper(title), Unit: cmp.Or(unit, pureUnit)},
		Series: series, Note: "Means over seeds with the 95 % interval of Student's t; a bucket of positions stands at its geometric middle."}
	if context > 0 {
		f.Guide = &Guide{X: context, Label: "training context"}
		f.Note += fmt.Sprintf(" The vertical line is the training context of %.0f tokens: to its right the model reads further than it was trained to.", context)
	}
	return []Block{{Heading: "Quality: beyond the training context", Figure: &f, Says: nonEmpty(part.contextSentence(title, unit))}}
}

// contextSentence tells how far the score changes from the first positions to
// the last.
func (part *partView) contextSentence(title, unit string) string {
	var parts []string
	for _, arm := range part.Arms {
		var changes []float64
		for _, r := range part.bySeed(arm, "quality") {
			if s := r.Series(byPosition); s != nil && len(s.Y) > 1 {
				changes = append(changes, s.Y[len(s.Y)-1]-s.Y[0])
			}
		}
		if len(changes) > 0 {
			parts = append(parts, fmt.Sprintf("%s by %s", arm, meanInterval(changes).text(unit)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	helps := map[string]string{record.Lower: " (negative: the long context helps)", record.Higher: " (positive: the long context helps)"}
	return fmt.Sprintf("From the first positions to the last the %s changes: %s%s.", title, strings.Join(parts, "; "), helps[part.scoreIn(unit).Better])
}
