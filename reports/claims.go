package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"workbench/experiments/record"
)

// Verdicts of a claim.
const (
	Holds       = "holds"
	Fails       = "fails"
	NotDecided  = "not decided"
	NotMeasured = "not measured yet"
)

// A Judgement is a claim with what the records say of it.
type Judgement struct {
	record.Claim
	Verdict string
	Why     string // reason for a verdict that decides nothing
	Rules   []RuleResult
}

// A RuleResult is one rule with its statistic.
type RuleResult struct {
	Asks    string // the rule in words, with its threshold
	Numbers string // the statistic with its 95 % interval, "n/a" without one
	Verdict string
	Why     string
}

// onThisMachine begins a reason that lies with the machine and not with a model.
const onThisMachine = "on this machine: "

// judge applies every rule of a claim: one that fails decides, then one that
// is not measured, then one that is not decided.
func (v *view) judge(c record.Claim) Judgement {
	j := Judgement{Claim: c, Verdict: Holds}
	if len(c.Rules) == 0 {
		j.Verdict, j.Why = NotMeasured, c.Why
		return j
	}
	rank := map[string]int{Holds: 0, NotDecided: 1, NotMeasured: 2, Fails: 3}
	for _, r := range c.Rules {
		res := v.apply(r)
		j.Rules = append(j.Rules, res)
		if rank[res.Verdict] > rank[j.Verdict] {
			j.Verdict, j.Why = res.Verdict, res.Why
		}
	}
	return j
}

// short is the verdict with its reason.
func (j Judgement) short() string {
	switch {
	case j.Why == "", j.Verdict == Holds, j.Verdict == Fails:
		return j.Verdict
	case strings.HasPrefix(j.Why, onThisMachine):
		return j.Verdict + " " + j.Why
	}
	return j.Verdict + " (" + j.Why + ")"
}

// A finding is the statistic of a rule before it meets the threshold, or why
// there is none.
type finding struct {
	iv      interval
	unit    string
	verdict string // set when no statistic could be had
	why     string
}

func missing(format string, args ...any) finding {
	return finding{verdict: NotMeasured, why: fmt.Sprintf(format, args...)}
}

func undecided(format string, args ...any) finding {
	return finding{verdict: NotDecided, why: fmt.Sprintf(format, args...)}
}

func (v *view) apply(r record.Rule) RuleResult {
	res := RuleResult{Asks: v.asks(r), Numbers: "n/a"}
	f := v.find(r)
	if f.verdict != "" {
		res.Verdict, res.Why = f.verdict, f.why
		return res
	}
	res.Numbers = f.iv.text(f.unit)
	res.Verdict, res.Why = decide(r, f.iv)
	floor := v.run.Host.NoiseFloor
	if q := v.judged(r); q.Kind == record.Timed && r.Kind == record.RuleRatio && floor != nil {
		for _, t := range thresholds(r) {
			if (res.Verdict == Holds || res.Verdict == Fails) && withinFloor(f.iv.mid/t, *floor) {
				res.Verdict = NotDecided
				res.Why = fmt.Sprintf("%s is closer to %s than the noise floor of %s: no winner called",
					digits(f.iv.mid), plain(t), percent(*floor))
			}
		}
	}
	return res
}

// withinFloor tells whether a ratio differs from 1 by less than two identical
// configurations do on this machine.
func withinFloor(ratio, floor float64) bool {
	return ratio > 0 && math.Abs(math.Log(ratio)) < math.Log1p(floor)
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

// decide holds the interval against the threshold, fixed before the run.
func decide(r record.Rule, iv interval) (verdict, why string) {
	switch {
	case r.Below == nil && r.Above == nil:
		return NotDecided, "the rule has no threshold"
	case !iv.bounded():
		return NotDecided, iv.why()
	}
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
	return NotDecided, "the interval spans the threshold"
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

// find computes the statistic of a rule.
func (v *view) find(r record.Rule) finding {
	part := v.part(r.Part)
	if part == nil {
		return missing("the run has no part %q", r.Part)
	}
	if r.Kind == record.RuleCheck {
		return v.findCheck(part, r)
	}
	q, over := part.quantity(r.Metric), v.over(r)
	if q.Kind == record.Estimated {
		return undecided("%s is an estimate, which decides nothing", q.Title)
	}
	a := part.samplesAlong(r.Arch, r.Phase, over, q)
	if len(a) == 0 {
		return v.absent(part, r.Arch, r.Phase, q)
	}
	switch r.Kind {
	case record.RuleSlope:
		return findSlope(a, q, over)
	case record.RuleRatio, record.RuleDifference:
		return v.findPair(part, r, q, over, a)
	}
	return undecided("unknown kind of rule %q: known are %s", r.Kind, strings.Join(record.RuleKinds, ", "))
}

// absent says what is missing: a cell that failed gives its reason, and so does
// a quantity that could not be measured, in no model or in this one. No workload
// stands for all of those without an axis.
func (v *view) absent(part *partView, arm, workload string, q record.Quantity) finding {
	within := func(name string) bool { return name == workload || workload == "" && v.axis(name) == nil }
	for i := range v.all {
		r := &v.all[i]
		if r.Error != "" && r.Text(record.KeyPart) == part.Name && r.Text(record.KeyArm) == arm && within(r.Text(record.KeyWorkload)) {
			return missing("%s of %s: the cell failed: %s", r.Text(record.KeyWorkload), arm, shorten(r.Error, 120))
		}
	}
	var records []*record.Record
	for _, r := range part.records {
		if r.Text(record.KeyArm) == arm && within(r.Text(record.KeyWorkload)) {
			records = append(records, r)
		}
	}
	what := q.Title
	if workload != "" {
		what += " in " + workload
	}
	switch why := whyMissing(records, q.Name); {
	case why == "":
		return missing("%s of %s", what, arm)
	case !v.measured(q.Name):
		return undecided(onThisMachine+"no %s (%s)", q.Title, why)
	default:
		return undecided("no %s of %s: %s", what, arm, why)
	}
}

// whyMissing is the first reason why records hold no number of a quantity, ""
// without any.
func whyMissing(records []*record.Record, name string) string {
	for _, r := range records {
		if x := r.Find(name); x != nil && x.Value == nil && x.Reason != "" {
			return strings.TrimSuffix(x.Reason, ".")
		}
	}
	return ""
}

// measured tells whether any record of the run has a number for a quantity.
func (v *view) measured(name string) bool {
	return slices.ContainsFunc(v.all, func(r record.Record) bool {
		_, ok := r.Value(name)
		return ok && r.Error == ""
	})
}

func (v *view) findPair(part *partView, r record.Rule, q record.Quantity, over string, a []samplesAt) finding {
	if r.Than == "" {
		if r.Kind == record.RuleRatio {
			return undecided("a ratio needs `than`")
		}
		x := r.At
		if x == 0 {
			x = a[len(a)-1].x
		}
		p, ok := samplesIn(a, x)
		if !ok {
			return missing("%s of %s at %s %g", q.Title, r.Arch, over, r.At)
		}
		return finding{iv: summarize(q, p), unit: q.Unit}
	}
	b := part.samplesAlong(r.Than, r.Phase, over, q)
	if len(b) == 0 {
		return v.absent(part, r.Than, r.Phase, q)
	}
	x := r.At
	if x == 0 {
		if x = largestCommon(a, b); math.IsNaN(x) {
			return missing("no %s that both %s and %s were measured at", over, r.Arch, r.Than)
		}
	}
	pa, okA := samplesIn(a, x)
	pb, okB := samplesIn(b, x)
	if !okA || !okB {
		who := r.Arch
		if okA {
			who = r.Than
		}
		return missing("%s of %s at %s %g", q.Title, who, over, x)
	}
	if r.Kind == record.RuleRatio {
		return finding{iv: ratio(q, pa, pb), unit: "×"}
	}
	return finding{iv: difference(q, pa, pb), unit: q.Unit}
}

// largestCommon is the largest position that both series have.
func largestCommon(a, b []samplesAt) float64 {
	for i := len(a) - 1; i >= 0; i-- {
		if _, ok := samplesIn(b, a[i].x); ok {
			return a[i].x
		}
	}
	return math.NaN()
}

func samplesIn(ps []samplesAt, x float64) (samplesAt, bool) {
	for _, p := range ps {
		if p.x == x {
			return p, true
		}
	}
	return samplesAt{}, false
}

func findSlope(ps []samplesAt, q record.Quantity, over string) finding {
	var kept []samplesAt
	for _, p := range ps {
		if p.x > 0 {
			kept = append(kept, p)
		}
	}
	if len(kept) < 2 {
		return missing("a slope needs two values of %s above zero, %d measured", over, len(kept))
	}
	for _, p := range kept {
		for _, y := range p.all {
			if y <= 0 {
				return undecided("a log-log slope needs values above zero")
			}
		}
	}
	return finding{iv: slope(q, kept)}
}

// findCheck takes the worst value of a counted quantity among the arm's
// records. A number that is not finite is below nothing.
func (v *view) findCheck(part *partView, r record.Rule) finding {
	worst, n := 0.0, 0
	for _, rec := range part.records {
		x := rec.Find(r.Metric)
		if rec.Text(record.KeyArm) != r.Arch || x == nil || x.Kind != record.Exact || x.Value == nil && x.Reason != "" {
			continue
		}
		y := math.Inf(1)
		if x.Value != nil {
			y = *x.Value
		}
		if n == 0 || y > worst {
			worst = y
		}
		n++
	}
	if n == 0 {
		return v.absent(part, r.Arch, r.Phase, record.Quantity{Name: r.Metric, Title: "check " + r.Metric})
	}
	if math.IsInf(worst, 1) {
		f := undecided("the check %s gave no finite number", r.Metric)
		if r.Below != nil {
			f.verdict = Fails
		}
		return f
	}
	return finding{iv: interval{mid: worst, lo: worst, hi: worst, n: n}}
}
