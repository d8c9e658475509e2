package reports

func init() { registerSection("train", 30, (*view).trainBlocks) }

// trainBlocks shows how fast optimiser steps are.
func (v *view) trainBlocks(g *group) []Block {
	if !g.has("train") {
		return nil
	}
	q := v.quantity("tokens_per_second")
	f := g.along("train-speed", "Training speed", "train", q)
	f.Note += " A step is forward, backward and the optimiser."
	return []Block{{Heading: "Training: speed", Figure: &f, Says: nonEmpty(v.comparedSentence(g, "train", q, "runs at %s the speed of %s"))}}
}
