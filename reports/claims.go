package reports

import (
	"fmt"
	"math"
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

// noCounter is why an energy claim is open where nothing measures energy; the
// meter's reason follows.
const noCounter = "on this machine: no energy counter"

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
	case strings.HasPrefix(j.Why, noCounter):
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
	if m, err := metricOf(r.Metric); err == nil && m.timing && r.Kind == "ratio" && floor != nil {
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
	if m, err := metricOf(r.Metric); err == nil && r.Kind != "check" {
		what = m.title
	}
	over := r.Over
	if over == "" {
		over = defaultAxis(r.Phase)
	}
	place := ""
	if over != "" && r.Kind != "slope" {
		place = " at the largest " + over
		if r.At != 0 {
			place = " at " + over + " " + plain(r.At)
		}
	}
	var s string
	switch r.Kind {
	case "slope":
		s = fmt.Sprintf("log-log slope of %s (%s) against %s, %s", what, r.Phase, over, r.Arch)
	case "ratio":
		s = fmt.Sprintf("%s (%s) of %s over %s%s", what, r.Phase, r.Arch, r.Than, place)
	case "difference":
		s = fmt.Sprintf("%s (%s) of %s", what, r.Phase, r.Arch)
		if r.Than != "" {
			s += " minus " + r.Than
		}
		s += place
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

// find computes the statistic of a rule.
func (v *view) find(r record.Rule) finding {
	g := v.part(r.Part)
	if g == nil {
		return missing("the run has no part %q", r.Part)
	}
	if r.Kind == "check" {
		return v.findCheck(g, r)
	}
	m, err := metricOf(r.Metric)
	if err != nil {
		return undecided("%v", err)
	}
	over := r.Over
	if over == "" {
		over = defaultAxis(r.Phase)
	}
	a := g.places(r.Arch, r.Phase, over, m)
	if len(a) == 0 {
		return v.absent(g, r.Arch, r.Phase, m)
	}
	switch r.Kind {
	case "slope":
		return findSlope(a, m, over)
	case "ratio", "difference":
		return v.findPair(g, r, m, over, a)
	}
	return undecided("unknown kind of rule %q: known are slope, ratio, difference, check", r.Kind)
}

// absent says what is missing, and names the failure where there was one.
func (v *view) absent(g *group, label, phase string, m metric) finding {
	for _, rec := range v.all {
		if rec.Part == g.Name && rec.Label == label && rec.Phase == phase && rec.Error != "" {
			return missing("%s of %s: the cell failed: %s", phase, label, shorten(rec.Error, 120))
		}
	}
	if m.energy() && len(g.where(label, phase)) > 0 {
		why := v.unmeasured(g.where(label, phase))
		if !v.counts() {
			return undecided("%s (%s)", noCounter, why)
		}
		return undecided("no measured energy in %s of %s: %s", phase, label, why)
	}
	return missing("%s in %s of %s", m.title, phase, label)
}

func (v *view) findPair(g *group, r record.Rule, m metric, over string, a []place) finding {
	if r.Than == "" {
		if r.Kind == "ratio" {
			return undecided("a ratio needs `than`")
		}
		x := r.At
		if x == 0 {
			x = a[len(a)-1].x
		}
		p, ok := exactly(a, x)
		if !ok {
			return missing("%s of %s at %s %g", m.title, r.Arch, over, r.At)
		}
		return finding{iv: m.one(p), unit: m.unit}
	}
	b := g.places(r.Than, r.Phase, over, m)
	if len(b) == 0 {
		return v.absent(g, r.Than, r.Phase, m)
	}
	x := r.At
	if x == 0 {
		if x = largestCommon(a, b); math.IsNaN(x) {
			return missing("no %s that both %s and %s were measured at", over, r.Arch, r.Than)
		}
	}
	pa, okA := exactly(a, x)
	pb, okB := exactly(b, x)
	if !okA || !okB {
		who := r.Arch
		if okA {
			who = r.Than
		}
		return missing("%s of %s at %s %g", m.title, who, over, x)
	}
	if r.Kind == "ratio" {
		return finding{iv: m.ratio(pa, pb), unit: "×"}
	}
	return finding{iv: m.difference(pa, pb), unit: m.unit}
}

// largestCommon is the largest position that both series have.
func largestCommon(a, b []place) float64 {
	for i := len(a) - 1; i >= 0; i-- {
		if _, ok := exactly(b, a[i].x); ok {
			return a[i].x
		}
	}
	return math.NaN()
}

func exactly(ps []place, x float64) (place, bool) {
	for _, p := range ps {
		if p.x == x {
			return p, true
		}
	}
	return place{}, false
}

func findSlope(ps []place, m metric, over string) finding {
	var kept []place
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
	return finding{iv: m.slope(kept)}
}

// findCheck takes the worst value of the check among the label's records.
func (v *view) findCheck(g *group, r record.Rule) finding {
	worst, n := 0.0, 0
	for _, rec := range g.records {
		if rec.Label == r.Arch && rec.Check != nil && rec.Check.Name == r.Metric {
			if n == 0 || math.IsNaN(rec.Check.Value) || rec.Check.Value > worst {
				worst = rec.Check.Value
			}
			n++
		}
	}
	if n == 0 {
		return v.absent(g, r.Arch, "check", metric{title: "the check " + r.Metric})
	}
	return finding{iv: interval{mid: worst, lo: worst, hi: worst, n: n}}
}
