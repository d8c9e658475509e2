package reports

import (
	"fmt"
	"math"
	"strings"

	"workbench/experiments/record"
	"workbench/experiments/stats"
)

// A RuleResult is one rule with its statistic.
type RuleResult struct {
	Asks    string // the rule in words, with its threshold
	Numbers string // the statistic with its 95 % interval, "n/a" without one
	Control string // what must fail the rule, with its numbers
	P       string // one-sided, of the side that is nearer to being shown
	Verdict string // of the rule alone
	Why     string

	tested       bool    // by p
	open         bool    // the p alone leaves it undecided
	holds, fails float64 // p of the rule, 1 where it may not decide
	tests        int     // one-sided tests behind fails
	least        float64 // the smallest p that its repetitions can give
	per          string
}

// apply judges a rule by itself.
func (v *view) apply(r record.Rule) RuleResult {
	f := v.find(r)
	res := RuleResult{Asks: v.asks(r), Numbers: f.numbers(), P: "n/a", holds: 1, fails: 1, Verdict: f.verdict, Why: f.why}
	switch {
	case f.verdict != "":
	case len(thresholds(r)) == 0:
		res.Verdict, res.Why = NotDecided, "the rule has no threshold"
	case f.counted:
		res.Verdict, res.Why = decide(r, f.iv)
	default:
		res.test(r, f)
	}
	why := v.control(r, &res)
	if why == "" && res.Verdict == Holds {
		if why = v.notEqual(r, f); why != "" {
			res.Verdict, res.Why, res.holds, res.open = NotDecided, why, 1, false
		}
		return res
	}
	if why != "" && res.Verdict != NotMeasured {
		res.Verdict, res.Why, res.holds, res.fails, res.open = NotDecided, why, 1, 1, false
	}
	return res
}

// test holds the numbers against the thresholds, one-sided.
func (res *RuleResult) test(r record.Rule, f finding) {
	res.tested, res.per, res.tests = true, f.per, len(thresholds(r))
	res.holds, res.fails = f.sides(r)
	res.least = stats.LeastP(len(f.d)) / 2
	res.P = pText(min(res.holds, res.fails))
	switch {
	case res.holds <= alpha:
		res.Verdict = Holds
	case res.fails <= alpha:
		res.Verdict = Fails
	case res.least > alpha:
		res.Verdict, res.Why, res.open = NotDecided, needs(stats.Needs(2*alpha), f.per), true
	default:
		res.Verdict, res.Why, res.open = NotDecided, "neither side of the threshold is shown", true
	}
}

// sides are the p of the asked side of the thresholds, the larger of two, and of
// the other side, the smaller for each.
func (f finding) sides(r record.Rule) (holds, fails float64) {
	holds, fails = 0, 1
	for _, side := range []struct {
		at      *float64
		asked   func(d []float64, margin float64) (float64, error)
		refused func(d []float64, margin float64) (float64, error)
	}{{r.Above, stats.Above, stats.Below}, {r.Below, stats.Below, stats.Above}} {
		if side.at == nil {
			continue
		}
		at := scale(r, *side.at)
		if !finite(at) { // a ratio against 0, which every ratio exceeds
			return 1, 1
		}
		yes, err := side.asked(f.d, at)
		no, err2 := side.refused(f.d, at)
		if err != nil || err2 != nil {
			return 1, 1
		}
		holds, fails = max(holds, yes), min(fails, no)
	}
	return holds, min(1, fails*float64(len(thresholds(r))))
}

func thresholds(r record.Rule) []float64 {
	var t []float64
	if r.Below != nil {
		t = append(t, *r.Below)
	}
	if r.Above != nil {
		t = append(t, *r.Above)
	}
	return t
}

// decide holds a counted value against the thresholds, fixed before the run.
func decide(r record.Rule, iv interval) (verdict, why string) {
	holds, fails := true, false
	if r.Below != nil {
		holds = holds && iv.hi < *r.Below
		fails = fails || iv.lo >= *r.Below
	}
	if r.Above != nil {
		holds = holds && iv.lo > *r.Above
		fails = fails || iv.hi <= *r.Above
	}
	switch {
	case holds:
		return Holds, ""
	case fails:
		return Fails, ""
	}
	return NotDecided, "the counted values lie on both sides of the threshold"
}

// noControl marks a rule that nothing is shown to fail.
const noControl = "(no control)"

// control computes the rule for what must fail it, and says why the rule may
// then not decide: its control is not shown to fail, or the margin is more than
// half of what the control shows.
func (v *view) control(r record.Rule, res *RuleResult) (why string) {
	if res.Control = noControl; r.Control == nil {
		return ""
	}
	c := r.OfControl()
	f, who := v.find(c), v.controlName(r)
	if f.verdict != "" {
		res.Control = fmt.Sprintf("%s %s: %s", who, f.numbers(), f.why)
		return fmt.Sprintf("its control is %s: %s", f.verdict, f.why)
	}
	shown := who + " " + f.numbers()
	if !f.fails(c) {
		res.Control = shown + ", is not shown to fail"
		return fmt.Sprintf("cannot tell: the control, %s, is not shown to fail", shown)
	}
	res.Control = shown + ", fails as it must"
	// A threshold that no difference and no growth at all (0; of ratios, the
	// logarithm of 1) would pass is a margin.
	var margins []float64
	if r.Below != nil && scale(r, *r.Below) > 0 {
		margins = append(margins, scale(r, *r.Below))
	}
	if r.Above != nil && scale(r, *r.Above) < 0 {
		margins = append(margins, scale(r, *r.Above))
	}
	for _, m := range margins {
		if math.Abs(m) > math.Abs(scale(r, f.iv.mid))/2*(1+1e-9) {
			return fmt.Sprintf("the margin is more than half of what the control shows (%s)", shown)
		}
	}
	return ""
}

// fails tells whether the numbers are shown to fail the rule.
func (f finding) fails(r record.Rule) bool {
	if f.counted {
		verdict, _ := decide(r, f.iv)
		return verdict == Fails
	}
	_, p := f.sides(r)
	return p <= alpha
}

// scale is a value of a rule's statistic on the scale that margins are measured
// on: logarithms of ratios.
func scale(r record.Rule, x float64) float64 {
	if r.Kind == record.RuleRatio {
		return math.Log(x)
	}
	return x
}

// controlName says what a control puts in the place of the rule's own.
func (v *view) controlName(r record.Rule) string {
	c := r.Control
	words := nonEmpty(c.Arch)
	for _, w := range [][2]string{{"against ", c.Than}, {"of part ", c.Part}, {"in ", c.Phase}, {"along ", c.Over}} {
		if w[1] != "" {
			words = append(words, w[0]+w[1])
		}
	}
	if c.Metric != "" {
		words = append(words, v.judged(r.OfControl()).Title)
	}
	if c.At != 0 {
		words = append(words, "at "+plain(c.At))
	}
	return strings.Join(words, " ")
}

// notEqual says why a timed ratio may not be called equal within a margin: the
// interval of the placebo must lie within it as well.
func (v *view) notEqual(r record.Rule, f finding) string {
	if r.Kind != record.RuleRatio || r.Above == nil || r.Below == nil || *r.Above >= 1 || *r.Below <= 1 || v.judged(r).Kind != record.Timed {
		return ""
	}
	part := v.part(r.Part)
	t, ok := part.family(r.Phase, v.judged(r)).placebo[f.x]
	iv := ofTest(t, true, f.per)
	switch {
	case !ok:
		return "no second process of the baseline was measured there, which must be equal within the margin as well"
	case iv.lo <= *r.Above || iv.hi >= *r.Below:
		return fmt.Sprintf("two processes of the baseline are not shown to be equal within the margin: %s", iv.text("×"))
	}
	return ""
}

// asks is the rule in words.
func (v *view) asks(r record.Rule) string {
	what := r.Metric
	if r.Kind != record.RuleCheck {
		what = v.judged(r).Title
	}
	over := v.over(r)
	at := ""
	if over != "" && r.Kind != record.RuleSlope {
		at = " at the largest " + over
		if r.At != 0 {
			at = " at " + over + " " + plain(r.At)
		}
	}
	var s string
	switch r.Kind {
	case record.RuleSlope:
		s = fmt.Sprintf("log-log slope of %s (%s) against %s, %s", what, r.Phase, over, r.Arch)
	case record.RuleRatio:
		s = fmt.Sprintf("%s (%s) of %s over %s%s", what, r.Phase, r.Arch, r.Than, at)
	case record.RuleDifference:
		s = fmt.Sprintf("%s (%s) of %s", what, r.Phase, r.Arch)
		if r.Than != "" {
			s += " minus " + r.Than
		}
		s += at
	default:
		s = fmt.Sprintf("%s %s, %s", r.Kind, what, r.Arch)
	}
	var t []string
	if r.Above != nil {
		t = append(t, "above "+plain(*r.Above))
	}
	if r.Below != nil {
		t = append(t, "below "+plain(*r.Below))
	}
	if t == nil {
		return s
	}
	return s + ": " + strings.Join(t, " and ")
}

// judged is the quantity of a rule.
func (v *view) judged(r record.Rule) record.Quantity {
	if part := v.part(r.Part); part != nil {
		return part.quantity(r.Metric)
	}
	return v.quantity(r.Metric)
}

// over is the axis of a rule: the one it names, or its workload's.
func (v *view) over(r record.Rule) string {
	if r.Over != "" {
		return r.Over
	}
	return v.axisKey(r.Phase)
}
