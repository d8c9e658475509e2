package reports

func init() { registerSection("train", 30, (*view).trainBlocks) }

// trainBlocks shows how fast optimiser steps are.
func (v *view) trainBlocks(part *partView) []Block {
	if !part.has("train") {
		return nil
	}
	q := part.quantity("tokens_per_second")
	f := part.axisFigure("train-speed", "Training speed", "train", q)
	f.Note += " A step is forward, backward and the optimiser."
	return []Block{{Heading: "Training: speed", Figure: &f, Says: nonEmpty(v.comparedSentence(part, "train", part.quantity(timePerToken), "takes %s the time of %s per token"))}}
}
